// Values as sums of words, one from each of several codebooks (gscompress/codecs/additive.py,
// svq.py, rvq.py).

import { fieldsOf, flag, positive, views, whole } from "./fields.js";
import { Indices, MAX_WORDS, readWords } from "./words.js";

const MAX_LENGTH = 75;
const MAX_STAGES = 16;
const MAX_PASSES = 64;
const MAX_BEAM = 256;
const BASIS_UNIT = 2 ** 20;
const SMALLEST_LENGTH = 1e-6; // of a quaternion

// Vectors cut into pieces, each with a codebook of its own.
export function svq(table, place) {
  const fields = fieldsOf(table, {
    length: whole(2, 1, MAX_LENGTH),
    words: whole(512, 1, MAX_WORDS),
    klt: flag(false),
    canonical: flag(false),
    word_step: positive(1 / 1024),
    views: views(0),
  }, place);
  return sums(fields, (streams, dims) => {
    const basis = fields.klt ? readBasis(streams, dims) : unitVectors(dims);
    const axes = [];
    for (let d = 0; d < dims; d += fields.length) axes.push(basis.slice(d, d + fields.length));
    return axes;
  });
}

// Each stage adds what the stages before have left.
export function rvq(table, place) {
  const fields = fieldsOf(table, {
    stages: whole(6, 1, MAX_STAGES),
    words: whole(64, 1, MAX_WORDS),
    passes: whole(2, 0, MAX_PASSES),
    canonical: flag(false),
    word_step: positive(1 / 1024),
    beam: whole(8, 1, MAX_BEAM),
    views: views(0),
  }, place);
  return sums(fields, (_, dims) => new Array(fields.stages).fill(unitVectors(dims)));
}

// axesOf(streams, dims): for each codebook what its words' numbers are multiplied by
// [length][dims].
function sums({ words: most, word_step }, axesOf) {
  let books = null;
  return {
    async decode(decoded, streams, range) {
      const { group } = streams;
      const values = decoded.values(group);
      if (decoded.count === 0) return;
      const dims = decoded.width(group);
      books ??= await readBooks(axesOf(streams, dims), most, word_step, streams, decoded.count);
      await books.indices.read(streams, decoded.side(range), range);
      addWords(books, values, dims, range);
      if (group === "quats") normalize(values, range);
    },
  };
}

// What each word stands for, [words][dims] of each codebook, and the indices.
async function readBooks(axes, most, step, streams, total) {
  const { group } = streams;
  const books = [];
  for (const [s, rows] of axes.entries()) {
    books.push(await readWords(streams, `${group}.book${s}`, rows.length, most));
  }
  return {
    tables: books.map(({ count, planes }, s) => turned(planes, count, axes[s], step)),
    indices: new Indices(group, books.map(({ count }) => count), total),
  };
}

// Sums in the order of gscompress/codecs/assigned.py.
function turned(planes, count, directions, step) {
  const dims = directions[0].length;
  const table = new Float64Array(count * dims);
  for (const [l, plane] of planes.entries()) {
    for (let w = 0; w < count; ++w) {
      const number = Math.fround(plane[w] * step);
      for (let d = 0; d < dims; ++d) table[w * dims + d] += number * directions[l][d];
    }
  }
  return Float32Array.from(table);
}

function addWords({ tables, indices }, values, dims, { from, to }) {
  for (const [s, table] of tables.entries()) {
    const index = indices.values[s];
    for (let i = from; i < to; ++i) {
      const word = index[i] * dims;
      for (let d = 0; d < dims; ++d) values[i * dims + d] += table[word + d];
    }
  }
}

function normalize(quats, { from, to }) {
  for (let i = 4 * from; i < 4 * to; i += 4) {
    const [w, x, y, z] = quats.subarray(i, i + 4);
    const length = Math.sqrt(w * w + x * x + y * y + z * z);
    if (length < SMALLEST_LENGTH) {
      quats.set([1, 0, 0, 0], i);
    } else {
      for (let k = i; k < i + 4; ++k) quats[k] /= length;
    }
  }
}

function unitVectors(dims) {
  return Array.from({ length: dims }, (_, row) =>
    Float64Array.from({ length: dims }, (_, d) => (d === row ? 1 : 0)));
}

function readBasis(streams, dims) {
  const name = `${streams.group}.basis`;
  const bytes = streams.bytes(name, 4 * dims * dims);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: dims }, (_, row) => Float64Array.from({ length: dims }, (_, d) => {
    const level = view.getInt32(4 * (row * dims + d), true);
    if (Math.abs(level) > 2 * BASIS_UNIT) throw streams.corrupt(name, "a number out of range");
    return level / BASIS_UNIT;
  }));
}
