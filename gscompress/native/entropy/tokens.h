// Values as tokens: at most 256 tokens cover every int32.
//
// A value minus a bias is folded to an unsigned number u (0, -1, 1, -2, ... -> 0, 1, 2, 3, ...).
// Below 2^direct_bits the token is u itself. Above, the token holds the position of the leading
// one, the `mantissa_bits` after it and the lowest bit (the sign); the bits in between are stored
// as they are.
#pragma once

#include <bit>
#include <cstdint>

namespace gscompress::entropy {

inline constexpr int kMaxTokens = 256;

inline std::uint32_t fold(std::uint32_t value) { return (value << 1) ^ (0u - (value >> 31)); }

inline std::uint32_t unfold(std::uint32_t folded) { return (folded >> 1) ^ (0u - (folded & 1u)); }

struct TokenScheme {
  std::uint32_t bias = 0;  // two's complement, arithmetic modulo 2^32
  int direct_bits = 8;     // 4..8
  int mantissa_bits = 0;   // 0..3

  std::uint32_t direct() const { return 1u << direct_bits; }

  std::uint32_t folded(std::int32_t value) const {
    return fold(static_cast<std::uint32_t>(value) - bias);
  }

  std::int32_t value(std::uint32_t u) const { return static_cast<std::int32_t>(unfold(u) + bias); }

  std::uint32_t token(std::uint32_t u) const {
    if (u < direct()) return u;
    const int exponent = 31 - std::countl_zero(u);
    const std::uint32_t mantissa = (u >> (exponent - mantissa_bits)) & ((1u << mantissa_bits) - 1);
    return direct() + (static_cast<std::uint32_t>(exponent - direct_bits) << (mantissa_bits + 1)) +
           (mantissa << 1) + (u & 1u);
  }

  // How many bits a token of `token >= direct()` leaves to be stored as they are; 0..28.
  int raw_bits(std::uint32_t token) const {
    const auto exponent = static_cast<int>((token - direct()) >> (mantissa_bits + 1)) + direct_bits;
    return exponent - mantissa_bits - 1;
  }

  std::uint32_t raw(std::uint32_t u, int bits) const { return (u >> 1) & ((1u << bits) - 1); }

  // The inverse of token() and raw() for `token >= direct()`.
  std::uint32_t join(std::uint32_t token, int bits, std::uint32_t raw) const {
    const std::uint32_t within = token - direct();
    const std::uint32_t mantissa = (within >> 1) & ((1u << mantissa_bits) - 1);
    const std::uint32_t head = 1u << mantissa_bits | mantissa;
    return (head << bits | raw) << 1 | (within & 1u);
  }

  bool valid() const {
    return direct_bits >= 4 && direct_bits <= 8 && mantissa_bits >= 0 && mantissa_bits <= 3;
  }

  // The largest token whose numbers still fit 32 bits.
  std::uint32_t token_limit() const { return token(0xffffffffu); }
};

}  // namespace gscompress::entropy
