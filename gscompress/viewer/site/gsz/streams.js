// The named streams of a file, cut into levels (gscompress/codecs/streams.py).

import { GszError, blame } from "./errors.js";
import { planesDecoder } from "./planes.js";
import { decodeSymbols } from "./symbols.js";

// The chunk that holds a stream's part of a level.
export function chunkName(stream, level) {
  return level > 0 ? `${stream}@${level}` : stream;
}

// The level that a chunk belongs to.
export function levelOf(chunk) {
  const match = /@([1-9]\d?)$/.exec(chunk);
  return match ? Number(match[1]) : 0;
}

// Planes decoded in this thread: {decode(bytes, from, to, side)} as MixPlanes has it, but later.
export function openHere(coder, specs, count) {
  const decoder = planesDecoder(coder, specs, count);
  return { decode: async (...part) => decoder.decode(...part) };
}

export class Streams {
  // chunkOf: gives the checked bytes of a chunk, or undefined; open: as `openHere`.
  constructor(coder, count, chunkOf, open) {
    this.coder = coder;
    this.count = count;
    this.chunkOf = chunkOf;
    this.open = open;
    this.decoders = new Map(); // of planes, by stream: their models learn on from level to level
    this.group = "";
  }

  // The same streams, read for an attribute group.
  of(group) {
    return Object.assign(Object.create(Streams.prototype), this, { group });
  }

  has(name) {
    return this.chunkOf(name) !== undefined;
  }

  // Bytes about the whole scene.
  bytes(name, size) {
    const data = this.part(name, 0);
    if (data.length !== size) throw this.corrupt(name, `${data.length} bytes`, size);
    return data;
  }

  // The bytes of a stream's level.
  part(name, level) {
    const data = this.chunkOf(chunkName(name, level));
    if (data === undefined) throw this.corrupt(chunkName(name, level), "nothing", "such a chunk");
    return data;
  }

  // A symbol for each Gaussian of the range.
  symbols(name, { level, from, to }) {
    const data = this.part(name, level);
    return blame(chunkName(name, level), () => decodeSymbols(this.coder, data, to - from));
  }

  // Planes of integers of the range's Gaussians, of which `side` tells.
  async planes(name, specs, side, { level, from, to }) {
    const data = this.part(name, level);
    if (!this.decoders.has(name)) {
      this.decoders.set(name, this.open(this.coder, specs, this.count));
    }
    const decoder = this.decoders.get(name);
    return this.blameLater(chunkName(name, level), decoder.decode(data, from, to, side));
  }

  // Planes of `count` integers about the whole scene: the chunk `name` without its first bytes.
  async planesOf(name, skipped, specs, side, count) {
    const data = this.part(name, 0).subarray(skipped);
    const decoder = this.open(this.coder, specs, count, { once: true });
    return this.blameLater(name, decoder.decode(data, 0, count, side));
  }

  // What is promised; whatever goes wrong with a stream's content is blamed on the chunk.
  async blameLater(chunk, promised) {
    try {
      return await promised;
    } catch (error) {
      if (!(error instanceof GszError)) throw error;
      throw this.corrupt(chunk, error.found || error.field, error.expected);
    }
  }

  corrupt(name, found, expected = "") {
    return new GszError(`chunk '${name}'`, found, expected);
  }
}
