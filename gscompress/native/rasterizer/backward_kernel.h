// Gradients, part 1: from the image to the splats.
#pragma once

#include "kernels.h"
#include "tile.h"

namespace gscompress::raster::GSC_SIMD {

// A slot of gradients: the colour (3), then sums over pixels of h, h dx, h dx^2, h dy, h dx dy, h
// dy^2 where h = alpha dL/dalpha and (dx, dy) is the pixel's offset from the splat.
inline constexpr int kColorSlot = 3;
inline constexpr int kGradientSlot = 9;

struct BackwardStrip {
  Light light;
  Floats behind;    // dL/dcolor . (what the splats still to come add, and the background)
  Floats color[3];  // dL/dcolor
};

GSC_INLINE void start_strips(const TileArea& area, const RenderedImage& image,
                             const ImageGradient& gradient, BackwardStrip* strips) {
  __builtin_memset(static_cast<void*>(strips), 0, kStrips * sizeof(BackwardStrip));
  auto* values = reinterpret_cast<float*>(strips);
  area.for_each_pixel([&](int s, int lane, size_t pixel) {
    float* v = values + s * 5 * kLanes + lane;
    const float* color = image.color + 3 * pixel;
    const float* by_color = gradient.color + 3 * pixel;
    float behind = 0;
    for (int c = 0; c < 3; ++c) {
      behind += color[c] * by_color[c];
      v[(2 + c) * kLanes] = by_color[c];
    }
    if (gradient.alpha) behind -= (1 - image.alpha[pixel]) * gradient.alpha[pixel];
    v[kLanes] = behind;
  });
}

// Sums over the rows of one half.
struct RowSums {
  Floats h = 0.0f, hy = 0.0f, hyy = 0.0f;
};

// Lets the splat take its light from a strip and adds to the gradients of its colour and shape.
GSC_INLINE bool backward_strip(const HalfSplat& seen, const Floats* splat_color,
                               BackwardStrip& strip, Floats* color, RowSums& rows) {
  Mask counts, on;
  const Floats raw = seen.raw_alpha(counts);
  const Floats alpha = keep(counts, min(raw, kAlphaMax));
  const Floats passing = strip.light.passing;
  const Floats weight = strip.light.take(alpha, on);
  for (int c = 0; c < 3; ++c) color[c] += weight * strip.color[c];
  const Floats own = strip.color[0] * splat_color[0] + strip.color[1] * splat_color[1] +
                     strip.color[2] * splat_color[2];
  strip.behind -= weight * own;
  const Floats by_alpha = passing * own - strip.behind * reciprocal(Floats(1.0f) - alpha);
  const Floats h = keep(on & (raw < kAlphaMax), alpha * by_alpha);
  const Floats hy = h * seen.dy;
  rows.h += h;
  rows.hy += hy;
  rows.hyy += hy * seen.dy;
  return any(on);
}

inline void backward_tile(const View& view, const TileLists& lists, int tile,
                          const RenderedImage& image, const ImageGradient& gradient,
                          const Slots& slots) {
  const TileArea area(view, tile);
  BackwardStrip strips[kStrips];
  start_strips(area, image, gradient, strips);
  uint32_t alive = start_tile(area, [&](int s) -> Light& { return strips[s].light; });
  const SlotWriter<kGradientSlot> writer{slots};
  for_each_slot(lists, tile, alive, writer, [&](const Splat& splat, uint32_t todo, float* out) {
    const Floats splat_color[3] = {splat.color[0], splat.color[1], splat.color[2]};
    Floats sums[kGradientSlot];
    for (Floats& s : sums) s = Floats(0.0f);
    for (int half = 0; half < 2; ++half) {
      if (!touches(todo, half)) continue;
      RowSums rows;
      const Floats dx =
          for_each_strip(splat, area, todo, half, alive, [&](const HalfSplat& seen, int s) {
            return backward_strip(seen, splat_color, strips[s], sums, rows);
          });
      const Floats hx = rows.h * dx;
      sums[3] += rows.h;
      sums[4] += hx;
      sums[5] += hx * dx;
      sums[6] += rows.hy;
      sums[7] += rows.hy * dx;
      sums[8] += rows.hyy;
    }
    sum8(sums, out);
    out[8] = sum(sums[8]);
  });
}

// The same for colours alone.
inline void backward_color_tile(const View& view, const TileLists& lists, int tile,
                                const RenderedImage&, const ImageGradient& gradient,
                                const Slots& slots) {
  struct Strip {
    Light light;
    Floats color[3];
  };
  const TileArea area(view, tile);
  Strip strips[kStrips];
  __builtin_memset(static_cast<void*>(strips), 0, sizeof strips);
  auto* values = reinterpret_cast<float*>(strips);
  area.for_each_pixel([&](int s, int lane, size_t pixel) {
    for (int c = 0; c < 3; ++c)
      values[(s * 4 + 1 + c) * kLanes + lane] = gradient.color[3 * pixel + static_cast<size_t>(c)];
  });
  uint32_t alive = start_tile(area, [&](int s) -> Light& { return strips[s].light; });
  const SlotWriter<kColorSlot> writer{slots};
  for_each_slot(lists, tile, alive, writer, [&](const Splat& splat, uint32_t todo, float* out) {
    Floats sums[3] = {0.0f, 0.0f, 0.0f};
    for (int half = 0; half < 2; ++half) {
      if (!touches(todo, half)) continue;
      for_each_strip(splat, area, todo, half, alive, [&](const HalfSplat& seen, int s) {
        Mask on;
        const Floats weight = strips[s].light.take(seen.alpha(), on);
        for (int c = 0; c < 3; ++c) sums[c] += weight * strips[s].color[c];
        return any(on);
      });
    }
    float total[4];
    sum4(sums[0], sums[1], sums[2], sums[2], total);
    for (int c = 0; c < 3; ++c) out[c] = total[c];
  });
}

}  // namespace gscompress::raster::GSC_SIMD
