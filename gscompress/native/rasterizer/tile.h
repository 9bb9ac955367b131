// How the blending kernels walk a tile: strips of kLanes pixels, half by half.
//
// A strip is 8 pixels wide and kStripRows high, so that no lane is spent on the half of a tile that a
// small splat does not touch.
#pragma once

#include "simd.h"
#include "types.h"

namespace gscompress::raster::GSC_SIMD {

inline constexpr int kStripRows = kLanes / kHalf;
inline constexpr int kStrips = 2 * kTile / kStripRows;  // of a tile

// Bits of strips: bit `row` of half 0, bit 16 + row of half 1; with two rows to a strip, the even one.
GSC_INLINE uint32_t strips_of_rows(uint32_t packed_rows) {
  const auto mask = [](uint32_t span) {
    const uint32_t first = span >> 4, last = span & 15;
    return first <= last ? (2u << last) - (1u << first) : 0u;
  };
  const uint32_t m = mask(packed_rows >> 8) | mask(packed_rows & 0xff) << 16;
  return kStripRows == 1 ? m : (m | m >> 1) & 0x55555555u;
}

// Offsets of a strip's pixels from its first one.
GSC_INLINE Floats lane_x() {
  if constexpr (kStripRows == 1) return iota();
  alignas(64) static constexpr float kX[16] = {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7};
  return load(kX);
}
GSC_INLINE Floats lane_y() {
  if constexpr (kStripRows == 1) return Floats(0.0f);
  alignas(64) static constexpr float kY[16] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
  return load(kY);
}

// Place of a tile in the image.
struct TileArea {
  int x, y;           // first pixel
  int width, height;  // pixels inside of the image

  GSC_INLINE TileArea(const View& view, int tile)
      : x(tile % view.tiles_x * kTile),
        y(tile / view.tiles_x * kTile),
        width(view.width - x < kTile ? view.width - x : kTile),
        height(view.height - y < kTile ? view.height - y : kTile) {}

  // Lanes of a strip that are pixels of the image.
  GSC_INLINE uint32_t inside(int half, int row) const {
    uint32_t m = 0;
    for (int lane = 0; lane < kLanes; ++lane) {
      const bool in = half * kHalf + lane % kHalf < width && row + lane / kHalf < height;
      m |= static_cast<uint32_t>(in) << lane;
    }
    return m;
  }
};

inline constexpr uint32_t kAllLanes = (1u << kLanes) - 1;

// What the pixels of a tile still let through. A finished lane has passing == 0, so that it gets no
// weight without being tested; what it let through is kept in `passed`.
struct TileLight {
  Floats passing[kStrips];
  Floats passed[kStrips];
  uint32_t finished[kStrips];  // bits of lanes
  uint32_t alive;              // bits of strips

  GSC_INLINE explicit TileLight(const TileArea& area) : alive(0) {
    for (int half = 0; half < 2; ++half) {
      for (int row = 0; row < kTile; row += kStripRows) {
        const uint32_t in = area.inside(half, row);
        const int s = strip(half, row);
        passing[s] = keep(from_bits(in), Floats(1.0f));
        passed[s] = Floats(0.0f);
        finished[s] = kAllLanes & ~in;
        if (in) alive |= 1u << (16 * half + row);
      }
    }
  }

  GSC_INLINE static int strip(int half, int row) { return (16 * half + row) / kStripRows; }

  // Ends the lanes `done` of a strip, whose weight is then taken back.
  GSC_INLINE void finish(int half, int row, uint32_t done, Floats& weight, Floats& next) {
    const int s = strip(half, row);
    const Mask lanes = from_bits(done);
    passed[s] += keep(lanes, passing[s]);
    weight = select(lanes, 0.0f, weight);
    next = select(lanes, 0.0f, next);
    finished[s] |= done;
    if (finished[s] == kAllLanes) alive &= ~(1u << (16 * half + row));
  }
};

// A splat seen from one half of a tile: the terms of its exponent that do not change with the row.
struct HalfSplat {
  Floats dx, row_terms, cross;
  float yy, dy;

  GSC_INLINE HalfSplat(const Splat& s, const TileArea& area, int half)
      : dx(lane_x() + (static_cast<float>(area.x + half * kHalf) + 0.5f - s.x)),
        row_terms(dx * dx * s.xx + s.peak),
        cross(dx * s.xy),
        yy(s.yy),
        dy(static_cast<float>(area.y) + 0.5f - s.y) {}

  GSC_INLINE Floats offset_y(int row) const {
    return lane_y() + (dy + static_cast<float>(row));
  }
  // log2(alpha) / 8, alpha not yet cut.
  GSC_INLINE Floats exponent(Floats y) const { return row_terms + y * (cross + y * yy); }
};

}  // namespace gscompress::raster::GSC_SIMD
