// How the blending kernels walk a tile: strips of kLanes pixels, half by half.
//
// A strip is 8 pixels wide and kStripRows high, so that no lane is spent on the half of a tile that
// a small splat does not touch. Strips are numbered by their first pixel: row in half 0, 16 + row
// in half 1; with two rows to a strip only the even numbers are used.
#pragma once

#include "simd.h"
#include "types.h"

namespace gscompress::raster::GSC_SIMD {

inline constexpr int kStripRows = kLanes / kHalf;
inline constexpr int kStrips = 2 * kTile;  // numbers of strips

GSC_INLINE int strip_of(int half, int row) { return half * kTile + row; }

// Bits of the strips that a pair covers.
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
  int x, y;             // first pixel
  int width, height;    // pixels inside of the image
  size_t first, pitch;  // index of the first pixel, pixels to the next row

  GSC_INLINE TileArea(const View& view, int tile)
      : x(tile % view.tiles_x * kTile),
        y(tile / view.tiles_x * kTile),
        width(view.width - x < kTile ? view.width - x : kTile),
        height(view.height - y < kTile ? view.height - y : kTile),
        first(static_cast<size_t>(y) * static_cast<size_t>(view.width) + static_cast<size_t>(x)),
        pitch(static_cast<size_t>(view.width)) {}

  // Calls visit(strip, lane, pixel) for every pixel inside of the image.
  template <class Visit>
  GSC_INLINE void for_each_pixel(const Visit& visit) const {
    for (int row = 0; row < height; ++row) {
      for (int half = 0; half * kHalf < width; ++half) {
        const int count = width - half * kHalf < kHalf ? width - half * kHalf : kHalf;
        const size_t pixel =
            first + static_cast<size_t>(row) * pitch + static_cast<size_t>(half * kHalf);
        const int strip = strip_of(half, row / kStripRows * kStripRows);
        const int lane = row % kStripRows * kHalf;
        for (int i = 0; i < count; ++i) visit(strip, lane + i, pixel + static_cast<size_t>(i));
      }
    }
  }
};

// What the pixels of a strip still let through; negative, to mark them, in finished pixels (and in
// those outside of the image), which take no more splats.
//
// Nothing here branches: pixels finish at unpredictable moments, all over the image.
struct Light {
  Floats passing;

  GSC_INLINE Floats left() const { return max(passing, -passing); }

  // Lets a splat of opacity `alpha` take its share. Returns its weight, which is 0 in pixels that
  // are finished by it (it does not count there) or before; `on` are the others.
  GSC_INLINE Floats take(Floats alpha, Mask& on) {
    const Floats weight = alpha * passing;
    const Floats next = passing - weight;
    on = next > kStop;
    passing = select(on, next, as_negative(passing));
    return keep(on, weight);
  }
};

// Strips that are not finished, for a tile whose pixels outside of the image never start.
template <class LightAt>
GSC_INLINE uint32_t start_tile(const TileArea& area, const LightAt& light) {
  alignas(64) float lanes[kStrips][kLanes];
  for (auto& strip : lanes) {
    for (float& lane : strip) lane = -1.0f;
  }
  uint32_t alive = 0;
  area.for_each_pixel([&](int s, int lane, size_t) {
    lanes[s][lane] = 1.0f;
    alive |= 1u << s;
  });
  for (int s = 0; s < kStrips; ++s) light(s).passing = load(lanes[s]);
  return alive;
}

// A splat in the columns of one half of a tile, on the way down from row to row.
struct HalfSplat {
  Floats dx, dy;  // from the splat's centre to the pixels of the strip at hand
  Floats row_terms, cross, yy;

  GSC_INLINE HalfSplat(const Splat& s, const TileArea& area, int half, int row)
      : dx(lane_x() + (static_cast<float>(area.x + half * kHalf) + 0.5f - s.x)),
        dy(lane_y() + (static_cast<float>(area.y + row) + 0.5f - s.y)),
        row_terms(dx * dx * s.xx + s.peak),
        cross(dx * s.xy),
        yy(s.yy) {}

