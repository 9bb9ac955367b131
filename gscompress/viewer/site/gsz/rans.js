// The coder `rans`: interleaved rANS over tokens (gscompress/native/entropy).

import { GszError } from "./errors.js";
import {
  ByteReader, GolombModel, HeadBit, RangeDecoder, checkContexts, readBias, readContextCount, unfold,
} from "./range_coder.js";
import { decodeBinary } from "./rans_binary.js";
import { AdaptiveTables, StaticTables } from "./rans_tables.js";

const PROB_BITS = 14;
const STATE_FLOOR = 1 << 16;
const RAW_CHUNK = 14; // bits stored at a time
const MAX_TABLES = 256;
const ESCAPE = 1 << 16; // codes from here on are tokens with stored bits

export function decodeRans(bytes, count, contexts) {
  const reader = new ByteReader(bytes);
  const [head] = reader.take(1);
  const model = head & 7;
  const lanes = head & 8 ? 4 : 1;
  if (head > 15) throw new GszError("stream", "an unknown model");
  if (reader.varint() !== count) throw new GszError("stream", "another number of values");
  if (model === 0 && lanes === 1) return decodeConstant(reader, count);
  if (count === 0) throw new GszError("stream", "a model of no values");
  if (model === 1 || model === 2) return decodeTokens(reader, lanes, count, contexts, model === 1);
  if (model === 3 && lanes === 1) return decodeBinary(reader.rest(), count, contexts);
  throw new GszError("stream", "an unknown model");
}

function decodeConstant(reader, count) {
  const values = new Int32Array(count);
  if (count > 0) values.fill(unfold(reader.varint()));
  if (reader.rest().length > 0) throw new GszError("stream", "bytes that are left over");
  return values;
}

function decodeTokens(reader, lanes, count, contexts, isStatic) {
  const coder = new RangeDecoder(reader.take(reader.varint()));
  const shape = { scheme: new TokenScheme(coder), maxTokens: 0, tableOf: null, tables: 1 };
  shape.maxTokens = 1 + coder.raw(8);
  if (shape.maxTokens > shape.scheme.tokenLimit() + 1) {
    throw new GszError("stream", "a token out of range");
  }
  readMap(coder, shape);
  const tables = isStatic ? new StaticTables(coder, shape) : new AdaptiveTables(coder, shape);
  coder.finish();
  checkContexts(contexts, shape.tableOf.length);
  return decodeValues(reader, lanes, tables, shape, contexts, count);
}

// Which table each context uses; tables are numbered by first appearance.
function readMap(coder, shape) {
  const tableOf = new Uint8Array(readContextCount(coder));
  const same = new HeadBit();
  const fresh = new HeadBit();
  for (let c = 1; c < tableOf.length; ++c) {
    if (coder.bit(same)) {
      tableOf[c] = tableOf[c - 1];
    } else if (coder.bit(fresh)) {
      if (shape.tables === MAX_TABLES) throw new GszError("stream", "too many tables");
      tableOf[c] = shape.tables++;
    } else {
      tableOf[c] = coder.raw(32 - Math.clz32(shape.tables - 1));
      if (tableOf[c] >= shape.tables) throw new GszError("stream", "a context that has no table");
    }
  }
  shape.tableOf = tableOf;
}

// Values as tokens: below 2^directBits the folded value itself, above the place of its leading one,
// the bits after it and the lowest bit; the bits between are stored as they are.
class TokenScheme {
  constructor(coder) {
    this.directBits = 4 + coder.raw(3);
    this.mantissaBits = coder.raw(2);
    if (this.directBits > 8) throw new GszError("stream", "an unknown token scheme");
    this.bias = readBias(coder);
    this.direct = 1 << this.directBits;
  }

  rawBits(token) {
    return ((token - this.direct) >> (this.mantissaBits + 1)) + this.directBits -
      this.mantissaBits - 1;
  }

  join(token, bits, raw) {
    const within = token - this.direct;
    const mantissa = (within >> 1) & ((1 << this.mantissaBits) - 1);
    const head = (1 << this.mantissaBits) | mantissa;
    return (((head << bits) | raw) << 1) | (within & 1);
  }

  // The token of 2^32 - 1.
  tokenLimit() {
    const mantissa = (1 << this.mantissaBits) - 1;
    return this.direct + ((31 - this.directBits) << (this.mantissaBits + 1)) + 2 * mantissa + 1;
  }
}

function readStates(reader, lanes) {
  const states = new Int32Array(lanes); // unsigned
  for (let lane = 0; lane < lanes; ++lane) {
    if (lanes === 1) {
      const above = reader.varint();
      if (above > 0xffffffff - STATE_FLOOR) throw new GszError("stream", "a state out of range");
      states[lane] = above + STATE_FLOOR;
    } else {
      const b = reader.take(4);
      states[lane] = b[0] | (b[1] << 8) | (b[2] << 16) | (b[3] << 24);
      if (states[lane] >>> 0 < STATE_FLOOR) throw new GszError("stream", "a state out of range");
    }
  }
  return states;
}

function decodeValues(reader, lanes, tables, { scheme, tableOf }, contexts, count) {
  const states = readStates(reader, lanes);
  const words = reader.rest();
  const values = new Int32Array(count);
  const bias = scheme.bias;
  let next = 0;
  const truncated = () => new GszError("stream", "a truncated one");
  for (let i = 0; i < count; ++i) {
    const lane = i & (lanes - 1);
    const table = tables.at(contexts === null ? 0 : tableOf[contexts[i]]);
    let x = states[lane];
    const slot = x & ((1 << PROB_BITS) - 1);
    let line = table.first[slot >> 4];
    let within = slot - table.start[line];
    while (within >= table.freq[line]) {
      ++line;
      within = slot - table.start[line];
    }
    x = (Math.imul(table.freq[line], x >>> PROB_BITS) + within) | 0;
    if (x >>> 0 < STATE_FLOOR) {
      if (next + 2 > words.length) throw truncated();
      x = (x << 16) | words[next] | (words[next + 1] << 8);
      next += 2;
    }
    let code = table.code[line];
    tables.learn(table, line);
    if (code >= ESCAPE) {
      const token = code - ESCAPE;
      const bits = scheme.rawBits(token);
      let raw = 0;
      for (let done = 0; done < bits; done += RAW_CHUNK) {
        const part = Math.min(bits - done, RAW_CHUNK);
        raw |= (x & ((1 << part) - 1)) << done;
        x >>>= part;
        if (x >>> 0 < STATE_FLOOR) {
          if (next + 2 > words.length) throw truncated();
          x = (x << 16) | words[next] | (words[next + 1] << 8);
          next += 2;
        }
      }
      code = scheme.join(token, bits, raw);
    }
    states[lane] = x;
    values[i] = (((code >>> 1) ^ -(code & 1)) + bias) | 0;
  }
  if (states.some((state) => state !== STATE_FLOOR)) {
    throw new GszError("stream", "a wrong final state");
  }
  if (next !== words.length) throw new GszError("stream", "bytes that are left over");
  return values;
}
