// The container: magic, header, index, chunks (the format is told in gscompress/container.py).

import { crc32 } from "./crc32.js";
import { GszError } from "./errors.js";
import { parseHeader } from "./header.js";

const MAGIC = 0x5a534789; // 89 47 53 5A, little-endian
const VERSION = 1;
const FIXED_BYTES = 24;
const MAX_HEADER = 1 << 22;
const MAX_INDEX = 1 << 22;
const HEADER_IS_ZSTD = 1;

// Whether a file begins as one of ours.
export function isGsz(bytes) {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === MAGIC;
}

// Bytes that must be there before `parseHead` can succeed; 0: not even that is known yet.
export function headBytes(bytes) {
  if (bytes.length < FIXED_BYTES) return 0;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MAGIC) return FIXED_BYTES; // parseHead says what is wrong
  const sizes = [view.getUint32(8, true), view.getUint32(16, true)];
  return sizes[0] > MAX_HEADER || sizes[1] > MAX_INDEX
    ? FIXED_BYTES
    : FIXED_BYTES + sizes[0] + sizes[1];
}

// Header and index: {header, entries: Map of name to {offset, length, crc}, size}.
export function parseHead(bytes) {
  if (bytes.length < 4 || viewOf(bytes).getUint32(0, true) !== MAGIC) {
    throw new GszError("magic", hex(bytes.subarray(0, 4)), "89 47 53 5a");
  }
  if (bytes.length < FIXED_BYTES) throw new GszError("head", `${bytes.length} bytes`, "24 at least");
  const view = viewOf(bytes);
  const version = view.getUint8(4);
  const flags = view.getUint8(5);
  if (version > VERSION) throw new GszError("version", version, `${VERSION} at most`);
  if (version !== VERSION || flags & ~HEADER_IS_ZSTD) {
    throw new GszError("version", `${version}, flags ${flags}`);
  }
  const count = view.getUint16(6, true);
  const [stored, text, indexSize] = [8, 12, 16].map((at) => view.getUint32(at, true));
  limit("header", stored, MAX_HEADER);
  limit("header", text, MAX_HEADER);
  limit("index", indexSize, MAX_INDEX);
  const start = FIXED_BYTES + stored + indexSize;
  if (start > bytes.length) {
    throw new GszError("head", `a file of ${bytes.length} bytes`, `${start} at least`);
  }
  const crc = crc32(bytes.subarray(FIXED_BYTES, start), crc32(bytes.subarray(0, 20)));
  if (crc !== view.getUint32(20, true)) throw new GszError("header", "a wrong CRC");
  const header = parseHeader(
    bytes.subarray(FIXED_BYTES, FIXED_BYTES + stored), text, (flags & HEADER_IS_ZSTD) !== 0);
  return { header, ...parseIndex(bytes.subarray(FIXED_BYTES + stored, start), count, start) };
}

// The checked bytes of one chunk of a head's file, of which at least that chunk is in `bytes`.
export function readChunk(bytes, head, name) {
  const entry = head.entries.get(name);
  if (entry === undefined) throw new GszError(`chunk '${name}'`, "missing");
  const data = bytes.subarray(entry.offset, entry.offset + entry.length);
  if (data.length !== entry.length) {
    throw new GszError(`chunk '${name}'`, `${data.length} bytes`, entry.length);
  }
  if (crc32(data) !== entry.crc) throw new GszError(`chunk '${name}'`, "a wrong CRC");
  return data;
}

function parseIndex(index, count, start) {
  const view = viewOf(index);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const entries = new Map();
  let position = 0;
  let offset = start;
  const take = (size) => {
    if (size > index.length - position) throw new GszError("index", "a damaged entry");
    position += size;
    return position - size;
  };
  const takeName = () => {
    const size = index[take(1)];
    const at = take(size);
    try {
      if (size > 0) return decoder.decode(index.subarray(at, at + size));
    } catch { /* below */ }
    throw new GszError("index", "a damaged name");
  };
  for (let number = 0; number < count; ++number) {
    const name = takeName();
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift > 42) throw new GszError("index", "a length out of range");
      const octet = index[take(1)];
      length += (octet & 0x7f) * 2 ** shift;
      if (octet < 0x80) break;
    }
    const crc = view.getUint32(take(4), true);
    if (entries.has(name)) throw new GszError(`chunk '${name}'`, "two of that name");
    entries.set(name, { offset, length, crc });
    offset += length;
    if (!Number.isSafeInteger(offset)) throw new GszError("index", "a length out of range");
  }
  if (position !== index.length) {
    throw new GszError("index", `${index.length - position} bytes left over`);
  }
  return { entries, size: offset };
}

// Refuse a file that is not exactly as long as its index says.
export function checkSize(head, size) {
  if (size < head.size) throw new GszError("end", `${size} bytes`, head.size);
  if (size > head.size) throw new GszError("end", `${size - head.size} bytes after the last chunk`);
}

function limit(name, size, most) {
  if (size > most) throw new GszError(name, `${size} bytes`, `${most} at most`);
}

function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hex(bytes) {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");
}
