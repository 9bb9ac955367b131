// Vectors of kLanes floats for the kernels, at the instruction set that this unit is compiled for.
//
// Arithmetic is that of GCC's and Clang's vector extensions, on vectors of the native width: GCC 12
// lowers wider ones badly. Masks of AVX-512 use intrinsics: GCC 12 turns their logic into scalar
// code.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#ifndef GSC_SIMD
#error "GSC_SIMD names the namespace of this instruction set (set by CMake)"
#endif

#define GSC_INLINE inline __attribute__((always_inline))

namespace gscompress::raster::GSC_SIMD {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
inline constexpr int kNative = 16;
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
inline constexpr int kNative = 8;
#else
inline constexpr int kLanes = 8;
inline constexpr int kNative = 4;
#endif
inline constexpr int kParts = kLanes / kNative;

using NativeFloats = float __attribute__((vector_size(4 * kNative)));
using NativeInts = int32_t __attribute__((vector_size(4 * kNative)));

struct Floats {
  NativeFloats part[kParts];

  Floats() = default;
  GSC_INLINE Floats(float x) {
    for (auto& p : part) p = x - NativeFloats{};
  }
};

struct Ints {
  NativeInts part[kParts];
};

#if defined(__AVX512F__)
struct Mask {
  __mmask16 bits;
};
#else
struct Mask {
  NativeInts part[kParts];  // 0 or -1 per lane
};
#endif

#define GSC_BINARY(OP)                                                   \
  GSC_INLINE Floats operator OP(Floats a, Floats b) {                    \
    for (int i = 0; i < kParts; ++i) a.part[i] = a.part[i] OP b.part[i]; \
    return a;                                                            \
  }                                                                      \
  GSC_INLINE Floats& operator OP## = (Floats & a, Floats b) { return a = a OP b; }
GSC_BINARY(+)
GSC_BINARY(-)
GSC_BINARY(*)
GSC_BINARY(/)
#undef GSC_BINARY

GSC_INLINE Floats operator-(Floats a) {
  for (auto& p : a.part) p = -p;
  return a;
}

GSC_INLINE Floats load(const float* p) {
  Floats r;
  std::memcpy(&r, p, sizeof r);
  return r;
}
GSC_INLINE void store(float* p, Floats a) { std::memcpy(p, &a, sizeof a); }

alignas(64) inline constexpr float kIota[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                8, 9, 10, 11, 12, 13, 14, 15};
GSC_INLINE Floats iota() { return load(kIota); }

// Lane i: p[i * stride].
GSC_INLINE Floats load_strided(const float* p, int stride) {
  alignas(64) float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = p[i * stride];
  return load(lanes);
}

GSC_INLINE Ints as_ints(Floats a) {
  Ints r;
  std::memcpy(&r, &a, sizeof a);
  return r;
}
GSC_INLINE Floats as_floats(Ints a) {
  Floats r;
  std::memcpy(&r, &a, sizeof a);
  return r;
}
GSC_INLINE Floats to_floats(Ints a) {
  Floats r;
  for (int i = 0; i < kParts; ++i) r.part[i] = __builtin_convertvector(a.part[i], NativeFloats);
  return r;
}

// ---- comparison, selection --------------------------------------------------------------------

#if defined(__AVX512F__)

GSC_INLINE __m512 raw(Floats a) { return static_cast<__m512>(a.part[0]); }
GSC_INLINE Floats wrap(__m512 a) {
  Floats r;
  r.part[0] = static_cast<NativeFloats>(a);
  return r;
}
GSC_INLINE Floats min(Floats a, Floats b) { return wrap(_mm512_min_ps(raw(a), raw(b))); }
GSC_INLINE Floats max(Floats a, Floats b) { return wrap(_mm512_max_ps(raw(a), raw(b))); }
GSC_INLINE Floats sqrt(Floats a) { return wrap(_mm512_sqrt_ps(raw(a))); }
GSC_INLINE Mask operator>(Floats a, Floats b) {
  return {_mm512_cmp_ps_mask(raw(a), raw(b), _CMP_GT_OQ)};
}
GSC_INLINE Mask operator>=(Floats a, Floats b) {
  return {_mm512_cmp_ps_mask(raw(a), raw(b), _CMP_GE_OQ)};
}
GSC_INLINE Mask operator&(Mask a, Mask b) { return {_kand_mask16(a.bits, b.bits)}; }
GSC_INLINE Floats select(Mask m, Floats a, Floats b) {
  return wrap(_mm512_mask_blend_ps(m.bits, raw(b), raw(a)));
}
GSC_INLINE Floats keep(Mask m, Floats a) { return wrap(_mm512_maskz_mov_ps(m.bits, raw(a))); }
GSC_INLINE uint32_t bits(Mask m) { return m.bits; }
GSC_INLINE Mask from_bits(uint32_t b) { return {static_cast<__mmask16>(b)}; }
GSC_INLINE float sum(Floats a) { return _mm512_reduce_add_ps(raw(a)); }
GSC_INLINE float largest(Floats a) { return _mm512_reduce_max_ps(raw(a)); }
// 1 / a to about 23 bits.
GSC_INLINE Floats reciprocal(Floats a) {
  const Floats r = wrap(_mm512_rcp14_ps(raw(a)));
  return r * (Floats(2.0f) - a * r);
}

#else

GSC_INLINE Mask operator>(Floats a, Floats b) {
  Mask m;
  for (int i = 0; i < kParts; ++i) m.part[i] = a.part[i] > b.part[i];
  return m;
}
GSC_INLINE Mask operator>=(Floats a, Floats b) {
  Mask m;
  for (int i = 0; i < kParts; ++i) m.part[i] = a.part[i] >= b.part[i];
  return m;
}
GSC_INLINE Mask operator&(Mask a, Mask b) {
  for (int i = 0; i < kParts; ++i) a.part[i] &= b.part[i];
  return a;
}
GSC_INLINE Floats select(Mask m, Floats a, Floats b) {
  for (int i = 0; i < kParts; ++i) a.part[i] = m.part[i] ? a.part[i] : b.part[i];
  return a;
}
GSC_INLINE Floats keep(Mask m, Floats a) {
  for (int i = 0; i < kParts; ++i)
    a.part[i] = reinterpret_cast<NativeFloats>(reinterpret_cast<NativeInts>(a.part[i]) & m.part[i]);
  return a;
}
GSC_INLINE Mask from_bits(uint32_t b) {
  alignas(64) int32_t lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = -static_cast<int32_t>(b >> i & 1);
  Mask m;
  std::memcpy(&m, lanes, sizeof m);
  return m;
}

#if defined(__AVX2__)

GSC_INLINE __m256 raw(Floats a) { return static_cast<__m256>(a.part[0]); }
GSC_INLINE Floats wrap(__m256 a) {
  Floats r;
  r.part[0] = static_cast<NativeFloats>(a);
  return r;
}
GSC_INLINE Floats min(Floats a, Floats b) { return wrap(_mm256_min_ps(raw(a), raw(b))); }
GSC_INLINE Floats max(Floats a, Floats b) { return wrap(_mm256_max_ps(raw(a), raw(b))); }
GSC_INLINE Floats sqrt(Floats a) { return wrap(_mm256_sqrt_ps(raw(a))); }
GSC_INLINE uint32_t bits(Mask m) {
  return static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(m.part[0])));
}
GSC_INLINE Floats reciprocal(Floats a) {
  const Floats r = wrap(_mm256_rcp_ps(raw(a)));
  return r * (Floats(2.0f) - a * r);
}

