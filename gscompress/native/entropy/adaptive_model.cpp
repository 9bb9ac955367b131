// Adaptive model: each table counts the tokens it has seen and is rebuilt from the counts, first often,
// then every kShortestWait to kLongestWait tokens. A table's counts are mixed with those of all tables (weighing
// kPriorCounts tokens), so that a context that is new or rare behaves like the average one.
// Stream: varint size of the head, head, states, words (rans.h).
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "cluster.h"
#include "coder.h"
#include "head.h"
#include "lanes.h"
#include "rans.h"
#include "scheme.h"

namespace gscompress::entropy {

namespace {

constexpr std::uint32_t kPriorCounts = 16;
constexpr std::uint32_t kShapeCounts = 4;  // weight of the starting shape in the counts of all
constexpr std::uint32_t kLongestWait = 128;
constexpr std::uint32_t kShortestWait = 32;  // for a table that has been rebuilt kYoung times
constexpr std::uint32_t kYoung = 32;
constexpr int kSlopeBits = 5;
constexpr int kWindows = 4;
constexpr std::array<std::uint32_t, kWindows> kWindow = {1u << 7, 1u << 9, 1u << 11, 1u << 20};

struct Head {
  StreamShape shape;
  std::array<bool, kMaxTokens> used{};
  int slope = 0;   // starting shape: the weight falls by slope / 8 octaves per used token
  int window = 0;  // index into kWindow: counts are halved when they sum to this
};

template <class Coder>
void code_head(Coder& coder, Head& head) {
  code_scheme(coder, head.shape);
  code_map(coder, head.shape);
  std::array<HeadBit, 4> models;
  std::size_t recent = 3;
  bool any = false;
  for (int t = 0; t < head.shape.max_tokens; ++t) {
    const bool used = coder.bit(models[recent], head.used[t]);
    head.used[t] = used;
    recent = (recent << 1 | (used ? 1u : 0u)) & 3u;
    any = any || used;
  }
  if (!any) throw CorruptStream("no token is used");
  head.slope = static_cast<int>(coder.raw(kSlopeBits, static_cast<std::uint32_t>(head.slope)));
  head.window = static_cast<int>(coder.raw(2, static_cast<std::uint32_t>(head.window)));
}

std::uint32_t shape_weight(std::uint32_t line, int slope) {
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

  explicit Learner(const Head& head) : window_(kWindow[static_cast<std::size_t>(head.window)]) {
    for (int t = 0; t < kMaxTokens; ++t) {
      if (head.used[t]) tokens_.push_back(static_cast<std::uint8_t>(t));
    }
    std::uint64_t sum = 0;
    shape_.resize(tokens_.size());
    for (std::uint32_t k = 0; k < shape_.size(); ++k) sum += shape_weight(k, head.slope);
    for (std::uint32_t k = 0; k < shape_.size(); ++k) {
      shape_[k] = (std::uint64_t{shape_weight(k, head.slope)} << 8) * kShapeCounts / sum;
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
  std::vector<std::uint8_t> tokens_;    // [lines]
  std::vector<std::uint64_t> shape_;    // [lines] starting counts in units of 2^-8
  Table all_;
};

// --- encoding -------------------------------------------------------------------------------------

struct Slots {
  std::uint16_t start;
  std::uint16_t freq;
};

struct Recorded {
  const Slots* slots;
  const std::uint64_t* reciprocals;
  EncodeEntry entry(std::size_t i, std::uint32_t /*token*/) const {
    return {reciprocals[slots[i].freq], slots[i].start, slots[i].freq};
  }
};

std::vector<std::uint64_t> all_reciprocals() {
  std::vector<std::uint64_t> values(kProbScale + 1, 0);
  for (std::uint32_t freq = 1; freq <= kProbScale; ++freq) values[freq] = reciprocal(freq);
  return values;
}

// Runs the learner over all tokens: what each is coded with, and their cost in units of 2^-16 bits.
std::uint64_t learn_all(const Head& head, const Input& input, Slots* slots) {
  struct Coding {
    Learner::Table table;
    std::array<Slots, kMaxTokens> slots;
  };
  Learner learner(head);
  std::array<std::uint8_t, kMaxTokens> line_of{};
  for (std::size_t line = 0; line < learner.tokens().size(); ++line) {
    line_of[learner.tokens()[line]] = static_cast<std::uint8_t>(line);
  }
  std::vector<Coding> codings(head.shape.tables);
  const auto rebuild = [&](Coding& coding) {
    const Freqs freqs = learner.rebuild(coding.table);
    std::uint32_t start = 0;
    for (std::size_t line = 0; line < learner.tokens().size(); ++line) {
      coding.slots[line] = {static_cast<std::uint16_t>(start), freqs[line]};
      start += freqs[line];
    }
  };
  const TokenScheme& scheme = head.shape.scheme;
  std::uint64_t cost = 0;
  for (std::size_t i = 0; i < input.values.size(); ++i) {
    const std::size_t context = input.contexts.empty() ? 0 : input.contexts[i];
    Coding& coding = codings[head.shape.table_of[context]];
    if (coding.table.wait == 0) rebuild(coding);
    const std::size_t line = line_of[scheme.token(scheme.folded(input.values[i]))];
    const Slots slot = coding.slots[line];
    slots[i] = slot;
    cost += (kProbBits << kLogBits) - log2_fixed(slot.freq);
    if (learner.count(coding.table, line)) rebuild(coding);
  }
  return cost;
}

// The slope under which the starting shape is nearest to the counts of all tokens.
int best_slope(const Counts& all, const Head& head) {
  int best = 0;
  std::uint64_t best_cost = std::numeric_limits<std::uint64_t>::max();
  for (int slope = 0; slope < 1 << kSlopeBits; ++slope) {
    std::uint64_t cost = 0;
    std::uint64_t total = 0;
    std::uint64_t sum = 0;
    std::uint32_t line = 0;
    for (int t = 0; t < kMaxTokens; ++t) {
      if (!head.used[t]) continue;
      const std::uint32_t weight = shape_weight(line++, slope);
      total += all[t];
      sum += weight;
      cost += all[t] * std::uint64_t{(20u << kLogBits) - log2_fixed(weight)};
    }
    cost += total * log2_fixed(static_cast<std::uint32_t>(sum));
    if (cost < best_cost) {
      best_cost = cost;
      best = slope;
    }
  }
  return best;
}

struct Choice {
  std::unique_ptr<Slots[]> slots;
  int window = 0;
  std::uint64_t bits = std::numeric_limits<std::uint64_t>::max();  // of the tokens, without stored bits
};

// From the longest window down as long as that pays.
Choice best_window(Head head, const Input& input) {
  Choice best;
  auto slots = std::make_unique_for_overwrite<Slots[]>(input.values.size());
  for (head.window = kWindows - 1; head.window >= 0; --head.window) {
    const std::uint64_t bits = learn_all(head, input, slots.get()) >> kLogBits;
    if (bits >= best.bits) break;
    if (!best.slots) best.slots = std::make_unique_for_overwrite<Slots[]>(input.values.size());
    std::swap(best.slots, slots);
    best.window = head.window;
    best.bits = bits;
  }
  return best;
}

// --- decoding -------------------------------------------------------------------------------------

class Decoder {
 public:
  Decoder(const Head& head, std::span<const std::uint16_t> contexts)
      : head_(head),
        contexts_(contexts),
        learner_(head),
        codings_(std::make_unique_for_overwrite<Coding[]>(head.shape.tables)) {
    for (std::size_t k = 0; k < head.shape.tables; ++k) codings_[k].counts = {};
  }

  const DecodeTable& table(std::size_t i) {
    Coding& coding = coding_of(i);
    if (coding.counts.wait == 0) rebuild(coding);
    return coding.decode;
  }

  void learn(std::size_t i, std::ptrdiff_t line) {
    Coding& coding = coding_of(i);
    if (learner_.count(coding.counts, static_cast<std::size_t>(line))) rebuild(coding);
  }

 private:
  struct Coding {
    Learner::Table counts;
    DecodeTable decode;
  };

  Coding& coding_of(std::size_t i) {
    return codings_[head_.shape.table_of[contexts_.empty() ? 0 : contexts_[i]]];
  }

  void rebuild(Coding& coding) {
    coding.decode.build(learner_.tokens(), learner_.rebuild(coding.counts),
                        head_.shape.scheme.direct());
  }

  const Head& head_;
  std::span<const std::uint16_t> contexts_;
  Learner learner_;
  std::unique_ptr<Coding[]> codings_;
};

}  // namespace

int encode_adaptive(Bytes& out, const Input& input, const Tokens& tokens, std::size_t limit) {
  const Clusters& clusters = tokens.clusters;
  Head head;
  head.shape = {tokens.scheme, 1, clusters.table_of, clusters.counts.size()};
  Counts all{};
  for (const Counts& counts : clusters.counts) {
    for (int t = 0; t < kMaxTokens; ++t) all[t] += counts[t];
  }
  for (int t = 0; t < kMaxTokens; ++t) {
    head.used[t] = all[t] != 0;
    if (head.used[t]) head.shape.max_tokens = t + 1;
  }
  head.slope = best_slope(all, head);
  const auto [slots, window, bits] = best_window(head, input);
  if (bits / 8 > limit) return 0;
  head.window = window;
  RangeEncoder coder;
  code_head(coder, head);
  const Bytes bytes = coder.finish();
  put_varint(out, static_cast<std::uint32_t>(bytes.size()));
  out.insert(out.end(), bytes.begin(), bytes.end());
  static const std::vector<std::uint64_t> reciprocals = all_reciprocals();
  return encode_with(out, Recorded{slots.get(), reciprocals.data()}, head.shape.scheme,
                     input.values);
}

void decode_adaptive(ByteReader& in, int lanes, std::span<const std::uint16_t> contexts,
                     std::span<std::int32_t> out) {
  const std::uint32_t head_size = in.varint();
  RangeDecoder coder(in.take(head_size));
  Head head;
  code_head(coder, head);
  coder.finish();
  check_contexts(contexts, head.shape.table_of.size());
  decode_with(in, lanes, Decoder(head, contexts), head.shape.scheme, out);
}

}  // namespace gscompress::entropy
