// Stage 3: which rows of which tiles a splat covers, exactly: the ellipse of alpha >= 1/255.
#pragma once

#include "kernels.h"
#include "simd.h"

namespace gscompress::raster::GSC_SIMD {

GSC_INLINE float min(float a, float b) { return a < b ? a : b; }
GSC_INLINE float max(float a, float b) { return a > b ? a : b; }
GSC_INLINE int min(int a, int b) { return a < b ? a : b; }
GSC_INLINE int max(int a, int b) { return a > b ? a : b; }

// Pixels, first and last, whose centres lie in [low, high], cut to 0 .. size - 1.
struct Span {
  int first, last;
  GSC_INLINE bool empty() const { return first > last; }
};
GSC_INLINE Span pixels_between(float low, float high, int size) {
  const float limit = static_cast<float>(size);
  const float a = __builtin_ceilf(max(low - 0.5f, -1.0f));
  const float b = __builtin_floorf(min(high - 0.5f, limit));
  return {max(static_cast<int>(max(min(a, limit), -1.0f)), 0),
          min(static_cast<int>(max(b, -1.0f)), size - 1)};
}

// Rows that the splat covers in the columns whose pixel centres lie in [left, right].
GSC_INLINE Span rows_between(const Splat& s, float left, float right, int height) {
  constexpr float kSlack = 1e-3f;  // pixels, against rounding: tests of alpha decide in the end
  const float low = max(left - s.x, -s.half_x), high = min(right - s.x, s.half_x);
  const auto root = [&s](float dx) {
    return s.reach * __builtin_sqrtf(max(0.0f, s.half_x * s.half_x - dx * dx));
  };
  const float bottom = min(max(s.top_x, low), high), top = min(max(-s.top_x, low), high);
  return pixels_between(s.y + s.slope * top - root(top) - kSlack,
                        s.y + s.slope * bottom + root(bottom) + kSlack, height);
}

// The span cut to a tile row, as first row << 4 | last row; 0xf0, an empty one, if there is none.
GSC_INLINE uint32_t rows_in_tile(Span rows, int tile_row) {
  const int first = max(rows.first - tile_row * kTile, 0);
  const int last = min(rows.last - tile_row * kTile, kTile - 1);
  return first <= last ? static_cast<uint32_t>(first << 4 | last) : 0xf0u;
}

inline constexpr uint32_t kNoRows = 0xf0f0;

GSC_INLINE size_t bin_splat(const View& view, const Splat& s, uint32_t index, Pair* out,
                            uint32_t* tile_counts, Span columns, Span rows) {
  size_t n = 0;
  for (int tx = columns.first / kTile; tx <= columns.last / kTile; ++tx) {
    Span half[2];
    for (int h = 0; h < 2; ++h) {
      const int first = max(tx * kTile + h * kHalf, columns.first);
      const int last = min(tx * kTile + h * kHalf + kHalf - 1, columns.last);
      half[h] = {view.height, -1};
      if (first > last) continue;
      const Span covered = rows_between(s, static_cast<float>(first) + 0.5f,
                                        static_cast<float>(last) + 0.5f, view.height);
      if (covered.empty()) continue;
      half[h] = {max(covered.first, rows.first), min(covered.last, rows.last)};
    }
    const int first = min(half[0].first, half[1].first), last = max(half[0].last, half[1].last);
    if (first > last) continue;
    for (int ty = first / kTile; ty <= last / kTile; ++ty) {
      const uint32_t packed = rows_in_tile(half[0], ty) << 8 | rows_in_tile(half[1], ty);
      if (packed == kNoRows) continue;
      const int tile = ty * view.tiles_x + tx;
      ++tile_counts[tile];
      out[n++] = Pair::make(static_cast<uint64_t>(tile), index, packed);
    }
  }
  return n;
}

inline size_t bin_range(BinJob& job) {
  const View& view = *job.view;
  for (; job.begin < job.end; ++job.begin) {
    if (job.begin + 8 < job.end) __builtin_prefetch(&job.splats[job.order[job.begin + 8].splat]);
    const uint32_t index = job.order[job.begin].splat;
    const Splat& s = job.splats[index];
    const Span columns = pixels_between(s.x - s.half_x, s.x + s.half_x, view.width);
    const Span rows = pixels_between(s.y - s.half_y, s.y + s.half_y, view.height);
    size_t n = 0;
    if (!columns.empty() && !rows.empty()) {
      const auto tiles = [](Span p) {
        return static_cast<size_t>(p.last / kTile - p.first / kTile + 1);
      };
      const size_t most = tiles(columns) * tiles(rows);
      if (job.capacity - job.count < most) return most;
      n = bin_splat(view, s, index, job.pairs + job.count, job.tile_counts, columns, rows);
    }
    job.splat_counts[index] = static_cast<uint32_t>(n);
    job.count += n;
  }
  return 0;
}

}  // namespace gscompress::raster::GSC_SIMD
