// CRC-32 as zlib computes it, four bytes at a time.

const TABLES = Array.from({ length: 4 }, () => new Int32Array(256));
for (let n = 0; n < 256; ++n) {
  let c = n;
  for (let k = 0; k < 8; ++k) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  TABLES[0][n] = c;
}
for (let n = 0; n < 256; ++n) {
  for (let t = 1; t < 4; ++t) {
    const c = TABLES[t - 1][n];
    TABLES[t][n] = (c >>> 8) ^ TABLES[0][c & 255];
  }
}
const [T0, T1, T2, T3] = TABLES;

export function crc32(bytes, before = 0) {
  let c = ~before;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    c ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    c = T3[c & 255] ^ T2[(c >>> 8) & 255] ^ T1[(c >>> 16) & 255] ^ T0[c >>> 24];
  }
  for (; i < bytes.length; ++i) c = (c >>> 8) ^ T0[(c ^ bytes[i]) & 255];
  return ~c >>> 0;
}
