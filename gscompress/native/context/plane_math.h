// Small integer functions that the plane models share.
#pragma once
#include <cstdint>

namespace gscompress {

inline int bit_width(uint32_t x) { return x == 0 ? 0 : 32 - __builtin_clz(x); }

inline int bucket(uint32_t x) {  // 0, 1, 2, 3-4, 5-8, 9-16, 17-32, more
  if (x < 3) return static_cast<int>(x);
  const int b = bit_width(x - 1) + 1;
  return b < 7 ? b : 7;
}

inline uint32_t magnitude_of(int32_t x) {
  return x < 0 ? 0u - static_cast<uint32_t>(x) : static_cast<uint32_t>(x);
}

// The sign of x and about its size: 0..14.
inline uint8_t tilt_of(int32_t x) {
  const int size = bucket(magnitude_of(x));
  return static_cast<uint8_t>((x > 0) - (x < 0) + 1 + 3 * (size < 4 ? size : 4));
}

inline uint32_t distance(int32_t a, int32_t b) {
  const int64_t d = static_cast<int64_t>(a) - b;
  return static_cast<uint32_t>(d < 0 ? -d : d);
}

inline int32_t wrapped_sum(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

inline int32_t wrapped_difference(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b));
}

// A sum in quarters, of which the past fades by a quarter at each step.
inline uint16_t fade(uint16_t sum, uint32_t added) {
  return static_cast<uint16_t>(sum - sum / 4u + 4 * (added < 255 ? added : 255));
}

}  // namespace gscompress
