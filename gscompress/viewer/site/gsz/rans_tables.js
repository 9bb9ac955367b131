// The tables of frequencies of `rans` streams: stored (static_tables.cpp) or learnt (learner.h).

import { GszError } from "./errors.js";
import { GolombModel, HeadBit } from "./range_coder.js";

const MAX_TOKENS = 256;
const PROB_SCALE = 1 << 14;
const ESCAPE = 1 << 16;
const WEIGHT_BITS = 15;

// Weights in steps of 2^-s octaves; level 0: none.
function levelCount(s) {
  return (WEIGHT_BITS << s) + 2;
}

function levelWeight(level, s) {
  if (level === 0) return 0;
  return ((1 << s) + ((level - 1) & ((1 << s) - 1))) * 2 ** ((level - 1) >> s);
}

function bitWidth(x) {
  const high = Math.floor(x / 2 ** 32);
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(x >>> 0);
}

// Weights (their sum below 2^48) to frequencies that sum to 2^14, with the same rounding as
// normalise() of freq_table.cpp: weight * 2^14 / sum by a reciprocal of 61 bits.
function normalise(weights, size) {
  let sum = 0;
  for (let k = 0; k < size; ++k) sum += weights[k];
  const unit = 2 ** (31 - bitWidth(sum));
  const inverse = Number((1n << 61n) / BigInt(Math.floor(sum * unit)));
  const freqs = new Uint16Array(MAX_TOKENS);
  let left = PROB_SCALE;
  for (let k = 0; k < size; ++k) {
    if (weights[k] === 0) continue;
    // (scaled * inverse + 2^46) >> 47, in two halves that doubles hold exactly.
    const scaled = Math.floor(weights[k] * unit);
    const low = (scaled % 65536) * inverse + 2 ** 46;
    const high = Math.floor(scaled / 65536) * inverse;
    freqs[k] = Math.max(1, Math.floor((high + Math.floor(low / 65536)) / 2 ** 31));
    left -= freqs[k];
  }
  while (left !== 0) {
    let largest = 0;
    for (let k = 1; k < size; ++k) if (freqs[k] > freqs[largest]) largest = k;
    const change = left > 0 ? left : Math.max(left, -((freqs[largest] + 1) >> 1));
    freqs[largest] += change;
    left -= change;
  }
  return freqs;
}

// What decoding looks up: `first` gives the line of a block of 16 slots' first slot.
class DecodeTable {
  first = new Uint8Array(PROB_SCALE >> 4);
  start = new Uint16Array(MAX_TOKENS);
  freq = new Uint16Array(MAX_TOKENS);
  code = new Int32Array(MAX_TOKENS);

  // One line for each of `tokens`, which have the frequencies.
  build(tokens, freqs, direct) {
    let start = 0;
    let block = 0;
    for (let line = 0; line < tokens.length; ++line) {
      this.start[line] = start;
      this.freq[line] = freqs[line];
      this.code[line] = tokens[line] < direct ? tokens[line] : ESCAPE + tokens[line];
      start += freqs[line];
      const end = (start + 15) >> 4;
      this.first.fill(line, block, Math.max(block, end));
      block = Math.max(block, end);
    }
  }
}

// Tables that are stored in the head of the stream.
export class StaticTables {
  constructor(coder, shape) {
    const resolution = coder.raw(2);
    const models = {
      longer: new HeadBit(),
      length: new GolombModel(),
      zero: Array.from({ length: 8 }, () => new HeadBit()),
      residual: Array.from({ length: 3 }, () => ({
        exact: new HeadBit(), above: new HeadBit(), size: new GolombModel(),
      })),
    };
    this.tables = [];
    let previous = null;
    for (let k = 0; k < shape.tables; ++k) {
      previous = readLevels(coder, models, previous, shape.maxTokens, resolution);
      const weights = Array.from(previous.levels, (level) => levelWeight(level, resolution));
      const freqs = normalise(weights, MAX_TOKENS);
      const tokens = [];
      for (let token = 0; token < MAX_TOKENS; ++token) if (freqs[token] > 0) tokens.push(token);
      const table = new DecodeTable();
      table.build(tokens, tokens.map((token) => freqs[token]), shape.scheme.direct);
      this.tables.push(table);
    }
  }

  at(k) {
    return this.tables[k];
  }

  learn() {}
}

