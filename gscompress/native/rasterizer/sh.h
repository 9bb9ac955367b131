// Real spherical harmonics up to degree 4, with the signs of the 3DGS training codes.
//
// Source: P.-P. Sloan, Efficient Spherical Harmonic Evaluation, JCGT 2(2), 2013. Written once for
// scalars and vectors: F is float or Floats.
#pragma once

#include "simd.h"

namespace gscompress::raster::GSC_SIMD {

// Normalisation of the terms, by degree and order.
namespace sh_constant {
inline constexpr float k00 = 0.282094791773878143f;
inline constexpr float k1 = 0.488602511902919921f;
inline constexpr float k20a = 0.946174695757560018f, k20b = 0.315391565252520006f;
inline constexpr float k21 = 1.092548430592079070f;
inline constexpr float k22 = 0.546274215296039535f;
inline constexpr float k30a = 1.865881662950577200f, k30b = 1.119528997770346320f;
inline constexpr float k31a = 2.285228997322328760f, k31b = 0.457045799464465752f;
inline constexpr float k32 = 1.445305721320277020f;
inline constexpr float k33 = 0.590043589926643510f;
inline constexpr float k40a = 1.984313483298443070f, k40b = 1.006230589874905310f;
inline constexpr float k41a = 4.683325804901024970f, k41b = 2.007139630671867840f;
inline constexpr float k42a = 3.311611435151459730f, k42b = 0.473087347878779961f;
inline constexpr float k43 = 1.770130769779930530f;
inline constexpr float k44 = 0.625835735449176135f;
}  // namespace sh_constant

// The values of `count` (1, 4, 9, 16, 25) harmonics in the unit direction (x, y, z).
template <class F>
GSC_INLINE void sh_basis(int count, F x, F y, F z, F* out) {
  using namespace sh_constant;
  out[0] = F(k00);
  if (count <= 1) return;
  out[1] = F(-k1) * y;
  out[2] = F(k1) * z;
  out[3] = F(-k1) * x;
  if (count <= 4) return;
  const F z2 = z * z;
  const F c2 = x * x - y * y, s2 = F(2.0f) * x * y;  // cos and sin terms of order 2
  out[4] = F(k22) * s2;
  out[5] = F(-k21) * z * y;
  out[6] = F(k20a) * z2 - F(k20b);
  out[7] = F(-k21) * z * x;
  out[8] = F(k22) * c2;
  if (count <= 9) return;
  const F c3 = x * c2 - y * s2, s3 = x * s2 + y * c2;
  const F order1 = F(k31b) - F(k31a) * z2;
  out[9] = F(-k33) * s3;
  out[10] = F(k32) * z * s2;
  out[11] = order1 * y;
  out[12] = z * (F(k30a) * z2 - F(k30b));
  out[13] = order1 * x;
  out[14] = F(k32) * z * c2;
  out[15] = F(-k33) * c3;
  if (count <= 16) return;
  const F c4 = x * c3 - y * s3, s4 = x * s3 + y * c3;
  const F first = z * (F(k41b) - F(k41a) * z2), second = F(k42a) * z2 - F(k42b);
  out[16] = F(k44) * s4;
  out[17] = F(-k43) * z * s3;
  out[18] = second * s2;
  out[19] = first * y;
  out[20] = F(k40a) * z * out[12] - F(k40b) * out[6];
  out[21] = first * x;
  out[22] = second * c2;
  out[23] = F(-k43) * z * c3;
  out[24] = F(k44) * c4;
}

}  // namespace gscompress::raster::GSC_SIMD
