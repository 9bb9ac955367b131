// Scores: how much each splat adds to the image, and what its removal would change.
#pragma once

#include "blend_kernel.h"
#include "kernels.h"
#include "tile.h"

namespace gscompress::raster::GSC_SIMD {

// A slot of scores: sum of weights, of their squares, removal effect, hits, largest weight.
inline constexpr int kScoreSlot = 5;

struct ScoreLanes {
  Floats sum = 0.0f, squares = 0.0f, largest = 0.0f, effect = 0.0f;
  Ints hits{};

  GSC_INLINE void add(Floats weight, Floats squared) {
    sum += weight;
    squares += squared;
    largest = max(largest, weight);
    hits = count(hits, weight > 0.0f);
  }
  GSC_INLINE void write(float* out) const {
    sum4(sum, squares, effect, to_floats(hits), out);
    out[4] = GSC_SIMD::largest(largest);
  }
};

// Blends as blend_tile does, and scores all but the removal effect.
inline void score_tile(const View& view, const TileLists& lists, int tile, const Image& image,
                       const Slots& slots) {
  const TileArea area(view, tile);
  BlendStrip strips[kStrips];
  uint32_t alive = start_blend(area, strips);
  const SlotWriter<kScoreSlot> writer{slots};
  for_each_slot(lists, tile, alive, writer, [&](const Splat& splat, uint32_t todo, float* out) {
    const Floats r(splat.color[0]), g(splat.color[1]), b(splat.color[2]);
    ScoreLanes score;
    for (int half = 0; half < 2; ++half) {
      if (!touches(todo, half)) continue;
      for_each_strip(splat, area, todo, half, alive, [&](const HalfSplat& seen, int s) {
        BlendStrip& strip = strips[s];
        Mask on;
        const Floats weight = strip.light.take(seen.alpha(), on);
        strip.color[0] += weight * r;
        strip.color[1] += weight * g;
        strip.color[2] += weight * b;
        score.add(weight, weight * weight);
        return any(on);
      });
    }
    score.write(out);
  });
  write_tile(view, area, strips, image);
}

// All scores of a tile whose image is known. With F the pixel's colour and A what the splats up to
// this one have added, (F - A) / passing is the colour seen behind the splat.
inline void removal_tile(const View& view, const TileLists& lists, int tile, const Image& image,
                         const Slots& slots) {
  const TileArea area(view, tile);
  BlendStrip strips[kStrips];  // color: F - A
  uint32_t alive = start_blend(area, strips);
  auto* values = reinterpret_cast<float*>(strips);
  area.for_each_pixel([&](int s, int lane, size_t pixel) {
    for (int c = 0; c < 3; ++c)
      values[(s * 4 + 1 + c) * kLanes + lane] = image.color[3 * pixel + static_cast<size_t>(c)];
  });
  const SlotWriter<kScoreSlot> writer{slots};
  for_each_slot(lists, tile, alive, writer, [&](const Splat& splat, uint32_t todo, float* out) {
    const Floats color[3] = {splat.color[0], splat.color[1], splat.color[2]};
    ScoreLanes score;
    for (int half = 0; half < 2; ++half) {
      if (!touches(todo, half)) continue;
      for_each_strip(splat, area, todo, half, alive, [&](const HalfSplat& seen, int s) {
        BlendStrip& strip = strips[s];
        Mask on;
        const Floats weight = strip.light.take(seen.alpha(), on);
        const Floats squared = weight * weight;
        score.add(weight, squared);
        const Floats scale = reciprocal(strip.light.passing);
        Floats distance(0.0f);
        for (int c = 0; c < 3; ++c) {
          strip.color[c] -= weight * color[c];
          const Floats d = strip.color[c] * scale - color[c];
          distance += d * d;
        }
        score.effect += squared * distance;
        return any(on);
      });
    }
    score.write(out);
  });
}

// Adds the slots of the splats [begin, end) to the scores of their Gaussians.
inline void add_scores(const Splat* splats, const Slots& slots, size_t begin, size_t end,
                       const ScoreSums& out) {
  for (size_t i = begin; i < end; ++i) {
    double sum = 0, squares = 0, effect = 0;
    float largest = 0;
    int64_t hits = 0;
    const size_t first = slots.first[i], last = first + slots.count[i];
    for (size_t slot = first; slot < last; ++slot) {
      const float* v = slots.values + slot * kScoreSlot;
      sum += static_cast<double>(v[0]);
      squares += static_cast<double>(v[1]);
      effect += static_cast<double>(v[2]);
      hits += static_cast<int64_t>(v[3]);
      largest = v[4] > largest ? v[4] : largest;
    }
    const size_t id = splats[i].id;
    out.weight_sum[id] += sum;
    out.weight_sq_sum[id] += squares;
    if (largest > out.weight_max[id]) out.weight_max[id] = largest;
    out.hits[id] += hits;
    if (out.removal_effect) out.removal_effect[id] += effect;
  }
}

}  // namespace gscompress::raster::GSC_SIMD
