#include "colour.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "../rasterizer/threads.h"

namespace gscompress {
namespace {

constexpr size_t kBlock = 64;  // Gaussians whose coefficients stay in the cache

int32_t quantize(double value, double step, double rounding) {
  const double scaled = value / step;
  const double size = std::min(std::floor(std::abs(scaled) + rounding), 1073741824.0);
  return static_cast<int32_t>(scaled < 0 ? -size : size);
}

// Planes to be written, as far as their integers can hold the values.
template <class Integer>
struct Written {
  Integer* planes;
  uint32_t lost = 0;

  void put(size_t at, int32_t value) {
    const auto kept = static_cast<Integer>(value);
    planes[at] = kept;
    lost |= static_cast<uint32_t>(value) ^ static_cast<uint32_t>(int32_t{kept});
  }
};

// Red, green and blue of one term of `n` Gaussians, each a row.
void mix_back(const int32_t* y, const int32_t* orange, const int32_t* green, const double* steps,
              double chroma_factor, size_t n, float* rows) {
  for (size_t i = 0; i < n; ++i) {
    const double step = steps[i], wide = step * chroma_factor;
    const double co = orange[i] * wide, cg = green[i] * wide;
    const double middle = y[i] * step - cg / 2;
    const double blue = middle - co / 2;
    rows[i] = static_cast<float>(blue + co);
    rows[kBlock + i] = static_cast<float>(middle + cg);
    rows[2 * kBlock + i] = static_cast<float>(blue);
  }
}

}  // namespace

template <class Integer>
bool quantize_ycocg(const float* rgb, size_t count, size_t terms, size_t first, size_t last,
                    const ColourSteps& steps, Integer* luma, Integer* chroma) {
  const size_t cg_plane = (last - first) * count;
  Written<Integer> y{luma}, c{chroma};
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
        if (luma) y.put(row + i, quantize(middle + cg / 2, step, steps.rounding));
        if (!chroma) continue;
        c.put(row + i, quantize(co, wide, steps.rounding));
        c.put(cg_plane + row + i, quantize(cg, wide, steps.rounding));
      }
    }
  }
  return (y.lost | c.lost) == 0;
}

template bool quantize_ycocg(const float*, size_t, size_t, size_t, size_t, const ColourSteps&,
                             int16_t*, int16_t*);
template bool quantize_ycocg(const float*, size_t, size_t, size_t, size_t, const ColourSteps&,
                             int32_t*, int32_t*);

void dequantize_ycocg(const int32_t* luma, const int32_t* chroma, size_t count, size_t terms,
                      size_t first, size_t last, const ColourSteps& steps, float* rgb,
                      int threads) {
  const size_t cg_plane = (last - first) * count, width = 3 * (last - first);
  raster::parallel(threads, [&](int thread) {
    const raster::Range range(count, thread, threads);
    std::vector<float> rows(width * kBlock);
    for (size_t begin = range.begin; begin < range.end; begin += kBlock) {
      const size_t n = std::min(kBlock, range.end - begin);
      for (size_t k = 0; k < last - first; ++k) {
        const size_t at = k * count + begin;
        mix_back(luma + at, chroma + at, chroma + cg_plane + at, steps.luma + begin, steps.chroma,
                 n, rows.data() + 3 * k * kBlock);
      }
      for (size_t i = 0; i < n; ++i) {
        float* colours = rgb + ((begin + i) * terms + first) * 3;
        for (size_t j = 0; j < width; ++j) colours[j] = rows[j * kBlock + i];
      }
    }
  });
}

}  // namespace gscompress
