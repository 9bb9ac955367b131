// Any attribute, float32 bit for bit (gscompress/codecs/exact.py).

import { BitReader } from "./bits.js";
import { blame } from "./errors.js";
import { fieldsOf } from "./header.js";
import { planeSpecs } from "./planes.js";

const GRID_BITS = 20;
const MAX_LENGTH = 33; // bits of a difference
const TWO_31 = 2 ** 31;

export function exact(table, place) {
  fieldsOf(table, {}, place);
  return { decode: decodeExact };
}

async function decodeExact(decoded, streams) {
  const { group } = streams;
  const channels = decoded.width(group);
  const { useNear, centres } = readBase(streams, channels);
  const specs = planeSpecs(Array.from({ length: channels }, (_, c) => c - 1), { trust: -1 });
  const planes = await streams.planes(group, specs, decoded.side);
  const reader = blame(`${group}.low`, () => lowBits(planes, streams, group));
  const values = new Float32Array(channels * decoded.count);
  for (let c = 0; c < channels; ++c) {
    const patterns = readPatterns(planes[c], reader);
    if (useNear[c]) resolve(patterns, decoded.references);
    else for (let i = 0; i < patterns.length; ++i) patterns[i] += centres[c];
    if (patterns.some((p) => p < -TWO_31 || p >= TWO_31)) {
      throw streams.corrupt(group, "a bit pattern out of range");
    }
    writeFloats(patterns, values, c, channels);
  }
  if (group === "means") decoded.setGrid(gridOf(values));
  return values;
}

function readBase(streams, channels) {
  const bytes = streams.bytes(`${streams.group}.base`, 16 * channels);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const integers = Array.from({ length: 2 * channels }, (_, k) => view.getBigInt64(8 * k, true));
  const centres = integers.slice(channels);
  if (centres.some((centre) => centre > 2n ** 32n || centre < -(2n ** 32n))) {
    throw streams.corrupt(`${streams.group}.base`, "a centre out of range");
  }
  return { useNear: integers.slice(0, channels).map((i) => i !== 0n), centres: centres.map(Number) };
}

function lowBits(planes, streams, group) {
  let total = 0;
  for (const plane of planes) {
    for (const signed of plane) {
      const length = Math.abs(signed);
      if (length > MAX_LENGTH) throw streams.corrupt(group, "a length out of range");
      total += Math.max(length, 1) - 1;
    }
  }
  return new BitReader(streams.bytes(`${group}.low`), total);
}

// Differences from their signed lengths and the bits below the leading one.
function readPatterns(signed, reader) {
  const out = new Float64Array(signed.length);
  for (let i = 0; i < signed.length; ++i) {
    const length = Math.abs(signed[i]);
    if (length === 0) continue;
    const magnitude = 2 ** (length - 1) + reader.read(length - 1);
    out[i] = signed[i] < 0 ? -magnitude : magnitude;
  }
  return out;
}

// Add references in coding order, modulo 2^32.
function resolve(patterns, references) {
  for (let i = 0; i < patterns.length; ++i) {
    patterns[i] = (patterns[i] + (i > 0 ? patterns[references[2 * i]] : 0)) | 0;
  }
}

// Bit patterns in numeric order to floats: values[i * channels + c].
function writeFloats(patterns, values, c, channels) {
  const words = new Int32Array(values.buffer);
  for (let i = 0; i < patterns.length; ++i) {
    words[i * channels + c] = patterns[i] < 0 ? -TWO_31 - patterns[i] - 1 : patterns[i];
  }
}

function gridOf(means) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let k = 0; k < means.length; ++k) {
    low[k % 3] = Math.min(low[k % 3], means[k]);
    high[k % 3] = Math.max(high[k % 3], means[k]);
  }
  const extent = Math.max(high[0] - low[0], high[1] - low[1], high[2] - low[2]) || 1;
  return Uint32Array.from(means, (mean, k) => ((mean - low[k % 3]) / extent) * (2 ** GRID_BITS - 1));
}
