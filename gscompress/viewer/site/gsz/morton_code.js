// Morton codes, 10 bits of each axis at a time.

// The low 10 bits of x, y and z, interleaved: 30 bits.
export function spread(x, y, z) {
  return spreadOne(x) | (spreadOne(y) << 1) | (spreadOne(z) << 2);
}

// Every third bit of 30.
export function gather(v) {
  v &= 0x09249249;
  v = (v | (v >> 2)) & 0x030c30c3;
  v = (v | (v >> 4)) & 0x0300f00f;
  v = (v | (v >> 8)) & 0x030000ff;
  return (v | (v >> 16)) & 0x3ff;
}

function spreadOne(v) {
  v &= 0x3ff;
  v = (v | (v << 16)) & 0x030000ff;
  v = (v | (v << 8)) & 0x0300f00f;
  v = (v | (v << 4)) & 0x030c30c3;
  return (v | (v << 2)) & 0x09249249;
}
