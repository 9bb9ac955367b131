// Stage 4: front-to-back blending of the splats of a tile.
#pragma once

#include "kernels.h"
#include "tile.h"

namespace gscompress::raster::GSC_SIMD {

struct TileColor {
  Floats channel[3][kStrips];
};

GSC_INLINE void write_tile(const View& view, const TileArea& area, const TileLight& light,
                           const TileColor& color, const Image& image) {
  const float* background = view.background;
  for (int row = 0; row < area.height; ++row) {
    for (int half = 0; half * kHalf < area.width; ++half) {
      const int strip = TileLight::strip(half, row);
      alignas(64) float through[kLanes], channel[3][kLanes];
      const Floats t = light.passing[strip] + light.passed[strip];
      store(through, Floats(1.0f) - t);
      for (int c = 0; c < 3; ++c) store(channel[c], color.channel[c][strip] + t * background[c]);
      const int count = area.width - half * kHalf < kHalf ? area.width - half * kHalf : kHalf;
      const int first = row % kStripRows * kHalf;
      const size_t pixel = static_cast<size_t>(area.y + row) * static_cast<size_t>(view.width) +
                           static_cast<size_t>(area.x + half * kHalf);
      for (int i = 0; i < count; ++i) {
        float* out = image.color + 3 * (pixel + static_cast<size_t>(i));
        for (int c = 0; c < 3; ++c) out[c] = channel[c][first + i];
        image.alpha[pixel + static_cast<size_t>(i)] = through[first + i];
      }
    }
  }
}

inline void blend_tile(const View& view, const TileLists& lists, int tile, const Image& image) {
  const TileArea area(view, tile);
  TileLight light(area);
  TileColor color;
  for (auto& channel : color.channel) {
    for (auto& strip : channel) strip = Floats(0.0f);
  }
  const Pair* const end = lists.pairs + lists.begins[tile + 1];
  for (const Pair* pair = lists.pairs + lists.begins[tile]; pair < end && light.alive; ++pair) {
    if (pair + 6 < end) __builtin_prefetch(&lists.splats[pair[6].splat()]);
    const uint32_t strips = strips_of_rows(pair->rows()) & light.alive;
    const Splat& splat = lists.splats[pair->splat()];
    const Floats r(splat.color[0]), g(splat.color[1]), b(splat.color[2]);
    for (int half = 0; half < 2; ++half) {
      uint32_t rows = strips >> (16 * half) & 0xffff;
      if (!rows) continue;
      const HalfSplat seen(splat, area, half);
      for (; rows; rows &= rows - 1) {
        const int row = __builtin_ctz(rows);
        const int s = TileLight::strip(half, row);
        const Floats y = seen.exponent(seen.offset_y(row));
        const Floats alpha = keep(y > kLog2AlphaMin, min(exp2_8(y), kAlphaMax));
        Floats weight = alpha * light.passing[s];
        Floats next = light.passing[s] - weight;
        const uint32_t done = bits(next <= kStop) ^ light.finished[s];
        if (__builtin_expect(done != 0, 0)) light.finish(half, row, done, weight, next);
        light.passing[s] = next;
        color.channel[0][s] += weight * r;
        color.channel[1][s] += weight * g;
        color.channel[2][s] += weight * b;
      }
    }
  }
  write_tile(view, area, light, color, image);
}

}  // namespace gscompress::raster::GSC_SIMD
