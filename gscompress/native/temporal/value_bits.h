// The bits that an integer is coded as.
#pragma once
#include <algorithm>
#include <cstdint>

#include "../context/plane_math.h"

namespace gscompress {

inline constexpr int kUnaryNodes = 20;
inline constexpr int kMantissaNodes = 8;
inline constexpr int kNodes = 2 + kUnaryNodes + kMantissaNodes;
inline constexpr int kMaxExponent = 31;

// The bits of a value: zero flag, sign, exponent in unary, bits below the leading one.
// `bit(node, wanted)` codes one with a model, `raw(wanted)` one without; false: no such value.
template <class Bit, class Raw>
bool walk_value(int32_t& value, Bit bit, Raw raw) {
  if (!bit(0, value != 0)) {
    value = 0;
    return true;
  }
  const bool negative = bit(1, value < 0);
  const uint32_t wanted = magnitude_of(value);
  const int wanted_exponent = bit_width(wanted) - 1;
  int exponent = 0;
  while (bit(2 + std::min(exponent, kUnaryNodes - 1), wanted_exponent > exponent)) {
    if (++exponent == kMaxExponent) return false;
  }
  uint32_t magnitude = 1;
  for (int k = exponent - 1; k >= 0; --k) {
    const int b = (wanted >> k) & 1;
    const bool modelled = k == exponent - 1 && exponent <= kMantissaNodes;
    magnitude = magnitude << 1 |
                static_cast<uint32_t>(modelled ? bit(1 + kUnaryNodes + exponent, b) : raw(b));
  }
  value = static_cast<int32_t>(negative ? 0u - magnitude : magnitude);
  return true;
}

}  // namespace gscompress
