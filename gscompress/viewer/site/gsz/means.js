// Positions on a grid of a contracted space, in Morton order (gscompress/codecs/morton.py,
// gscompress/codecs/octree.py).

import { BitReader } from "./bits.js";
import { blame } from "./errors.js";
import { fieldsOf, share, whole } from "./fields.js";
import { gather } from "./morton_code.js";
import { decodeOctree } from "./octree.js";
import { chunkName } from "./streams.js";

const FRAME_BYTES = 56; // centre (3), radius, lower corner of the grid in contracted space (3)
const HALF = 2 ** 30; // Morton codes of up to 63 bits as two numbers, the lower of 30 bits

// Coded as differences of Morton codes.
export function morton(table, place) {
  return onGrid(table, place, (bits, streams, range) => {
    const lengths = streams.symbols("means", range);
    if (lengths.some((length) => length < 0 || length > 3 * bits)) {
      throw streams.corrupt("means", "a difference out of range");
    }
    const low = streams.part("means.low", range.level);
    const grid = blame("means.low", () => readGrid(lengths, low, bits));
    if (grid === null) throw streams.corrupt("means", "positions outside the grid");
    return grid;
  });
}

// Coded as cells of an octree, one for each level of the scene.
export function octree(table, place) {
  return onGrid(table, place, (bits, streams, { level, from, to }) => {
    const data = streams.part("means", level);
    return blame(chunkName("means", level), () => decodeOctree(data, to - from, bits));
  });
}

// `read(bits, streams, range)` gives integer positions [to - from][3].
function onGrid(table, place, read) {
  const { bits } = fieldsOf(table, { bits: whole(16, 4, 21), quantile: share(0.75, 1) }, place);
  return {
    async decode(decoded, streams, range) {
      const frame = readFrame(streams);
      const grid = read(bits, streams, range);
      decoded.setGrid(grid, range);
      fromGrid(grid, 4 / 2 ** bits, frame, decoded.values("means").subarray(3 * range.from));
    },
  };
}

function readFrame(streams) {
  const bytes = streams.bytes("frame", FRAME_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_BYTES);
  const frame = Array.from({ length: 7 }, (_, k) => view.getFloat64(8 * k, true));
  if (!frame.every(Number.isFinite) || frame[3] <= 0) {
    throw streams.corrupt("frame", "numbers that span no space");
  }
  return frame;
}

// Integer positions [count][3] from the differences of their Morton codes; null: out of range.
function readGrid(lengths, bytes, bits) {
  let total = 0;
  for (const length of lengths) total += Math.max(length, 1) - 1;
  const reader = new BitReader(bytes, total);
  const grid = new Uint32Array(3 * lengths.length);
  const end = 2 ** Math.max(3 * bits - 30, 0);
  let high = 0;
  let low = 0;
  for (let i = 0; i < lengths.length; ++i) {
    const width = Math.max(lengths[i], 1) - 1; // bits below the leading one
    const lowWidth = Math.min(width, 30);
    low += reader.read(lowWidth);
    high += reader.read(width - lowWidth);
    if (lengths[i] > 30) high += 2 ** (width - 30);
    else if (lengths[i] > 0) low += 2 ** width;
    if (low >= HALF) {
      low -= HALF;
      high += 1;
    }
    if (high >= end || (bits < 10 && low >= 2 ** (3 * bits))) return null;
    const middle = high % HALF;
    const top = Math.floor(high / HALF);
    for (let axis = 0; axis < 3; ++axis) {
      grid[3 * i + axis] =
        gather(low >> axis) | (gather(middle >> axis) << 10) | (((top >> axis) & 1) << 20);
    }
  }
  return grid;
}

// Grid to world: expand the contracted space (Mip-NeRF 360, arXiv:2111.12077, eq. 10).
function fromGrid(grid, step, frame, means) {
  const limit = 2 - step / 8;
  for (let i = 0; i < grid.length; i += 3) {
    const x = grid[i] * step + frame[4];
    const y = grid[i + 1] * step + frame[5];
    const z = grid[i + 2] * step + frame[6];
    const r = Math.max(Math.sqrt(x * x + y * y + z * z), 1);
    const factor = 1 / (2 - Math.min(r, limit));
    means[i] = (x / r) * factor * frame[3] + frame[0];
    means[i + 1] = (y / r) * factor * frame[3] + frame[1];
    means[i + 2] = (z / r) * factor * frame[3] + frame[2];
  }
}
