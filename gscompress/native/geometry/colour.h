// Colour coefficients between RGB floats and quantized YCoCg planes; the same bits on every
// machine.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gscompress {

struct ColourSteps {
  const double* luma;  // [count]: step of each Gaussian's luma coefficients
  double chroma;       // chroma steps are the luma steps times this
  double rounding;     // added to a magnitude before it is truncated
};

// Terms first up to last of rgb [count, terms, 3] -> planes luma [last - first, count] and
// chroma [2, last - first, count] (Co, Cg); either may be null. Integers of 16 or of 32 bits;
// magnitudes are limited to 2^30. Returns whether all fitted.
template <class Integer>
bool quantize_ycocg(const float* rgb, size_t count, size_t terms, size_t first, size_t last,
                    const ColourSteps& steps, Integer* luma, Integer* chroma);

// And back.
void dequantize_ycocg(const int32_t* luma, const int32_t* chroma, size_t count, size_t terms,
                      size_t first, size_t last, const ColourSteps& steps, float* rgb, int threads);

// The same in place: the memory of rgb [count, terms, 3] holds the integers Y, Co and Cg of each
// term as int32. The first term has the steps `first`, all others `higher`.
void dequantize_ycocg_in_place(float* rgb, size_t count, size_t terms, const ColourSteps& first,
                               const ColourSteps& higher, int threads);

}  // namespace gscompress
