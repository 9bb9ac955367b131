// What each splat finds in front of it, and where it prevails: the scores that need more than
// blending weights. A pass of its own, because few ask for it.
#pragma once

#include "blend_kernel.h"
#include "kernels.h"
#include "tile.h"

namespace gscompress::raster::GSC_SIMD {

// A slot: sum of what passes to the splat over the pixels that it hits, and the number of pixels
// where it weighs more than all others (of equals the first).
inline constexpr int kOcclusionSlot = 2;

struct OcclusionStrip {
  Light light;
  Floats largest;  // weight so far
  Floats winner;   // bits: number of its pair in the tile
};

GSC_INLINE float bits_of(uint32_t number) {
  float bits;
  __builtin_memcpy(&bits, &number, sizeof bits);
  return bits;
}

inline void occlusion_tile(const View& view, const TileLists& lists, int tile, const Image&,
                           const Slots& slots) {
  const TileArea area(view, tile);
  OcclusionStrip strips[kStrips];
  __builtin_memset(static_cast<void*>(strips), 0, sizeof strips);
  uint32_t alive = start_tile(area, [&](int s) -> Light& { return strips[s].light; });
  const SlotWriter<kOcclusionSlot> writer{slots};
  const Pair* const first = lists.pairs + lists.begins[tile];
  const auto visit = [&](const Pair& pair, const Splat& splat, uint32_t todo) {
    const Floats number(bits_of(static_cast<uint32_t>(&pair - first)));
    Floats passed(0.0f);
    for (int half = 0; half < 2; ++half) {
      if (!touches(todo, half)) continue;
      for_each_strip(splat, area, todo, half, alive, [&](const HalfSplat& seen, int s) {
        OcclusionStrip& strip = strips[s];
        const Floats before = strip.light.passing;
        Mask on;
        const Floats weight = strip.light.take(seen.alpha(), on);
        passed += keep(weight > 0.0f, before);
        const Mask wins = weight > strip.largest;
        strip.largest = max(weight, strip.largest);
        strip.winner = select(wins, number, strip.winner);
        return any(on);
      });
    }
    float* out = writer.at(pair);
    out[0] = sum(passed);
    out[1] = 0;
  };
  for_each_pair(
      lists, tile, alive, visit, [&](Pair pair) { writer.clear(pair); },
      [&](Pair pair) { writer.prefetch(pair); });
  constexpr int kFloats = sizeof(OcclusionStrip) / sizeof(Floats);
  const auto* values = reinterpret_cast<const float*>(strips);
  area.for_each_pixel([&](int s, int lane, size_t) {
    const float* v = values + s * kFloats * kLanes + lane;
    if (!(v[kLanes] > 0)) return;
    uint32_t number;
    __builtin_memcpy(&number, v + 2 * kLanes, sizeof number);
    writer.at(first[number])[1] += 1;
  });
}

// Adds the slots of the splats [begin, end) to the sums of their Gaussians.
inline void add_occlusion(const Splat* splats, const Slots& slots, size_t begin, size_t end,
                          const ScoreSums& out) {
  for (size_t i = begin; i < end; ++i) {
    double passed = 0;
    int64_t pixels = 0;
    const size_t first = slots.first[i], last = first + slots.count[i];
    for (size_t slot = first; slot < last; ++slot) {
      const float* v = slots.values + slot * kOcclusionSlot;
      passed += static_cast<double>(v[0]);
      pixels += static_cast<int64_t>(v[1]);
    }
    out.transmittance_sum[splats[i].id] += passed;
    out.dominated[splats[i].id] += pixels;
  }
}

}  // namespace gscompress::raster::GSC_SIMD
