// Morton (Z-order) codes of 3-D integer positions, 21 bits per axis at most.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gscompress {

constexpr int kMortonMaxBits = 21;

// Bit i of x, y, z goes to bit 3i, 3i + 1, 3i + 2 of the code.
uint64_t morton_encode(uint32_t x, uint32_t y, uint32_t z);
void morton_decode(uint64_t code, uint32_t* xyz);

}  // namespace gscompress
