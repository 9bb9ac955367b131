#include "morton.h"

namespace gscompress {
namespace {

// Insert two zero bits after each of the 21 low bits.
uint64_t spread(uint64_t v) {
  v &= 0x1fffff;
  v = (v | v << 32) & 0x1f00000000ffffULL;
  v = (v | v << 16) & 0x1f0000ff0000ffULL;
  v = (v | v << 8) & 0x100f00f00f00f00fULL;
  v = (v | v << 4) & 0x10c30c30c30c30c3ULL;
  return (v | v << 2) & 0x1249249249249249ULL;
}

uint32_t gather(uint64_t v) {
  v &= 0x1249249249249249ULL;
  v = (v | v >> 2) & 0x10c30c30c30c30c3ULL;
  v = (v | v >> 4) & 0x100f00f00f00f00fULL;
  v = (v | v >> 8) & 0x1f0000ff0000ffULL;
  v = (v | v >> 16) & 0x1f00000000ffffULL;
  return static_cast<uint32_t>((v | v >> 32) & 0x1fffff);
}

}  // namespace

uint64_t morton_encode(uint32_t x, uint32_t y, uint32_t z) {
  return spread(x) | spread(y) << 1 | spread(z) << 2;
}

void morton_decode(uint64_t code, uint32_t* xyz) {
  for (int axis = 0; axis < 3; ++axis) xyz[axis] = gather(code >> axis);
}

}  // namespace gscompress
