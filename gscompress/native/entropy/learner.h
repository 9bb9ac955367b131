// Tables of frequencies that learn from the tokens seen.
//
// Each table counts its tokens and is rebuilt from the counts, first often, then every
// kShortestWait to kLongestWait tokens. A table's counts are mixed with those of all tables
// (weighing kPriorCounts tokens), so that a context that is new or rare behaves like the average
// one.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "freq_table.h"
#include "head.h"

namespace gscompress::entropy {

inline constexpr std::uint32_t kPriorCounts = 16;
inline constexpr std::uint32_t kShapeCounts =
    4;  // weight of the starting shape in the counts of all
inline constexpr std::uint32_t kLongestWait = 128;
inline constexpr std::uint32_t kShortestWait =
    32;  // for a table that has been rebuilt kYoung times
inline constexpr std::uint32_t kYoung = 32;
inline constexpr int kWindows = 4;
inline constexpr std::array<std::uint32_t, kWindows> kWindow = {1u << 7, 1u << 9, 1u << 11,
                                                                1u << 20};

inline std::uint32_t shape_weight(std::uint32_t line, int slope) {
  const int top = Level::count(3) - 1;
  return Level::weight(std::max(1, top - slope * static_cast<int>(line)), 3);
}

// Counts of all tables, by line: the number of a token among the used ones.
class Learner {
 public:
  struct Table {
    std::array<std::uint32_t, kMaxTokens> counts{};
    std::uint32_t total = 0;
    std::uint32_t wait = 0;  // tokens until the next rebuild; 0: never built
    std::uint32_t age = 0;   // rebuilds so far
  };

  // `used`: which tokens occur. `slope`, `window`: see the head of adaptive streams.
  Learner(const std::array<bool, kMaxTokens>& used, int slope, int window)
      : window_(kWindow[static_cast<std::size_t>(window)]) {
    for (int t = 0; t < kMaxTokens; ++t) {
      if (used[t]) tokens_.push_back(static_cast<std::uint8_t>(t));
    }
    std::uint64_t sum = 0;
    shape_.resize(tokens_.size());
    for (std::uint32_t k = 0; k < shape_.size(); ++k) sum += shape_weight(k, slope);
    for (std::uint32_t k = 0; k < shape_.size(); ++k) {
      shape_[k] = (std::uint64_t{shape_weight(k, slope)} << 8) * kShapeCounts / sum;
    }
  }

  // Counts a token; true when the table is due to be rebuilt.
  bool count(Table& table, std::size_t line) {
    ++table.counts[line];
    ++table.total;
    ++all_.counts[line];
    ++all_.total;
    return --table.wait == 0;
  }

  // Frequencies by line.
  Freqs rebuild(Table& table) {
    if (table.total >= window_) halve(table);
    if (all_.total >= kWindow.back()) halve(all_);
    table.wait = std::clamp(table.total / 8, table.age < kYoung ? 1u : kShortestWait, kLongestWait);
    ++table.age;
    Weights weights;
    const std::uint64_t share = (std::uint64_t{kPriorCounts} << 32) / (all_.total + kShapeCounts);
    for (std::size_t line = 0; line < tokens_.size(); ++line) {
      const std::uint64_t all = (std::uint64_t{all_.counts[line]} << 8) + shape_[line];
      weights[line] = (std::uint64_t{table.counts[line]} << 16) + (all * share >> 24) + 1;
    }
    return normalise(weights, tokens_.size());
  }

  const std::vector<std::uint8_t>& tokens() const { return tokens_; }

 private:
  void halve(Table& table) const {
    table.total = 0;
    for (std::size_t line = 0; line < tokens_.size(); ++line) {
      table.counts[line] >>= 1;
      table.total += table.counts[line];
    }
  }

  std::uint32_t window_;
  std::vector<std::uint8_t> tokens_;  // [lines]
  std::vector<std::uint64_t> shape_;  // [lines] starting counts in units of 2^-8
  Table all_;
};

}  // namespace gscompress::entropy
