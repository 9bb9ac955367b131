#include "colour.h"

#include <algorithm>
#include <cmath>

#include "../rasterizer/threads.h"

namespace gscompress {
namespace {

constexpr size_t kBlock = 64;  // Gaussians whose coefficients stay in the cache

int32_t quantize(double value, double step, double rounding) {
  const double scaled = value / step;
  const double size = std::min(std::floor(std::abs(scaled) + rounding), 1073741824.0);
  return static_cast<int32_t>(scaled < 0 ? -size : size);
}

}  // namespace

void quantize_ycocg(const float* rgb, size_t count, size_t terms, size_t first, size_t last,
                    const ColourSteps& steps, int32_t* luma, int32_t* chroma) {
  const size_t cg_plane = (last - first) * count;
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t end = std::min(begin + kBlock, count);
    for (size_t k = first; k < last; ++k) {
      const size_t row = (k - first) * count;
      for (size_t i = begin; i < end; ++i) {
        const float* colour = rgb + (i * terms + k) * 3;
        const double co = static_cast<double>(colour[0]) - colour[2];
        const double middle = colour[2] + co / 2;
        const double cg = colour[1] - middle;
        const double step = steps.luma[i], wide = step * steps.chroma;
        if (luma) luma[row + i] = quantize(middle + cg / 2, step, steps.rounding);
        if (!chroma) continue;
        chroma[row + i] = quantize(co, wide, steps.rounding);
        chroma[cg_plane + row + i] = quantize(cg, wide, steps.rounding);
      }
    }
  }
}

void dequantize_ycocg(const int32_t* luma, const int32_t* chroma, size_t count, size_t terms,
                      size_t first, size_t last, const ColourSteps& steps, float* rgb,
                      int threads) {
  const size_t cg_plane = (last - first) * count;
  raster::parallel(threads, [&](int thread) {
    const raster::Range range(count, thread, threads);
    for (size_t begin = range.begin; begin < range.end; begin += kBlock) {
      const size_t end = std::min(begin + kBlock, range.end);
      for (size_t k = first; k < last; ++k) {
        const size_t row = (k - first) * count;
        for (size_t i = begin; i < end; ++i) {
          const double step = steps.luma[i], wide = step * steps.chroma;
          const double co = chroma[row + i] * wide, cg = chroma[cg_plane + row + i] * wide;
          const double middle = luma[row + i] * step - cg / 2;
          const double blue = middle - co / 2;
          float* colour = rgb + (i * terms + k) * 3;
          colour[0] = static_cast<float>(blue + co);
          colour[1] = static_cast<float>(middle + cg);
          colour[2] = static_cast<float>(blue);
        }
      }
    }
  });
}

}  // namespace gscompress
