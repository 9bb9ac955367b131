#include "colour.h"

#include <algorithm>
#include <cmath>
#include <cstring>
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

struct Colour {
  float red, green, blue;
};

Colour mixed_back(int32_t y, int32_t orange, int32_t green, double step, double wide) {
  const double co = orange * wide, cg = green * wide;
  const double middle = y * step - cg / 2;
  const double blue = middle - co / 2;
  return {static_cast<float>(blue + co), static_cast<float>(middle + cg), static_cast<float>(blue)};
}

// Red, green and blue of one term of `n` Gaussians, each a row.
void mix_back(const int32_t* y, const int32_t* orange, const int32_t* green, const double* steps,
              double chroma_factor, size_t n, float* rows) {
  for (size_t i = 0; i < n; ++i) {
    const Colour c = mixed_back(y[i], orange[i], green[i], steps[i], steps[i] * chroma_factor);
    rows[i] = c.red;
    rows[kBlock + i] = c.green;
    rows[2 * kBlock + i] = c.blue;
  }
}

int32_t level_at(const float* memory) {
  int32_t level;
  std::memcpy(&level, memory, sizeof level);
  return level;
}

// Some terms of one Gaussian, in place.
void mix_back_in_place(float* rgb, size_t terms, double step, double chroma_factor) {
  const double wide = step * chroma_factor;
  for (size_t k = 0; k < terms; ++k, rgb += 3) {
    const Colour c = mixed_back(level_at(rgb), level_at(rgb + 1), level_at(rgb + 2), step, wide);
    rgb[0] = c.red;
    rgb[1] = c.green;
    rgb[2] = c.blue;
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

void dequantize_ycocg_in_place(float* rgb, size_t count, size_t terms, const ColourSteps& first,
                               const ColourSteps& higher, int threads) {
  raster::parallel(threads, [&](int thread) {
    const raster::Range range(count, thread, threads);
    for (size_t i = range.begin; i < range.end; ++i) {
      float* colours = rgb + 3 * terms * i;
      mix_back_in_place(colours, 1, first.luma[i], first.chroma);
      mix_back_in_place(colours + 3, terms - 1, higher.luma[i], higher.chroma);
    }
  });
}

}  // namespace gscompress
