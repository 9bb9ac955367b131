// One Zstandard frame of a known size. The decompression itself is fzstd's (vendor/).

import { decompress } from "../vendor/fzstd/index.mjs";
import { GszError } from "./errors.js";

const MAGIC = 0xfd2fb528;
const MOST_EXPANSION = 1 << 16; // a block of 4 bytes can stand for 2^17

// Allocates `size` bytes and no more, and only if the frame says that it holds as many.
export function decompressExactly(frame, size, field) {
  const stored = contentSize(frame);
  if (stored !== size || size > frame.length * MOST_EXPANSION) {
    throw new GszError(field, `a frame of ${stored} bytes`, size);
  }
  if (size === 0) return new Uint8Array(0);
  try {
    const out = decompress(frame, new Uint8Array(size));
    if (out.length === size) return out;
  } catch { /* fzstd throws errors of several kinds, some of them from array accesses */ }
  throw new GszError(field, "damaged bytes", "a Zstandard frame");
}

function contentSize(frame) {
  if (frame.length < 6) return -1;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return -1;
  const descriptor = frame[4];
  const single = (descriptor & 32) !== 0;
  const code = descriptor >> 6;
  const at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3];
  const width = code === 0 ? (single ? 1 : 0) : 1 << code;
  if (width === 0 || at + width > frame.length) return -1;
  if (width === 1) return frame[at];
  if (width === 2) return view.getUint16(at, true) + 256;
  if (width === 4) return view.getUint32(at, true);
  return view.getUint32(at, true) + 2 ** 32 * view.getUint32(at + 4, true);
}
