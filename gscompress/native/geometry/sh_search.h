// Choosing the integers of quantized spherical harmonics by what the images lose, not by what the
// coefficients lose.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gscompress {

// Coefficients of a scene in coding order, and how they are quantized.
struct ShScene {
  const float* rgb;      // [count, terms, 3]
  const float* means;    // [count, 3]
  size_t count, terms;   // terms: 1, 4, 9, 16 or 25
  const double* first;   // [count]: luma step of the constant term
  const double* higher;  // [count]: luma step of the other terms
  double chroma;         // chroma steps are the luma steps times this
};

// From where each Gaussian is seen, and how much.
struct Sightings {
  const float* eyes;     // [views, 3]: camera centres
  const float* weights;  // [count, views]: blending weight over all pixels of the view
  size_t views;
};

// Bits that a symbol costs, by importance class: 0..15.
struct ShRates {
  static constexpr size_t kClasses = 16, kSizes = 32;
  const uint8_t* classes;  // [count]
  const float* sizes;      // [3 (terms - 1), kClasses, kSizes]: of an integer, by its magnitude
  const float* flags;      // [3, kClasses, 2]: of a channel's flag
};

struct ShSearch {
  double damping;        // share of a view from everywhere that is added to each Gaussian's views
  double lambda;         // squared error that a bit may cost
  const ShRates* rates;  // null: nearest integers
  int threads;
};

// Gives planes [3, 1, count] of the constant terms and [3, terms - 1, count] of the others.
void search_sh(const ShScene& scene, const Sightings& sightings, const ShSearch& search,
               int32_t* first, int32_t* higher);

}  // namespace gscompress
