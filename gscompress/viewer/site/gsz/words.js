// Codebooks and indices into them (gscompress/codecs/words.py).

import { planeSpecs } from "./planes.js";

export const MAX_WORDS = 1 << 16;
const COUNT_BYTES = 4;
const DIGIT_BITS = 2;
const DIGIT_VALUES = 1 << DIGIT_BITS;

// The words of a codebook of at most `most`: {count, planes: [dims] of Int32Array [count]}.
export async function readWords(streams, name, dims, most) {
  const data = streams.part(name, 0);
  let count = 0;
  if (data.length >= COUNT_BYTES) {
    count = new DataView(data.buffer, data.byteOffset, COUNT_BYTES).getUint32(0, true);
  }
  if (count < 1 || count > most) {
    throw streams.corrupt(name, `a codebook of ${count} words`, `1 to ${most}`);
  }
  const references = new Int32Array(count);
  for (let i = 1; i < count; ++i) references[i] = i - 1;
  const side = {
    references, nearness: new Uint8Array(count), classes: new Uint8Array(count),
  };
  const partners = Array.from({ length: dims }, (_, d) => d - 1);
  const specs = planeSpecs(partners, dims > 1 ? { trust: 1 } : {});
  return { count, planes: await streams.planesOf(name, COUNT_BYTES, specs, side, count) };
}

// The index of each Gaussian into each of some codebooks; grows level by level.
export class Indices {
  // name: of the stream; sizes: words of each codebook; some: whether only some Gaussians have
  // them.
  constructor(name, sizes, count, { some = false } = {}) {
    this.name = name;
    this.sizes = sizes;
    this.specs = indexSpecs(sizes, some);
    this.values = sizes.map(() => new Int32Array(count)); // without meaning where they are not used
  }

  // Those of a range's Gaussians. used: which ones have indices, 0 or 1, or null for all.
  async read(streams, side, range, used = null) {
    const { name } = this;
    const told = used === null ? side : {
      ...side, classes: side.classes.map((k, i) => (k >> 1) + 8 * used[i]),
    };
    const planes = await streams.planes(name, this.specs, told, range);
    let next = 0;
    if (used !== null && planes[next++].some((flag, i) => flag !== used[i])) {
      throw streams.corrupt(name, "indices of other Gaussians");
    }
    for (const [s, size] of this.sizes.entries()) {
      const differs = planes[next];
      const digits = planes.slice(next + 1, next + 1 + digitsOf(size));
      next += 1 + digits.length;
      const coded = joined(digits, differs.length);
      if (coded === null) throw streams.corrupt(name, "a digit out of range");
      if (coded.some((k) => k >= size) || differs.some((flag) => flag < 0 || flag > 1)) {
        throw streams.corrupt(name, "an index out of range", `below ${size}`);
      }
      resolve(this.values[s], coded, differs, side.references, range);
    }
  }
}

function digitsOf(size) {
  return Math.ceil((32 - Math.clz32(size - 1)) / DIGIT_BITS);
}

// Whether there is an index, where that varies; per codebook whether it is new; its digits.
function indexSpecs(sizes, some) {
  const partners = some ? [-1] : [];
  const gates = some ? [-1] : [];
  let before = -1;
  for (const size of sizes) {
    const flag = partners.length;
    partners.push(before);
    gates.push(some ? 0 : -1);
    for (let digit = 0; digit < digitsOf(size); ++digit) {
      partners.push(digit > 0 ? flag + digit : -1);
      gates.push(flag);
    }
    before = flag;
  }
  return planeSpecs(partners, { trust: -1, gates });
}

// Numbers from their digits, the leading ones first; null: one is out of range.
function joined(digits, count) {
  const numbers = new Uint32Array(count);
  for (const plane of digits) {
    for (let i = 0; i < count; ++i) {
      if (plane[i] < 0 || plane[i] >= DIGIT_VALUES) return null;
      numbers[i] = numbers[i] * DIGIT_VALUES + plane[i];
    }
  }
  return numbers;
}

// A Gaussian without an index of its own has that of its reference.
function resolve(values, coded, differs, references, { from, to }) {
  for (let i = from; i < to; ++i) {
    const k = i - from;
    values[i] = differs[k] !== 0 ? coded[k] : i > 0 ? values[references[k]] : 0;
  }
}
