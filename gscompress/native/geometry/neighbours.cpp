#include "neighbours.h"

#include <algorithm>

namespace gscompress {
namespace {

uint64_t square_of_difference(uint32_t a, uint32_t b) {
  const int64_t d = static_cast<int64_t>(a) - static_cast<int64_t>(b);
  return static_cast<uint64_t>(d * d);
}

}  // namespace

void nearest_before(const uint32_t* positions, size_t count, size_t window, int32_t* reference) {
  for (size_t i = 0; i < count; ++i) {
    const uint32_t* p = positions + 3 * i;
    const size_t first = i > window ? i - window : 0;
    size_t best = i == 0 ? 0 : i - 1;
    uint64_t best_distance = UINT64_MAX;
    for (size_t j = i; j-- > first;) {
      const uint32_t* q = positions + 3 * j;
      const uint64_t distance = square_of_difference(p[0], q[0]) +
                                square_of_difference(p[1], q[1]) +
                                square_of_difference(p[2], q[2]);
      if (distance < best_distance) {
        best_distance = distance;
        best = j;
      }
    }
    reference[i] = static_cast<int32_t>(best);
  }
}

}  // namespace gscompress
