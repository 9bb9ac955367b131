// Fields of given widths, packed from the lowest bit of the first byte on.

import { GszError } from "./errors.js";

export class BitReader {
  // `total`: bits that are going to be read; the bytes must hold just these.
  constructor(bytes, total) {
    if (Math.ceil(total / 8) !== bytes.length) {
      throw new GszError("stream", "bytes that do not hold fields of these widths");
    }
    const rest = total % 8;
    if (rest > 0 && bytes[bytes.length - 1] >> rest !== 0) {
      throw new GszError("stream", "bits that are left over");
    }
    this.bytes = bytes;
    this.byte = 0;
    this.bit = 0; // within the byte
  }

  // An unsigned number of at most 52 bits.
  read(width) {
    let value = 0;
    for (let done = 0; done < width; ) {
      const part = Math.min(width - done, 16);
      const word = this.bytes[this.byte] | (this.bytes[this.byte + 1] << 8) |
        (this.bytes[this.byte + 2] << 16);
      value += ((word >>> this.bit) & ((1 << part) - 1)) * 2 ** done;
      done += part;
      this.bit += part;
      this.byte += this.bit >> 3;
      this.bit &= 7;
    }
    return value;
  }
}
