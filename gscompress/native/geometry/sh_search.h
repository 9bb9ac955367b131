// Choosing the integers of quantized spherical harmonics by what the images lose and what the
// integers cost, not by what each coefficient loses.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gscompress {

// Coefficients to quantize, and the steps.
struct ShValues {
  const float* rgb;      // [count, terms, 3]
  size_t count, terms;   // terms: 1, 4, 9, 16 or 25
  const double* first;   // [count]: luma step of the constant term
  const double* higher;  // [count]: luma step of the other terms
  double chroma;         // chroma steps are the luma steps times this
};

// From where each Gaussian is seen, and how much.
struct Sightings {
  const float* means;    // [count, 3]
  const float* eyes;     // [views, 3]: camera centres
  const uint8_t* codes;  // [count, views]: places in `weights`; 0: not seen
  const float* weights;  // [256]: squared blending weights over the pixels of a view
  size_t views;
};

// What symbols cost, in bits.
struct ShBits {
  static constexpr size_t kSizes = 32;
  const float* sizes;  // [3 (terms - 1), kSizes]: an integer, by its magnitude
  const float* flags;  // [3, 2]: whether a channel has any integer above the constant term's
};

struct ShSearch {
  double damping;      // views from everywhere that are added to each Gaussian's views
  double bit_price;    // squared error that a bit may cost
  const ShBits* bits;  // null: the nearest integers
  int threads;
};

struct ShPlanes {
  int32_t* first;   // [3, count]: Y, Co, Cg of the constant terms
  int32_t* luma;    // [terms - 1, count]: Y of the others
  int32_t* chroma;  // [2, terms - 1, count]: their Co and Cg
};

// Changes the planes, but for Gaussians that no camera sees.
void search_sh(const ShValues& values, const Sightings& sightings, const ShSearch& search,
               const ShPlanes& planes);

}  // namespace gscompress
