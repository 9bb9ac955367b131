#include "neighbours.h"

#include <algorithm>

#include "morton.h"

namespace gscompress {
namespace {

uint64_t square_of_difference(uint32_t a, uint32_t b) {
  const int64_t d = static_cast<int64_t>(a) - static_cast<int64_t>(b);
  return static_cast<uint64_t>(d * d);
}

struct Nearest {
  const uint32_t* positions;
  const uint32_t* p;
  size_t index = 0;
  uint64_t distance = UINT64_MAX;

  void offer(size_t j) {
    const uint32_t* q = positions + 3 * j;
    const uint64_t d = square_of_difference(p[0], q[0]) + square_of_difference(p[1], q[1]) +
                       square_of_difference(p[2], q[2]);
    if (d < distance) {
      distance = d;
      index = j;
    }
  }
};

// The Gaussians of the levels so far along the Morton curve.
class Curve {
 public:
  explicit Curve(const uint32_t* positions) : positions_(positions) {}

  void add(size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) places_.push_back({code(i), i});
    std::sort(places_.begin(), places_.end());
  }

  // Offers `reach` Gaussians on either side of Gaussian i.
  void offer(size_t i, size_t reach, Nearest& nearest) const {
    const auto at = std::lower_bound(places_.begin(), places_.end(), Place{code(i), 0});
    const size_t middle = static_cast<size_t>(at - places_.begin());
    const size_t last = std::min(middle + reach, places_.size());
    for (size_t k = middle > reach ? middle - reach : 0; k < last; ++k) {
      nearest.offer(places_[k].index);
    }
  }

 private:
  struct Place {
    uint64_t code;
    size_t index;
    auto operator<=>(const Place&) const = default;
  };

  uint64_t code(size_t i) const {
    const uint32_t* p = positions_ + 3 * i;
    return morton_encode(p[0], p[1], p[2]);
  }

  const uint32_t* positions_;
  std::vector<Place> places_;
};

}  // namespace

void nearest_before(const uint32_t* positions, const std::vector<size_t>& levels, size_t window,
                    int32_t* references, uint64_t* distance) {
  Curve earlier(positions);
  size_t begin = 0;
  for (const size_t end : levels) {
    for (size_t i = begin; i < end; ++i) {
      Nearest nearest{positions, positions + 3 * i};
      const size_t first = i > begin + window ? i - window : begin;
      for (size_t j = i; j-- > first;) nearest.offer(j);
      if (begin > 0) earlier.offer(i, window / 2, nearest);
      references[i] = static_cast<int32_t>(nearest.index);
      distance[i] = i ? nearest.distance : 0;
    }
    if (end != levels.back()) earlier.add(begin, end);
    begin = end;
  }
}

void resolve_references(const int32_t* residuals, const int32_t* references, const bool* trusted,
                        const bool* used, size_t count, int32_t* values) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t predicted = trusted[i] && i > 0 ? values[references[i]] : 0;
    values[i] = used[i] ? static_cast<int32_t>(static_cast<uint32_t>(residuals[i]) +
                                               static_cast<uint32_t>(predicted))
                        : 0;
  }
}

}  // namespace gscompress
