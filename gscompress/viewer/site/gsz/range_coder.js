// Adaptive binary range decoder (gscompress/native/entropy/range_coder.h), and the parts of heads.

import { GszError } from "./errors.js";

const BOTTOM = 1 << 24;
const RAW_BITS = 8; // equally likely bits coded at a time

// Bytes with bounds, and varints.
export class ByteReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.position = 0;
  }

  take(size) {
    if (size > this.bytes.length - this.position) throw new GszError("stream", "a truncated one");
    this.position += size;
    return this.bytes.subarray(this.position - size, this.position);
  }

  varint() {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const [octet] = this.take(1);
      value += (octet & 0x7f) * 2 ** shift;
      if (octet < 0x80 && value <= 0xffffffff) return value;
      if (octet < 0x80) break;
    }
    throw new GszError("stream", "a number that is too long");
  }

  rest() {
    return this.take(this.bytes.length - this.position);
  }
}

// P(one) in 2^-16 as the mean of a fast and a slow average.
export class HeadBit {
  fast = 0x8000;
  slow = 0x8000;

  get p1() {
    return (this.fast + this.slow + 1) >> 1;
  }

  learn(bit) {
    if (bit) {
      this.fast += (0x10000 - this.fast) >> 4;
      this.slow += (0x10000 - this.slow) >> 6;
    } else {
      this.fast -= this.fast >> 4;
      this.slow -= this.slow >> 6;
    }
  }
}

export class RangeDecoder {
  // range and code: unsigned, kept as int32.
  constructor(bytes) {
    this.bytes = bytes;
    this.position = 0;
    this.range = -1;
    this.code = 0;
    for (let k = 0; k < 4; ++k) this.code = (this.code << 8) | this.#next();
  }

  // A bit that is one with probability p1 / 2^16.
  split(p1) {
    const bound = Math.imul(this.range >>> 16, p1);
    const bit = this.code >>> 0 < bound >>> 0;
    if (bit) {
      this.range = bound;
    } else {
      this.code = (this.code - bound) | 0;
      this.range = (this.range - bound) | 0;
    }
    this.#settle();
    return bit;
  }

  bit(model) {
    const bit = this.split(model.p1);
    model.learn(bit);
    return bit;
  }

  // `count` <= 32 equally likely bits, as an unsigned number.
  raw(count) {
    let value = 0;
    for (let left = count; left > 0; ) {
      const bits = Math.min(left, RAW_BITS);
      left -= bits;
      this.range >>>= bits;
      const quotient = Math.floor((this.code >>> 0) / (this.range >>> 0));
      const part = Math.min(quotient, (1 << bits) - 1);
      this.code = (this.code - Math.imul(part, this.range)) | 0;
      value = value * 2 ** bits + part;
      this.#settle();
    }
    return value;
  }

  checkOverrun() {
    if (this.position > this.bytes.length + 4) throw new GszError("stream", "a truncated one");
  }

  finish() {
    if (this.position < this.bytes.length) throw new GszError("stream", "bytes that are left over");
    this.checkOverrun();
  }

  #settle() {
    while (this.range >>> 0 < BOTTOM) {
      this.code = (this.code << 8) | this.#next();
      this.range <<= 8;
    }
  }

  #next() {
    return this.position < this.bytes.length ? this.bytes[this.position++] : (++this.position, 0);
  }
}

// An unsigned number: unary count of its bits (adaptive), then the bits below the leading one.
export class GolombModel {
  #more = Array.from({ length: 32 }, () => new HeadBit());
  #top = Array.from({ length: 32 }, () => new HeadBit());

  decode(coder) {
    let bits = 0;
    while (bits < 32 && coder.bit(this.#more[bits])) ++bits;
    if (bits === 0) return 0;
    const top = coder.bit(this.#top[bits - 1]) ? 1 : 0;
    const value = (2 + top) * 2 ** (bits - 1) + coder.raw(bits - 1) - 1;
    if (value > 0xffffffff) throw new GszError("stream", "a number that is too long");
    return value;
  }
}

// A folded number as what it stands for: 0, 1, 2, 3, ... -> 0, -1, 1, -2, ...; int32.
export function unfold(folded) {
  return (folded >>> 1) ^ -(folded & 1);
}

export function readBias(coder) {
  return unfold(new GolombModel().decode(coder));
}

export function readContextCount(coder) {
  const beyondOne = new GolombModel().decode(coder);
  if (beyondOne >= 1 << 16) throw new GszError("stream", "too many contexts");
  return 1 + beyondOne;
}

// The contexts given are among the encoded ones.
export function checkContexts(contexts, encoded) {
  if (contexts === null) {
    if (encoded > 1) throw new GszError("stream", "no contexts");
    return;
  }
  let most = 0;
  for (let i = 0; i < contexts.length; ++i) if (contexts[i] > most) most = contexts[i];
  if (most >= encoded) throw new GszError("stream", "a context that has no table");
}
