// Quantised frequencies and the tables that rANS steps look up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tokens.h"

namespace gscompress::entropy {

inline constexpr int kProbBits = 14;
inline constexpr std::uint32_t kProbScale = 1u << kProbBits;

using Counts = std::array<std::uint32_t, kMaxTokens>;
using Weights = std::array<std::uint64_t, kMaxTokens>;  // any scale; their sum stays below 2^48
using Freqs = std::array<std::uint16_t, kMaxTokens>;    // sum to kProbScale

// Weights to frequencies: a weight above 0 gets a frequency of at least 1. Integer arithmetic, the
// same on both sides. Only the first `size` weights count; at least one of them must be above 0.
Freqs normalise(const Weights& weights, std::size_t size = kMaxTokens);

// One line of a decoding table: slots start .. start + freq - 1 mean `code`, which is a folded
// number or, from kEscape on, kEscape + a token with stored bits.
struct DecodeEntry {
  std::uint16_t start;
  std::uint16_t freq;
  std::uint32_t code;
};
inline constexpr std::uint32_t kEscape = 1u << 16;

// Decoding: `first` gives the line of a block of 16 slots' first slot, from which a short forward
// search finds the line of the slot. Small (1 to 3 KiB) although probabilities have 14 bits.
struct DecodeTable {
  static constexpr int kBlockBits = 4;
  std::array<std::uint8_t, (kProbScale >> kBlockBits)> first;
  std::array<DecodeEntry, kMaxTokens> lines;

  // One line for each of `tokens`, in rising order, which have the frequencies, none of them 0.
  void build(std::span<const std::uint8_t> tokens, const Freqs& freqs, std::uint32_t direct_tokens);
};

// Encoding: x / freq as a multiplication, exact for x < freq << (32 - kProbBits):
// with r = floor(2^46 / f) + 1, x * r / 2^46 is too large by less than 1 / f (x * f < 2^46).
inline constexpr int kReciprocalShift = 46;
inline std::uint64_t reciprocal(std::uint32_t freq) {
  return (std::uint64_t{1} << kReciprocalShift) / freq + 1;
}

struct EncodeEntry {
  std::uint64_t reciprocal;
  std::uint16_t start;
  std::uint16_t freq;
};
using EncodeTable = std::array<EncodeEntry, kMaxTokens>;
void build(EncodeTable& table, const Freqs& freqs);

// log2(x) for x >= 1 in units of 2^-16, from integer arithmetic alone, so that what the encoder
// decides by cost is the same on every machine.
std::uint32_t log2_fixed(std::uint32_t x);
inline constexpr int kLogBits = 16;

// sum of count * log2(total / count) in units of 2^-16 bits.
std::uint64_t entropy_cost(std::span<const std::uint32_t> counts);

}  // namespace gscompress::entropy
