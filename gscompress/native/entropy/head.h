// Parts that the heads of static and adaptive streams share. `Coder` is RangeEncoder, which writes
// what it is given, or RangeDecoder, which replaces it by what it reads.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "bytes.h"
#include "range_coder.h"
#include "tokens.h"

namespace gscompress::entropy {

inline constexpr std::size_t kMaxContexts = 1u << 16;
inline constexpr std::size_t kMaxTables = 256;

using HeadBit = BitModel<4, 6>;

struct StreamShape {
  TokenScheme scheme;
  int max_tokens = 1;                        // tokens 0 .. max_tokens - 1 may occur
  std::vector<std::uint8_t> table_of = {0};  // [contexts]; tables are numbered by first appearance
  std::size_t tables = 1;
};

template <class Coder>
void code_bias(Coder& coder, TokenScheme& scheme) {
  GolombModel<HeadBit> model;
  scheme.bias = unfold(model.code(coder, fold(scheme.bias)));
}

template <class Coder>
void code_scheme(Coder& coder, StreamShape& shape) {
  TokenScheme& scheme = shape.scheme;
  scheme.direct_bits =
      4 + static_cast<int>(coder.raw(3, static_cast<std::uint32_t>(scheme.direct_bits - 4)));
  scheme.mantissa_bits =
      static_cast<int>(coder.raw(2, static_cast<std::uint32_t>(scheme.mantissa_bits)));
  if (!scheme.valid()) throw CorruptStream("the token scheme is unknown");
  code_bias(coder, scheme);
  shape.max_tokens =
      1 + static_cast<int>(coder.raw(8, static_cast<std::uint32_t>(shape.max_tokens - 1)));
  if (static_cast<std::uint32_t>(shape.max_tokens) > scheme.token_limit() + 1) {
    throw CorruptStream("a token is out of range");
  }
}

template <class Coder>
std::size_t code_context_count(Coder& coder, std::size_t contexts) {
  GolombModel<HeadBit> model;
  const std::uint32_t beyond_one =
      model.code(coder, static_cast<std::uint32_t>(contexts == 0 ? 0 : contexts - 1));
  if (beyond_one >= kMaxContexts) throw CorruptStream("too many contexts");
  return std::size_t{1} + beyond_one;
}

template <class Coder>
void code_map(Coder& coder, StreamShape& shape) {
  shape.table_of.resize(code_context_count(coder, shape.table_of.size()));
  HeadBit same_table;
  HeadBit new_table;
  shape.tables = 1;  // the first context has table 0
  for (std::size_t c = 1; c < shape.table_of.size(); ++c) {
    const std::uint8_t before = shape.table_of[c - 1];
    std::uint8_t& table = shape.table_of[c];
    if (coder.bit(same_table, table == before)) {
      table = before;
    } else if (coder.bit(new_table, table == shape.tables)) {
      if (shape.tables == kMaxTables) throw CorruptStream("too many tables");
      table = static_cast<std::uint8_t>(shape.tables++);
    } else {
      table = static_cast<std::uint8_t>(coder.raw(std::bit_width(shape.tables - 1), table));
      if (table >= shape.tables) throw CorruptStream("a context has no table");
    }
  }
}

// Weights in steps of 2^-s octaves. Level 0: none. Level 1 + (e << s) + m: (2^s + m) << e, in units
// of 2^-s, so that 2^kWeightBits is a probability of one.
struct Level {
  static constexpr int kWeightBits = 15;
  static int count(int s) { return (kWeightBits << s) + 2; }  // levels up to a probability of one
  static std::uint32_t weight(int level, int s) {
    if (level == 0) return 0;
    const int e = (level - 1) >> s;
    const int m = (level - 1) & ((1 << s) - 1);
    return static_cast<std::uint32_t>((1 << s) + m) << e;
  }
};

}  // namespace gscompress::entropy
