#include "colour.h"

#include <algorithm>
#include <cmath>

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
                    const ColourSteps& steps, int32_t* planes) {
  const size_t channel = (last - first) * count;
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t end = std::min(begin + kBlock, count);
    for (size_t k = first; k < last; ++k) {
      int32_t* out = planes + (k - first) * count;
      for (size_t i = begin; i < end; ++i) {
        const float* colour = rgb + (i * terms + k) * 3;
        const double co = static_cast<double>(colour[0]) - colour[2];
        const double middle = colour[2] + co / 2;
        const double cg = colour[1] - middle;
        const double step = steps.luma[i], chroma = step * steps.chroma;
        out[i] = quantize(middle + cg / 2, step, steps.rounding);
        out[channel + i] = quantize(co, chroma, steps.rounding);
        out[2 * channel + i] = quantize(cg, chroma, steps.rounding);
      }
    }
  }
}

void dequantize_ycocg(const int32_t* planes, size_t count, size_t terms, size_t first, size_t last,
                      const ColourSteps& steps, float* rgb) {
  const size_t channel = (last - first) * count;
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t end = std::min(begin + kBlock, count);
    for (size_t k = first; k < last; ++k) {
      const int32_t* in = planes + (k - first) * count;
      for (size_t i = begin; i < end; ++i) {
        const double step = steps.luma[i], chroma = step * steps.chroma;
        const double co = in[channel + i] * chroma, cg = in[2 * channel + i] * chroma;
        const double middle = in[i] * step - cg / 2;
        const double blue = middle - co / 2;
        float* colour = rgb + (i * terms + k) * 3;
        colour[0] = static_cast<float>(blue + co);
        colour[1] = static_cast<float>(middle + cg);
        colour[2] = static_cast<float>(blue);
      }
    }
  }
}

}  // namespace gscompress
