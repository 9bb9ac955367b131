#include "neighbours.h"

namespace gscompress {
namespace {

uint64_t square_of_difference(uint32_t a, uint32_t b) {
  const int64_t d = static_cast<int64_t>(a) - static_cast<int64_t>(b);
  return static_cast<uint64_t>(d * d);
}

}  // namespace

void nearest_before(const uint32_t* positions, size_t count, size_t window, int32_t* references,
                    uint64_t* distance) {
  for (size_t i = 0; i < count; ++i) {
    const uint32_t* p = positions + 3 * i;
    const size_t first = i > window ? i - window : 0;
    size_t best[2] = {0, 0};
    uint64_t best_distance[2] = {UINT64_MAX, UINT64_MAX};
    for (size_t j = i; j-- > first;) {
      const uint32_t* q = positions + 3 * j;
      const uint64_t d = square_of_difference(p[0], q[0]) + square_of_difference(p[1], q[1]) +
                         square_of_difference(p[2], q[2]);
      if (d < best_distance[0]) {
        best[1] = best[0];
        best_distance[1] = best_distance[0];
        best[0] = j;
        best_distance[0] = d;
      } else if (d < best_distance[1]) {
        best[1] = j;
        best_distance[1] = d;
      }
    }
    references[2 * i] = static_cast<int32_t>(best[0]);
    references[2 * i + 1] = static_cast<int32_t>(best[1]);
    distance[i] = i ? best_distance[0] : 0;
  }
}

void resolve_references(const int32_t* residuals, const int32_t* references, const bool* trusted,
                        const bool* used, size_t count, int32_t* values) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t predicted = trusted[i] && i > 0 ? values[references[2 * i]] : 0;
    values[i] = used[i] ? static_cast<int32_t>(static_cast<uint32_t>(residuals[i]) +
                                               static_cast<uint32_t>(predicted))
                        : 0;
  }
}

}  // namespace gscompress