// Levels of one table, each guessed from its neighbours and the previous table.
function readLevels(coder, models, previous, maxTokens, s) {
  const expected = previous ? previous.tokens : maxTokens;
  const longer = coder.bit(models.longer);
  const difference = models.length.decode(coder);
  const tokens = longer ? expected + difference : expected - difference;
  if (tokens < 1 || tokens > maxTokens) throw new GszError("stream", "a table's length");
  const levels = new Int32Array(MAX_TOKENS);
  const before = previous ? previous.levels : new Int32Array(MAX_TOKENS);
  for (let t = 0; t < tokens; ++t) {
    const around = (t >= 1 && levels[t - 1] ? 1 : 0) + (t >= 2 && levels[t - 2] ? 2 : 0) +
      (before[t] ? 4 : 0);
    if (t + 1 < tokens && coder.bit(models.zero[around])) continue;
    const { level, trust } = guess(levels, before, t, s);
    const residual = models.residual[trust];
    let delta = 0;
    if (!coder.bit(residual.exact)) {
      const above = coder.bit(residual.above);
      const size = 1 + residual.size.decode(coder);
      if (size > levelCount(s)) throw new GszError("stream", "a frequency out of range");
      delta = above ? size : -size;
    }
    levels[t] = level + delta;
    if (levels[t] < 1 || levels[t] >= levelCount(s)) {
      throw new GszError("stream", "a frequency out of range");
    }
  }
  return { tokens, levels };
}

function guess(levels, before, t, s) {
  const near = [];
  for (let back = 1; back <= 2 && back <= t; ++back) {
    if (levels[t - back] === 0) continue;
    const known = before[t] && before[t - back];
    near.push(levels[t - back] + (known ? before[t] - before[t - back] : 0));
  }
  let level = before[t] || (WEIGHT_BITS - 3) << s;
  let trust = 0;
  if (near.length > 0) {
    level = near.length === 2 ? (near[0] + near[1]) >> 1 : near[0];
    trust = before[t] ? 2 : 1;
  }
  return { level: Math.max(1, Math.min(level, levelCount(s) - 1)), trust };
}

const PRIOR_COUNTS = 16;
const SHAPE_COUNTS = 4;
const LONGEST_WAIT = 128;
const SHORTEST_WAIT = 32;
const YOUNG = 32;
const WINDOWS = [1 << 7, 1 << 9, 1 << 11, 1 << 20];

// Tables that learn from the tokens seen, mixed with the counts of all tables.
export class AdaptiveTables {
  constructor(coder, shape) {
    const models = Array.from({ length: 4 }, () => new HeadBit());
    this.tokens = [];
    for (let t = 0, recent = 3; t < shape.maxTokens; ++t) {
      const used = coder.bit(models[recent]);
      recent = ((recent << 1) | (used ? 1 : 0)) & 3;
      if (used) this.tokens.push(t);
    }
    if (this.tokens.length === 0) throw new GszError("stream", "no token in use");
    const slope = coder.raw(5);
    this.window = WINDOWS[coder.raw(2)];
    this.direct = shape.scheme.direct;
    const shapes = this.tokens.map((_, line) =>
      levelWeight(Math.max(1, levelCount(3) - 1 - slope * line), 3));
    const sum = shapes.reduce((a, b) => a + b);
    this.shape = shapes.map((weight) => Math.floor((weight * 256 * SHAPE_COUNTS) / sum));
    this.all = this.#newCounts();
    this.tables = new Array(shape.tables).fill(null);
    this.weights = new Float64Array(MAX_TOKENS);
  }

  at(k) {
    if (this.tables[k] === null) {
      this.tables[k] = Object.assign(new DecodeTable(), this.#newCounts());
      this.#rebuild(this.tables[k]);
    }
    return this.tables[k];
  }

  learn(table, line) {
    ++table.counts[line];
    ++table.total;
    ++this.all.counts[line];
    ++this.all.total;
    if (--table.wait === 0) this.#rebuild(table);
  }

  #newCounts() {
    return { counts: new Uint32Array(MAX_TOKENS), total: 0, wait: 0, age: 0 };
  }

  #rebuild(table) {
    if (table.total >= this.window) this.#halve(table);
    if (this.all.total >= WINDOWS.at(-1)) this.#halve(this.all);
    const shortest = table.age < YOUNG ? 1 : SHORTEST_WAIT;
    table.wait = Math.min(Math.max(table.total >>> 3, shortest), LONGEST_WAIT);
    ++table.age;
    const share = Math.floor((PRIOR_COUNTS * 2 ** 32) / (this.all.total + SHAPE_COUNTS));
    const lines = this.tokens.length;
    for (let line = 0; line < lines; ++line) {
      const all = this.all.counts[line] * 256 + this.shape[line];
      this.weights[line] = table.counts[line] * 65536 + Math.floor((all * share) / 2 ** 24) + 1;
    }
    table.build(this.tokens, normalise(this.weights, lines), this.direct);
  }

  #halve(table) {
    table.total = 0;
    for (let line = 0; line < this.tokens.length; ++line) {
      table.counts[line] >>>= 1;
      table.total += table.counts[line];
    }
  }
}
