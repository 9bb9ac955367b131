// Any attribute, float32 bit for bit (gscompress/codecs/exact.py).

import { BitReader } from "./bits.js";
import { blame } from "./errors.js";
import { fieldsOf } from "./fields.js";
import { planeSpecs } from "./planes.js";

const GRID_BITS = 20;
const FRAME_BYTES = 32; // lower corner (3) and extent of the positions
const MAX_LENGTH = 33; // bits of a difference
const TWO_31 = 2 ** 31;

export function exact(table, place) {
  fieldsOf(table, {}, place);
  return { decode: decodeExact };
}

async function decodeExact(decoded, streams, range) {
  const { group } = streams;
  const channels = decoded.width(group);
  const { useNear, centres } = readBase(streams, channels);
  const specs = planeSpecs(Array.from({ length: channels }, (_, c) => c - 1), { trust: -1 });
  const side = decoded.side(range);
  const planes = await streams.planes(group, specs, side, range);
  checkLengths(planes, streams);
  const low = streams.part(`${group}.low`, range.level);
  const reader = blame(`${group}.low`, () => new BitReader(low, totalBits(planes)));
  const values = decoded.values(group);
  const words = new Int32Array(values.buffer);
  for (let i = range.from; i < range.to; ++i) {
    const reference = side.references[i - range.from];
    for (let c = 0; c < channels; ++c) {
      const residual = readDifference(planes[c][i - range.from], reader);
      // Bit patterns are in numeric order; sums with references wrap around.
      const near = i > 0 ? flipped(words[reference * channels + c]) : 0;
      const pattern = useNear[c] ? (residual + near) | 0 : residual + centres[c];
      if (pattern < -TWO_31 || pattern >= TWO_31) {
        throw streams.corrupt(group, "a bit pattern out of range");
      }
      words[i * channels + c] = flipped(pattern);
    }
  }
  if (group === "means") setGrid(decoded, streams, values, range);
}

// Between the bits of a float and its place in numeric order: its own inverse.
function flipped(word) {
  return word < 0 ? -TWO_31 - word - 1 : word;
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

function checkLengths(planes, streams) {
  if (planes.some((plane) => plane.some((length) => Math.abs(length) > MAX_LENGTH))) {
    throw streams.corrupt(streams.group, "a length out of range", `at most ${MAX_LENGTH} bits`);
  }
}

// Bits that are stored below the leading ones.
function totalBits(planes) {
  let total = 0;
  for (const plane of planes) {
    for (let i = 0; i < plane.length; ++i) total += Math.max(Math.abs(plane[i]), 1) - 1;
  }
  return total;
}

// A difference from its signed length and the bits below the leading one.
function readDifference(signed, reader) {
  if (signed === 0) return 0;
  const width = Math.abs(signed) - 1;
  const magnitude = 2 ** width + reader.read(width);
  return signed < 0 ? -magnitude : magnitude;
}

function setGrid(decoded, streams, means, range) {
  const bytes = streams.bytes("frame", FRAME_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_BYTES);
  const frame = Array.from({ length: 4 }, (_, k) => view.getFloat64(8 * k, true));
  if (!frame.every(Number.isFinite) || frame[3] <= 0) {
    throw streams.corrupt("frame", "numbers that span no space");
  }
  const most = 2 ** GRID_BITS - 1;
  const own = means.subarray(3 * range.from, 3 * range.to);
  const grid = Uint32Array.from(own, (mean, k) => {
    const cell = ((mean - frame[k % 3]) / frame[3]) * most;
    return Math.max(0, Math.min(cell, most)) || 0; // NaN: 0
  });
  decoded.setGrid(grid, range);
}
