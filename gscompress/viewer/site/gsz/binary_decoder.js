// Carry-less binary arithmetic decoder (gscompress/native/context/binary_coder.h). The loop of
// mix.js has a copy of its own, for speed.

export class BinaryDecoder {
  // low, high, code: unsigned, kept as int32. Reads zeros past the end.
  constructor(bytes) {
    this.bytes = bytes;
    this.position = 0;
    this.low = 0;
    this.high = -1;
    this.code = 0;
    for (let k = 0; k < 4; ++k) this.#shiftIn();
  }

  // A bit that is one with probability p1 / 2^16.
  decode(p1) {
    const range = (this.high - this.low) | 0;
    const middle =
      (this.low + Math.imul(range >>> 16, p1) + (Math.imul(range & 0xffff, p1) >>> 16)) | 0;
    const bit = this.code >>> 0 <= middle >>> 0 ? 1 : 0;
    if (bit) this.high = middle;
    else this.low = (middle + 1) | 0;
    while (((this.low ^ this.high) & 0xff000000) === 0) {
      this.#shiftIn();
      this.low <<= 8;
      this.high = (this.high << 8) | 255;
    }
    return bit;
  }

  // It holds four bytes in advance, of which the encoder has written one.
  get exhausted() {
    return this.position > this.bytes.length + 3;
  }

  get complete() {
    return this.position === this.bytes.length + 3;
  }

  #shiftIn() {
    const { bytes, position } = this;
    this.code = (this.code << 8) | (position < bytes.length ? bytes[position] : 0);
    this.position = position + 1;
  }
}
