#include "freq_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace gscompress::entropy {

namespace {

// log2 of 1 + k / 2048 in units of 2^-16, by repeated squaring.
std::array<std::uint32_t, 2048> make_log_table() {
  std::array<std::uint32_t, 2048> table{};
  for (std::uint32_t k = 0; k < table.size(); ++k) {
    std::uint64_t x = std::uint64_t{2048 + k} << 19;  // [2^30, 2^31): 1.0 .. 2.0
    std::uint32_t fraction = 0;
    for (int bit = 0; bit < kLogBits; ++bit) {
      x = x * x >> 30;
      fraction <<= 1;
      if (x >> 31) {
        x >>= 1;
        fraction |= 1;
      }
    }
    table[k] = fraction;
  }
  return table;
}

}  // namespace

std::uint32_t log2_fixed(std::uint32_t x) {
  static const auto table = make_log_table();
  const int exponent = 31 - std::countl_zero(x);
  const std::uint32_t index = exponent >= 11 ? x >> (exponent - 11) : x << (11 - exponent);
  return (static_cast<std::uint32_t>(exponent) << kLogBits) + table[index - 2048];
}

std::uint64_t entropy_cost(std::span<const std::uint32_t> counts) {
  std::uint64_t total = 0;
  std::uint64_t inner = 0;
  for (const std::uint32_t count : counts) {
    if (count == 0) continue;
    total += count;
    inner += std::uint64_t{count} * log2_fixed(count);
  }
  if (total == 0) return 0;
  const std::uint64_t outer = total * log2_fixed(static_cast<std::uint32_t>(total));
  return outer > inner ? outer - inner : 0;
}

Freqs normalise(const Weights& weights, std::size_t size) {
  std::uint64_t sum = 0;
  for (std::size_t k = 0; k < size; ++k) sum += weights[k];
  // Division as a multiplication: weight * 2^14 / sum, both shifted so that the sum has 31 bits.
  const int drop = std::bit_width(sum) - 31;
  const auto scaled = [drop](std::uint64_t x) { return drop >= 0 ? x >> drop : x << -drop; };
  constexpr int kInverseBits = 61;
  const std::uint64_t inverse = (std::uint64_t{1} << kInverseBits) / scaled(sum);
  constexpr int kShift = kInverseBits - kProbBits;
  Freqs freqs{};
  std::int32_t left = kProbScale;
  for (std::size_t k = 0; k < size; ++k) {
    if (weights[k] == 0) continue;
    const std::uint64_t share =
        (scaled(weights[k]) * inverse + (std::uint64_t{1} << (kShift - 1))) >> kShift;
    freqs[k] = static_cast<std::uint16_t>(std::max<std::uint64_t>(share, 1));
    left -= freqs[k];
  }
  while (left != 0) {  // the largest pays for the rounding of all; a second round is rare
    auto& largest =
        *std::max_element(freqs.begin(), freqs.begin() + static_cast<std::ptrdiff_t>(size));
    const std::int32_t change = left > 0 ? left : std::max(left, -((largest + 1) / 2));
    largest = static_cast<std::uint16_t>(largest + change);
    left -= change;
  }
  return freqs;
}

void DecodeTable::build(std::span<const std::uint8_t> tokens, const Freqs& freqs,
                        std::uint32_t direct_tokens) {
  std::uint32_t start = 0;
  std::uint32_t block = 0;
  for (std::size_t line = 0; line < tokens.size(); ++line) {
    const std::uint32_t token = tokens[line];
    lines[line] = {static_cast<std::uint16_t>(start), freqs[line],
                   token < direct_tokens ? token : kEscape + token};
    start += freqs[line];
    const std::uint32_t end_block = (start + (1u << kBlockBits) - 1) >> kBlockBits;
    if (end_block == block) continue;  // most rare tokens: a call would cost more than all else
    std::memset(first.data() + block, static_cast<int>(line), end_block - block);
    block = end_block;
  }
}

void build(EncodeTable& table, const Freqs& freqs) {
  std::uint32_t start = 0;
  for (int token = 0; token < kMaxTokens; ++token) {
    const std::uint16_t freq = freqs[token];
    table[token] = {freq != 0 ? reciprocal(freq) : 0, static_cast<std::uint16_t>(start), freq};
    start += freq;
  }
}

}  // namespace gscompress::entropy
