#include "neighbours.h"

#include <algorithm>
#include <cstddef>

#include "../rasterizer/threads.h"
#include "morton.h"

namespace gscompress {
namespace {

uint64_t square_of_difference(uint32_t a, uint32_t b) {
  const int64_t d = static_cast<int64_t>(a) - static_cast<int64_t>(b);
  return static_cast<uint64_t>(d * d);
}

struct Nearest {
  const uint32_t* p;
  size_t index = 0;
  uint64_t distance = UINT64_MAX;

  void offer(size_t j, const uint32_t* q) {
    const uint64_t d = square_of_difference(p[0], q[0]) + square_of_difference(p[1], q[1]) +
                       square_of_difference(p[2], q[2]);
    if (d < distance) {
      distance = d;
      index = j;
    }
  }
};

uint64_t code_of(const uint32_t* p) { return morton_encode(p[0], p[1], p[2]); }

// The Gaussians of the levels so far along the Morton curve.
class Curve {
  struct Place {
    uint64_t code;
    uint32_t index;
    uint32_t position[3];
    bool operator<(const Place& other) const {
      return code != other.code ? code < other.code : index < other.index;
    }
  };

 public:
  // Of at most `count` Gaussians.
  Curve(const uint32_t* positions, size_t count) : positions_(positions) { places_.reserve(count); }

  void add(size_t begin, size_t end) {
    const auto before = static_cast<std::ptrdiff_t>(places_.size());
    for (size_t i = begin; i < end; ++i) {
      const uint32_t* p = positions_ + 3 * i;
      places_.push_back({code_of(p), static_cast<uint32_t>(i), {p[0], p[1], p[2]}});
    }
    const auto middle = places_.begin() + before;
    if (!std::is_sorted(middle, places_.end())) std::sort(middle, places_.end());
    std::inplace_merge(places_.begin(), middle, places_.end());
  }

  // Walks along the curve, fast where one position follows the other.
  class Walk {
   public:
    explicit Walk(const Curve& curve) : places_(curve.places_) {}

    // Offers `reach` Gaussians on either side.
    void offer(size_t reach, Nearest& nearest) {
      go_to(code_of(nearest.p));
      const size_t last = std::min(at_ + reach, places_.size());
      for (size_t k = at_ > reach ? at_ - reach : 0; k < last; ++k) {
        nearest.offer(places_[k].index, places_[k].position);
      }
    }

   private:
    // The first place whose code is not below `code`.
    void go_to(uint64_t code) {
      const size_t few = std::min(at_ + 8, places_.size());
      const bool behind = at_ > 0 && places_[at_ - 1].code >= code;
      while (!behind && at_ < few && places_[at_].code < code) ++at_;
      if (!behind && (at_ < few || at_ == places_.size())) return;
      const auto from = places_.begin() + static_cast<std::ptrdiff_t>(behind ? 0 : at_);
      const auto found = std::lower_bound(from, places_.end(), Place{code, 0, {}});
      at_ = static_cast<size_t>(found - places_.begin());
    }

    const std::vector<Place>& places_;
    size_t at_ = 0;
  };

 private:
  const uint32_t* positions_;
  std::vector<Place> places_;
};

}  // namespace

void nearest_before(const uint32_t* positions, const std::vector<size_t>& levels, size_t window,
                    int threads, int32_t* references, uint64_t* distance) {
  Curve earlier(positions, levels.size() < 2 ? 0 : levels[levels.size() - 2]);
  size_t begin = 0;
  for (const size_t end : levels) {
    raster::parallel(threads, [&](int thread) {
      const raster::Range range(end - begin, thread, threads);
      Curve::Walk walk(earlier);
      for (size_t i = begin + range.begin; i < begin + range.end; ++i) {
        Nearest nearest{positions + 3 * i};
        const size_t first = i > begin + window ? i - window : begin;
        for (size_t j = i; j-- > first;) nearest.offer(j, positions + 3 * j);
        if (begin > 0) walk.offer(window / 2, nearest);
        references[i] = static_cast<int32_t>(nearest.index);
        distance[i] = i ? nearest.distance : 0;
      }
    });
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
