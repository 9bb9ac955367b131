// Streams of symbols: the coders that the browser knows (gscompress/entropy).

import { GszError } from "./errors.js";
import { MixPlanes } from "./mix.js";
import { decodeRans } from "./rans.js";
import { decompressExactly } from "./zstd.js";

export const CODERS = ["mix", "rans", "zstd"];

// `count` integers; `contexts`: the class of each, or null for one class.
export function decodeSymbols(coder, bytes, count, contexts = null) {
  switch (coder) {
    case "mix": return decodeMixed(bytes, count, contexts);
    case "rans": return decodeRans(bytes, count, contexts);
    case "zstd": return decodeZstd(bytes, count);
    default: throw new GszError("header, 'entropy'", coder, `one of ${CODERS.join(", ")}`);
  }
}

// One plane in which every value is predicted in the context of the one before it.
function decodeMixed(bytes, count, contexts) {
  const references = new Int32Array(count);
  for (let i = 1; i < count; ++i) references[i] = i - 1;
  const classes = Uint8Array.from({ length: contexts ? count : 0 },
    (_, i) => Math.min(contexts[i], 15));
  const side = {
    references,
    nearness: new Uint8Array(count),
    classes: contexts ? classes : new Uint8Array(count),
  };
  const specs = [{ partner: -1, trust: -1, gate: -1 }];
  return new MixPlanes(specs, count).decode(bytes, 0, count, side)[0];
}

// Zigzag-folded values as planes of bytes, low bytes first, in one Zstandard frame.
function decodeZstd(bytes, count) {
  const planes = bytes.length ? bytes[0] : 0;
  if (planes < 1 || planes > 4) throw new GszError("planes of bytes", planes, "1 to 4");
  const body = decompressExactly(bytes.subarray(1), planes * count, "zstd stream");
  const values = new Int32Array(count);
  for (let plane = 0; plane < planes; ++plane) {
    for (let i = 0; i < count; ++i) values[i] |= body[plane * count + i] << (8 * plane);
  }
  for (let i = 0; i < count; ++i) values[i] = (values[i] >>> 1) ^ -(values[i] & 1);
  return values;
}
