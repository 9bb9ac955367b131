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

// Gradient by (x, y, z) of sum_k weight[k] basis[k](x, y, z), the basis taken as polynomials.
//
// Every harmonic is P(z) times the cosine or sine polynomial of its order m, and those polynomials'
// derivatives are m times the ones of order m - 1: so first sum over the degrees of each order.
template <class F>
GSC_INLINE void sh_basis_gradient(int count, F x, F y, F z, const F* weight, F* gradient) {
  using namespace sh_constant;
  gradient[0] = gradient[1] = gradient[2] = F(0.0f);
  if (count <= 1) return;
  const F* w = weight;
  const F z2 = z * z, zero(0.0f);
  F sine[5] = {zero, F(-k1) * w[1], zero, zero, zero};
  F cosine[5] = {zero, F(-k1) * w[3], zero, zero, zero};
  F sine_dz[5] = {zero, zero, zero, zero, zero}, cosine_dz[5] = {zero, zero, zero, zero, zero};
  F dz = F(k1) * w[2];
  if (count > 4) {
    sine[2] = F(k22) * w[4];
    cosine[2] = F(k22) * w[8];
    sine[1] -= F(k21) * z * w[5];
    cosine[1] -= F(k21) * z * w[7];
    sine_dz[1] = F(-k21) * w[5];
    cosine_dz[1] = F(-k21) * w[7];
    dz += F(2 * k20a) * z * w[6];
  }
  if (count > 9) {
    const F p31 = F(k31b) - F(k31a) * z2, p31_dz = F(-2 * k31a) * z;
    sine[3] = F(-k33) * w[9];
    cosine[3] = F(-k33) * w[15];
    sine[2] += F(k32) * z * w[10];
    cosine[2] += F(k32) * z * w[14];
    sine_dz[2] = F(k32) * w[10];
    cosine_dz[2] = F(k32) * w[14];
    sine[1] += p31 * w[11];
    cosine[1] += p31 * w[13];
    sine_dz[1] += p31_dz * w[11];
    cosine_dz[1] += p31_dz * w[13];
    dz += (F(3 * k30a) * z2 - F(k30b)) * w[12];
  }
  if (count > 16) {
    const F p41 = z * (F(k41b) - F(k41a) * z2), p41_dz = F(k41b) - F(3 * k41a) * z2;
    const F p42 = F(k42a) * z2 - F(k42b), p42_dz = F(2 * k42a) * z;
    const F p30 = z * (F(k30a) * z2 - F(k30b)), p30_dz = F(3 * k30a) * z2 - F(k30b);
    sine[4] = F(k44) * w[16];
    cosine[4] = F(k44) * w[24];
    sine[3] -= F(k43) * z * w[17];
    cosine[3] -= F(k43) * z * w[23];
    sine_dz[3] = F(-k43) * w[17];
    cosine_dz[3] = F(-k43) * w[23];
    sine[2] += p42 * w[18];
    cosine[2] += p42 * w[22];
    sine_dz[2] += p42_dz * w[18];
    cosine_dz[2] += p42_dz * w[22];
    sine[1] += p41 * w[19];
    cosine[1] += p41 * w[21];
    sine_dz[1] += p41_dz * w[19];
    cosine_dz[1] += p41_dz * w[21];
    dz += (F(k40a) * (p30 + z * p30_dz) - F(2 * k40b * k20a) * z) * w[20];
  }
  const int orders = count <= 4 ? 1 : count <= 9 ? 2 : count <= 16 ? 3 : 4;
  F c(1.0f), s(0.0f);  // cosine and sine polynomials of order m - 1
  for (int m = 1; m <= orders; ++m) {
    const F order(static_cast<float>(m));
    gradient[0] += order * (sine[m] * s + cosine[m] * c);
    gradient[1] += order * (sine[m] * c - cosine[m] * s);
    const F next_c = x * c - y * s, next_s = x * s + y * c;
    dz += sine_dz[m] * next_s + cosine_dz[m] * next_c;
    c = next_c;
    s = next_s;
  }
  gradient[2] = dz;
}

}  // namespace gscompress::raster::GSC_SIMD