#else

GSC_INLINE Floats min(Floats a, Floats b) {
  for (int i = 0; i < kParts; ++i) a.part[i] = a.part[i] < b.part[i] ? a.part[i] : b.part[i];
  return a;
}
GSC_INLINE Floats max(Floats a, Floats b) {
  for (int i = 0; i < kParts; ++i) a.part[i] = a.part[i] > b.part[i] ? a.part[i] : b.part[i];
  return a;
}
GSC_INLINE Floats sqrt(Floats a) {
  for (auto& p : a.part) {
    for (int l = 0; l < kNative; ++l) p[l] = __builtin_sqrtf(p[l]);
  }
  return a;
}
GSC_INLINE uint32_t bits(Mask m) {
  uint32_t r = 0;
  for (int i = 0; i < kParts; ++i) {
#if defined(__SSE2__)
    r |= static_cast<uint32_t>(_mm_movemask_ps(reinterpret_cast<__m128>(m.part[i])))
         << (i * kNative);
#else
    for (int l = 0; l < kNative; ++l)
      r |= static_cast<uint32_t>(m.part[i][l] & 1) << (i * kNative + l);
#endif
  }
  return r;
}
GSC_INLINE Floats reciprocal(Floats a) { return Floats(1.0f) / a; }

#endif  // AVX2

GSC_INLINE float sum(Floats a) {
  NativeFloats s = a.part[0];
  for (int i = 1; i < kParts; ++i) s += a.part[i];
  float r = 0;
  for (int l = 0; l < kNative; ++l) r += s[l];
  return r;
}
GSC_INLINE float largest(Floats a) {
  float r = a.part[0][0];
  for (int i = 0; i < kParts; ++i) {
    for (int l = 0; l < kNative; ++l) r = a.part[i][l] > r ? a.part[i][l] : r;
  }
  return r;
}

#endif  // AVX-512

