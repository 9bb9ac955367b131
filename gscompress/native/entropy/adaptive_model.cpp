// Adaptive model: tables that learn (learner.h), nothing stored but what they start from.
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
#include "learner.h"
#include "rans.h"
#include "scheme.h"

namespace gscompress::entropy {

namespace {

constexpr int kSlopeBits = 5;

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

// --- encoding

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
  Learner learner(head.used, head.slope, head.window);
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
  std::uint64_t bits =
      std::numeric_limits<std::uint64_t>::max();  // of the tokens, without stored bits
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

// --- decoding

class Decoder {
 public:
  explicit Decoder(Head head)
      : head_(std::move(head)),
        learner_(head_.used, head_.slope, head_.window),
        codings_(std::make_unique_for_overwrite<Coding[]>(head_.shape.tables)) {
    for (std::size_t k = 0; k < head_.shape.tables; ++k) codings_[k].counts = {};
  }

  const Head& head() const { return head_; }

  // Of the values that come next.
  void set_contexts(std::span<const std::uint16_t> contexts) { contexts_ = contexts; }

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

  Head head_;
  std::span<const std::uint16_t> contexts_;
  Learner learner_;
  std::unique_ptr<Coding[]> codings_;
};

template <class Lanes>
class AdaptiveReader : public ValueReader {
 public:
  AdaptiveReader(Head head, const Lanes& lanes) : decoder_(std::move(head)), lanes_(lanes) {}

  void read(std::span<const std::uint16_t> contexts, std::span<std::int32_t> out) override {
    const StreamShape& shape = decoder_.head().shape;
    check_contexts(contexts, shape.table_of.size());
    decoder_.set_contexts(contexts);
    lanes_.read(decoder_, shape.scheme, out);
  }

  void finish() override { lanes_.finish(); }

 private:
  Decoder decoder_;
  Lanes lanes_;
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

std::unique_ptr<ValueReader> open_adaptive(ByteReader in, int lanes) {
  const std::uint32_t head_size = in.varint();
  RangeDecoder coder(in.take(head_size));
  Head head;
  code_head(coder, head);
  coder.finish();
  return with_lanes(in, lanes, [&](auto reader) -> std::unique_ptr<ValueReader> {
    return std::make_unique<AdaptiveReader<decltype(reader)>>(std::move(head), reader);
  });
}

}  // namespace gscompress::entropy
