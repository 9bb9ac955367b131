// Stage 4: front-to-back blending of the splats of a tile.
#pragma once

#include "kernels.h"
#include "tile.h"

namespace gscompress::raster::GSC_SIMD {

struct BlendStrip {
  Light light;
  Floats color[3];
};

// Light everywhere, no colour yet. Returns the strips that are in the image.
GSC_INLINE uint32_t start_blend(const TileArea& area, BlendStrip* strips) {
  __builtin_memset(static_cast<void*>(strips), 0, kStrips * sizeof(BlendStrip));
  return start_tile(area, [&](int s) -> Light& { return strips[s].light; });
}

GSC_INLINE void write_tile(const View& view, const TileArea& area, BlendStrip* strips,
                           const Image& image) {
  for (int s = 0; s < kStrips; s += kStripRows) {
    BlendStrip& strip = strips[s];
    const Floats left = strip.light.left();
    for (int c = 0; c < 3; ++c) strip.color[c] += left * view.background[c];
    strip.light.passing = Floats(1.0f) - left;
  }
  const auto* values = reinterpret_cast<const float*>(strips);
  area.for_each_pixel([&](int s, int lane, size_t pixel) {
    const float* v = values + s * 4 * kLanes + lane;
    image.alpha[pixel] = v[0];
    float* out = image.color + 3 * pixel;
    out[0] = v[kLanes];
    out[1] = v[2 * kLanes];
    out[2] = v[3 * kLanes];
  });
}

inline void blend_tile(const View& view, const TileLists& lists, int tile, const Image& image) {
  const TileArea area(view, tile);
  BlendStrip strips[kStrips];
  uint32_t alive = start_blend(area, strips);
  const auto blend = [&](Pair, const Splat& splat, uint32_t todo) {
    const Floats r(splat.color[0]), g(splat.color[1]), b(splat.color[2]);
    for (int half = 0; half < 2; ++half) {
      if (!touches(todo, half)) continue;
      for_each_strip(splat, area, todo, half, alive, [&](const HalfSplat& seen, int s) {
        BlendStrip& strip = strips[s];
        Mask on;
        const Floats weight = strip.light.take(seen.alpha(), on);
        strip.color[0] += weight * r;
        strip.color[1] += weight * g;
        strip.color[2] += weight * b;
        return any(on);
      });
    }
  };
  for_each_pair(lists, tile, alive, blend, [](Pair) {}, [](Pair) {});
  write_tile(view, area, strips, image);
}

}  // namespace gscompress::raster::GSC_SIMD