// counts + 1 in the lanes of m.
GSC_INLINE Ints count(Ints counts, Mask m) {
#if defined(__AVX512F__)
  const auto c = reinterpret_cast<__m512i>(counts.part[0]);
  const __m512i more = _mm512_mask_add_epi32(c, m.bits, c, _mm512_set1_epi32(1));
  counts.part[0] = reinterpret_cast<NativeInts>(more);
#else
  for (int i = 0; i < kParts; ++i) counts.part[i] -= m.part[i];
#endif
  return counts;
}
GSC_INLINE Mask operator<(Floats a, Floats b) { return b > a; }
GSC_INLINE Mask operator<=(Floats a, Floats b) { return b >= a; }
GSC_INLINE bool any(Mask m) { return bits(m) != 0; }
GSC_INLINE Floats clamp(Floats a, Floats low, Floats high) { return min(max(a, low), high); }

// -|a|
GSC_INLINE Floats as_negative(Floats a) {
  Ints b = as_ints(a);
  for (auto& p : b.part) p |= INT32_MIN;
  return as_floats(b);
}

// ---- elementary functions ---------------------------------------------------------------------

// 2^(8 y) for y in [-1, 0], to about 2e-6; anything (but no NaN) for smaller y. The polynomial is a
// minimax fit of 2^y; three squarings avoid the exponent's bits, so that it vectorises anywhere.
GSC_INLINE Floats exp2_8(Floats y) {
  Floats p(0.000938707367f);
  p = p * y + Floats(0.00918922026f);
  p = p * y + Floats(0.0552812287f);
  p = p * y + Floats(0.240173283f);
  p = p * y + Floats(0.693142538f);
  p = p * y + Floats(0.999999945f);
  p *= p;
  p *= p;
  return p * p;
}

// log2(x) of positive, normal x: exponent plus the series of atanh on [sqrt(1/2), sqrt(2)].
GSC_INLINE Floats log2(Floats x) {
  constexpr int32_t kSqrtHalf = 0x3f3504f3;
  Ints b = as_ints(x);
  Ints exponent;
  for (int i = 0; i < kParts; ++i) {
    exponent.part[i] = (b.part[i] - kSqrtHalf) >> 23;
    b.part[i] -= exponent.part[i] << 23;
  }
  const Floats m = as_floats(b);
  const Floats s = (m - 1.0f) / (m + 1.0f);
  const Floats s2 = s * s;
  constexpr float k = 2.88539008177792681f;  // 2 / ln 2
  Floats p(k / 9);
  p = p * s2 + Floats(k / 7);
  p = p * s2 + Floats(k / 5);
  p = p * s2 + Floats(k / 3);
  p = p * s2 + Floats(k);
  return to_floats(exponent) + p * s;
}

// ---- sums of several vectors ------------------------------------------------------------------

#if defined(__AVX2__)
// A vector of 8 lanes with the same sum.
GSC_INLINE __m256 fold(Floats a) {
#if defined(__AVX512F__)
  return _mm256_add_ps(_mm512_castps512_ps256(raw(a)), _mm512_extractf32x8_ps(raw(a), 1));
#else
  return raw(a);
#endif
}
// Sums of the lanes of four vectors, by a tree of shuffles.
GSC_INLINE void sum4(Floats a, Floats b, Floats c, Floats d, float* out) {
  const __m256 ab = _mm256_hadd_ps(fold(a), fold(b)), cd = _mm256_hadd_ps(fold(c), fold(d));
  const __m256 s = _mm256_hadd_ps(ab, cd);
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
// Sums of the lanes of v[0] .. v[7].
GSC_INLINE void sum8(const Floats* v, float* out) {
  __m256 h[8];
  for (int i = 0; i < 8; ++i) h[i] = fold(v[i]);
  for (int i = 0; i < 4; ++i) h[i] = _mm256_hadd_ps(h[2 * i], h[2 * i + 1]);
  for (int i = 0; i < 2; ++i) h[i] = _mm256_hadd_ps(h[2 * i], h[2 * i + 1]);
  const __m256 low = _mm256_permute2f128_ps(h[0], h[1], 0x20);
  const __m256 high = _mm256_permute2f128_ps(h[0], h[1], 0x31);
  _mm256_storeu_ps(out, _mm256_add_ps(low, high));
}
#else
GSC_INLINE void sum4(Floats a, Floats b, Floats c, Floats d, float* out) {
  out[0] = sum(a);
  out[1] = sum(b);
  out[2] = sum(c);
  out[3] = sum(d);
}
GSC_INLINE void sum8(const Floats* v, float* out) {
  for (int i = 0; i < 8; ++i) out[i] = sum(v[i]);
}
#endif

}  // namespace gscompress::raster::GSC_SIMD
