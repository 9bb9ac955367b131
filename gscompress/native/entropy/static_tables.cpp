#include "static_tables.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "head.h"
#include "range_coder.h"

namespace gscompress::entropy {

namespace {

constexpr int kWeightBits = Level::kWeightBits;
constexpr int kMaxResolution = 3;  // of levels: 2^3 steps per octave

using Levels = std::array<std::int16_t, kMaxTokens>;

struct Table {
  int tokens = 0;  // those from here on have level 0
  Levels levels{};
};

// What adapts while the tables are coded.
struct TableModels {
  HeadBit longer;
  GolombModel<HeadBit> length;
  std::array<HeadBit, 8> zero;
  struct Residual {
    HeadBit exact, above;
    GolombModel<HeadBit> size;
  };
  std::array<Residual, 3> residual;
};

// What level t should be, from those before it (its mirror image t - 1, its neighbour t - 2) and
// from the previous table, and how far that can be trusted (0: not at all).
struct Guess {
  int level = 0;
  int trust = 0;
};

Guess guess(const Levels& levels, int t, const Table* previous, int s) {
  int total = 0;
  int terms = 0;
  for (int back = 1; back <= 2 && back <= t; ++back) {
    if (levels[t - back] == 0) continue;
    int level = levels[t - back];
    if (previous != nullptr && previous->levels[t] != 0 && previous->levels[t - back] != 0) {
      level += previous->levels[t] - previous->levels[t - back];
    }
    total += level;
    ++terms;
  }
  Guess result;
  if (terms == 0) {
    result.level = previous != nullptr && previous->levels[t] != 0 ? previous->levels[t]
                                                                   : (kWeightBits - 3) << s;
  } else {
    result.level = terms == 2 ? total >> 1 : total;
    result.trust = previous != nullptr && previous->levels[t] != 0 ? 2 : 1;
  }
  result.level = std::clamp(result.level, 1, Level::count(s) - 1);
  return result;
}

std::size_t zero_context(const Levels& levels, int t, const Table* previous) {
  return (t >= 1 && levels[t - 1] != 0 ? 1u : 0u) + (t >= 2 && levels[t - 2] != 0 ? 2u : 0u) +
         (previous != nullptr && previous->levels[t] != 0 ? 4u : 0u);
}

template <class Coder>
void code_table(Coder& coder, TableModels& models, Table& table, const Table* previous,
                int max_tokens, int s) {
  const int expected = previous != nullptr ? previous->tokens : max_tokens;
  const bool longer = coder.bit(models.longer, table.tokens > expected);
  const auto difference = static_cast<std::int64_t>(
      models.length.code(coder, static_cast<std::uint32_t>(std::abs(table.tokens - expected))));
  const std::int64_t tokens = longer ? expected + difference : expected - difference;
  if (tokens < 1 || tokens > max_tokens) throw CorruptStream("a table's length is out of range");
  table.tokens = static_cast<int>(tokens);
  for (int t = 0; t < table.tokens; ++t) {
    auto& level = table.levels[t];
    if (t + 1 < table.tokens &&
        coder.bit(models.zero[zero_context(table.levels, t, previous)], level == 0)) {
      level = 0;
      continue;
    }
    const Guess expected_level = guess(table.levels, t, previous, s);
    auto& residual = models.residual[static_cast<std::size_t>(expected_level.trust)];
    int delta = level - expected_level.level;
    if (coder.bit(residual.exact, delta == 0)) {
      delta = 0;
    } else {
      const bool above = coder.bit(residual.above, delta > 0);
      const std::uint32_t size =
          1 + residual.size.code(coder, static_cast<std::uint32_t>(std::abs(delta) - 1));
      if (size == 0 || size > static_cast<std::uint32_t>(Level::count(s))) {
        throw CorruptStream("a frequency is out of range");
      }
      delta = above ? static_cast<int>(size) : -static_cast<int>(size);
    }
    const int value = expected_level.level + delta;
    if (value < 1 || value >= Level::count(s)) throw CorruptStream("a frequency is out of range");
    level = static_cast<std::int16_t>(value);
  }
}

struct Head {
  StreamShape shape;
  int resolution = 0;
  std::vector<Table> tables;
};

template <class Coder>
void code_head(Coder& coder, Head& head) {
  code_scheme(coder, head.shape);
  code_map(coder, head.shape);
  head.resolution = static_cast<int>(coder.raw(2, static_cast<std::uint32_t>(head.resolution)));
  head.tables.resize(head.shape.tables);
  TableModels models;
  for (std::size_t k = 0; k < head.tables.size(); ++k) {
    code_table(coder, models, head.tables[k], k > 0 ? &head.tables[k - 1] : nullptr,
               head.shape.max_tokens, head.resolution);
  }
}

Freqs freqs_of(const Table& table, int s) {
  Weights weights{};
  for (int t = 0; t < kMaxTokens; ++t) weights[t] = Level::weight(table.levels[t], s);
  return normalise(weights);
}

// --- the encoder's choices

// About what a level costs to code, in units of 2^-16 bits, by its distance from the guess.
std::int64_t residual_cost(int distance) {
  return distance == 0
             ? std::int64_t{1} << kLogBits
             : (std::int64_t{2} << kLogBits) + 2 * log2_fixed(static_cast<std::uint32_t>(distance));
}

// Cost of coding `count` of `total` symbols with a weight, up to a constant: the Poisson divergence
// total * p - count * log(p), which accounts for the normalisation of the table to first order.
std::int64_t symbol_cost(std::uint32_t count, std::uint64_t total, std::uint32_t weight, int s) {
  constexpr std::uint64_t kInverseLn2 = 94548;  // in units of 2^-16
  const std::uint64_t mass = ((total * weight) >> s) * kInverseLn2 >> kWeightBits;
  return static_cast<std::int64_t>(mass) -
         static_cast<std::int64_t>(std::uint64_t{count} * log2_fixed(weight));
}

int nearest_level(std::uint32_t count, std::uint64_t total, int s) {
  const std::uint64_t target = (std::uint64_t{count} << (kWeightBits + s)) / total;
  const int e = static_cast<int>(std::bit_width(target)) - 1 - s;
  if (e < 0) return 1;
  const int below = 1 + (e << s) + static_cast<int>((target >> e) - (1u << s));
  if (below + 1 == Level::count(s)) return below;
  const std::uint64_t middle = std::uint64_t{Level::weight(below, s)} + Level::weight(below + 1, s);
  return middle <= 2 * target ? below + 1 : below;
}

Table choose_levels(const Counts& counts, const Table* previous, int s) {
  std::uint64_t total = 0;
  Table table;
  for (int t = 0; t < kMaxTokens; ++t) {
    total += counts[t];
    if (counts[t] != 0) table.tokens = t + 1;
  }
  for (int t = 0; t < table.tokens; ++t) {
    if (counts[t] == 0) continue;
    const int exact = nearest_level(counts[t], total, s);
    const Guess expected = guess(table.levels, t, previous, s);
    const int step = expected.level >= exact ? 1 : -1;
    std::int64_t best = std::numeric_limits<std::int64_t>::max();
    for (int level = exact;; level += step) {  // from the exact level to the cheap one
      const std::int64_t cost = symbol_cost(counts[t], total, Level::weight(level, s), s) +
                                residual_cost(std::abs(level - expected.level));
      if (cost < best) {
        best = cost;
        table.levels[t] = static_cast<std::int16_t>(level);
      }
      if (level == expected.level) break;
    }
  }
  return table;
}

// Bits of the symbols under the quantised tables, in units of 2^-16.
std::uint64_t payload_cost(const Counts& counts, const Freqs& freqs) {
  std::uint64_t bits = 0;
  for (int t = 0; t < kMaxTokens; ++t) {
    if (counts[t] == 0) continue;
    bits += std::uint64_t{counts[t]} * ((kProbBits << kLogBits) - log2_fixed(freqs[t]));
  }
  return bits;
}

}  // namespace

StaticTables write_tables(Bytes& out, const TokenScheme& scheme, const Clusters& clusters) {
  StaticTables best;
  Bytes best_head;
  std::uint64_t best_cost = std::numeric_limits<std::uint64_t>::max();
  for (int s = 0; s <= kMaxResolution; ++s) {
    Head head{{scheme, 1, clusters.table_of, clusters.counts.size()}, s, {}};
    std::vector<Freqs> freqs;
    std::uint64_t cost = 0;
    for (std::size_t k = 0; k < clusters.counts.size(); ++k) {
      head.tables.push_back(
          choose_levels(clusters.counts[k], k > 0 ? &head.tables[k - 1] : nullptr, s));
      head.shape.max_tokens = std::max(head.shape.max_tokens, head.tables.back().tokens);
      freqs.push_back(freqs_of(head.tables.back(), s));
      cost += payload_cost(clusters.counts[k], freqs.back());
    }
    RangeEncoder coder;
    code_head(coder, head);
    Bytes bytes = coder.finish();
    cost += static_cast<std::uint64_t>(bytes.size()) << (3 + kLogBits);
    if (cost < best_cost) {
      best_cost = cost;
      best_head = std::move(bytes);
      best = {scheme, clusters.table_of, std::move(freqs)};
    }
  }
  put_varint(out, static_cast<std::uint32_t>(best_head.size()));
  out.insert(out.end(), best_head.begin(), best_head.end());
  return best;
}

StaticTables read_tables(std::span<const std::uint8_t> bytes) {
  Head head;
  RangeDecoder coder(bytes);
  code_head(coder, head);
  coder.finish();
  StaticTables result{head.shape.scheme, std::move(head.shape.table_of), {}};
  for (const Table& table : head.tables) {
    result.freqs.push_back(freqs_of(table, head.resolution));
  }
  return result;
}

}  // namespace gscompress::entropy