  GSC_INLINE void next_strip() { dy += static_cast<float>(kStripRows); }

  // Opacity at the pixels of the strip, not cut, and where it is enough to count.
  GSC_INLINE Floats raw_alpha(Mask& counts) const {
    const Floats e = row_terms + dy * (cross + dy * yy);
    counts = e > kLog2AlphaMin;
    return exp2_8(e);
  }
  GSC_INLINE Floats alpha() const {
    Mask counts;
    const Floats raw = raw_alpha(counts);
    return keep(counts, min(raw, kAlphaMax));
  }
};

// Calls visit(seen, strip) for the strips of `todo` in one half, from the first to the last one;
// finished ones between them are visited too. visit returns whether the strip goes on. Returns the
// offsets of the half's columns from the splat.
template <class Visit>
GSC_INLINE Floats for_each_strip(const Splat& splat, const TileArea& area, uint32_t todo, int half,
                                 uint32_t& alive, const Visit& visit) {
  const uint32_t rows = todo >> (half * kTile) & 0xffff;
  const int first = __builtin_ctz(rows), last = 31 - __builtin_clz(rows);
  HalfSplat seen(splat, area, half, first);
  const int end = strip_of(half, last);
  for (int s = strip_of(half, first); s <= end; s += kStripRows, seen.next_strip()) {
    // A branch, so that the next splat need not wait for this one's arithmetic.
    if (__builtin_expect(!visit(seen, s), 0)) alive &= ~(1u << s);
  }
  return seen.dx;
}
GSC_INLINE bool touches(uint32_t strips, int half) {
  return (strips >> (half * kTile) & 0xffff) != 0;
}

// The pairs of a tile, front to back: calls visit(pair, splat, strips) for those with strips that
// are not finished, skip(pair) for the others, and ahead(pair) somewhat before either.
template <class Visit, class Skip, class Ahead>
GSC_INLINE void for_each_pair(const TileLists& lists, int tile, const uint32_t& alive,
                              const Visit& visit, const Skip& skip, const Ahead& ahead) {
  constexpr int kFar = 6, kNear = 3;  // pairs
  const Pair* const end = lists.pairs + lists.begins[tile + 1];
  const Pair* pair = lists.pairs + lists.begins[tile];
  for (; pair < end && alive; ++pair) {
    if (pair + kFar < end) {
      __builtin_prefetch(&lists.splats[pair[kFar].splat()]);
      ahead(pair[kNear]);
    }
    const uint32_t strips = strips_of_rows(pair->rows()) & alive;
    if (strips)
      visit(*pair, lists.splats[pair->splat()], strips);
    else
      skip(*pair);
  }
  for (; pair < end; ++pair) skip(*pair);
}

// Slots of kSize floats, as the tiles fill them.
template <int kSize>
struct SlotWriter {
  const Slots& slots;

  GSC_INLINE float* at(Pair pair) const {
    return slots.values + (size_t{slots.first[pair.splat()]} + pair.high()) * kSize;
  }
  GSC_INLINE void clear(Pair pair) const {
    float* slot = at(pair);
    for (int k = 0; k < kSize; ++k) slot[k] = 0;
  }
  GSC_INLINE void prefetch(Pair pair) const {
    const float* slot = at(pair);
    __builtin_prefetch(slot, 1);
    __builtin_prefetch(slot + kSize - 1, 1);
  }
};

// As above, for tiles that fill slots: clears those of skipped pairs.
template <int kSize, class Visit>
GSC_INLINE void for_each_slot(const TileLists& lists, int tile, const uint32_t& alive,
                              const SlotWriter<kSize>& slots, const Visit& visit) {
  for_each_pair(
      lists, tile, alive,
      [&](Pair pair, const Splat& splat, uint32_t strips) { visit(splat, strips, slots.at(pair)); },
      [&](Pair pair) { slots.clear(pair); }, [&](Pair pair) { slots.prefetch(pair); });
}

}  // namespace gscompress::raster::GSC_SIMD
