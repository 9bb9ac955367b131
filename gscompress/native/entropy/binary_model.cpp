// Binary model: each value as adaptive binary decisions, every decision with a model of its own in
// each context: is it zero, its sign, its magnitude in unary up to kUnary, then Exp-Golomb. Stream:
// all range-coded: bias, number of contexts, rates, values, check byte.
#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <memory>
#include <vector>

#include "coder.h"
#include "head.h"
#include "lanes.h"
#include "range_coder.h"
#include "scheme.h"

namespace gscompress::entropy {

namespace {

constexpr int kUnary = 14;
constexpr std::uint32_t kCheck = 0xa5;
constexpr int kCheckBits = 8;
constexpr int kRateBits = 2;
constexpr std::size_t kTrial = 1u << 14;  // values on which the rates are tried

// P(one) as the mean of two averages in units of 2^-22: a fast one, whose steps shrink to 2^-Fast,
// and a slow one. While they are new, both are about the plain mean of what they have seen.
template <int Fast, int Slow>
class LearningBit {
 public:
  std::uint32_t p_one() const { return (fast_ + slow_) >> (kUnit - 16 + 1); }

  void learn(bool bit) {
    const std::uint32_t target = bit ? kCeiling : kFloor;
    const int step = std::bit_width(std::uint32_t{seen_} + 2) - 1;  // 1, 1, 2, 2, 2, 2, 3, ...
    fast_ += static_cast<std::uint32_t>(static_cast<std::int32_t>(target - fast_) >>
                                        std::min(step, Fast));
    slow_ += static_cast<std::uint32_t>(static_cast<std::int32_t>(target - slow_) >>
                                        std::min(step, Slow));
    if (seen_ < (1 << Slow)) ++seen_;
  }

 private:
  static constexpr int kUnit = 22;
  static constexpr std::uint32_t kFloor = 12u << (kUnit - 16);  // keeps p_one away from 0 and 1
  static constexpr std::uint32_t kCeiling = (1u << kUnit) - kFloor;

  std::uint32_t fast_ = 1u << (kUnit - 1);
  std::uint32_t slow_ = 1u << (kUnit - 1);
  std::uint16_t seen_ = 0;
};

// Magnitudes beyond the unary part: bits of value + 1 below its leading one in unary, then these
// bits, the first kTree of them with models that know the ones before.
template <class Bit>
class TailModel {
 public:
  template <class Coder>
  std::uint32_t code(Coder& coder, std::uint32_t value) {
    const std::uint64_t shifted = std::uint64_t{value} + 1;
    const int wanted = Coder::kEncodes ? 63 - std::countl_zero(shifted) : 0;
    int bits = 0;
    while (bits < 32 && coder.bit(more_[static_cast<std::size_t>(bits)], bits < wanted)) ++bits;
    const int modelled = std::min(bits, kTree);
    std::uint64_t result = 1;
    for (int k = 0; k < modelled; ++k) {
      auto& model = tree_[static_cast<std::size_t>(std::min(bits, kTrees) - 1)][result - 1];
      result = result << 1 | (coder.bit(model, (shifted >> (bits - 1 - k)) & 1) ? 1u : 0u);
    }
    const int rest = bits - modelled;
    const auto low = static_cast<std::uint32_t>(shifted & ((std::uint64_t{1} << rest) - 1));
    result = (result << rest | coder.raw(rest, low)) - 1;
    if (result > std::numeric_limits<std::uint32_t>::max()) {
      throw CorruptStream("a number is too long");
    }
    return static_cast<std::uint32_t>(result);
  }

 private:
  static constexpr int kTree = 3;
  static constexpr int kTrees = 8;  // longer numbers share the last tree
  std::array<Bit, 32> more_{};
  std::array<std::array<Bit, (1 << kTree) - 1>, kTrees> tree_{};
};

template <class Bit>
struct ValueModels {
  Bit zero;
  Bit negative;
  std::array<Bit, kUnary> more;  // more[k]: the magnitude is over k + 1
  TailModel<Bit> tail;

  // `value` and the result in two's complement.
  template <class Coder>
  std::uint32_t code(Coder& coder, std::uint32_t value) {
    if (coder.bit(zero, value == 0)) return 0;
    const bool below = coder.bit(negative, (value >> 31) != 0);
    const std::uint32_t size = below ? 0u - value : value;
    std::uint32_t magnitude = 1;
    while (magnitude <= kUnary && coder.bit(more[magnitude - 1], size > magnitude)) ++magnitude;
    if (magnitude > kUnary) magnitude += tail.code(coder, size - magnitude);
    return below ? 0u - magnitude : magnitude;
  }
};

// Models of the contexts, made when first met: few of many contexts may occur.
template <class Bit>
class ContextModels {
 public:
  explicit ContextModels(std::size_t contexts) : models_(contexts) {}

  ValueModels<Bit>& at(std::size_t context) {
    auto& models = models_[context];
    if (!models) models = std::make_unique<ValueModels<Bit>>();
    return *models;
  }

 private:
  std::vector<std::unique_ptr<ValueModels<Bit>>> models_;
};

std::size_t context_of(std::span<const std::uint16_t> contexts, std::size_t i) {
  return contexts.empty() ? 0 : contexts[i];
}

// Calls `run` with the bit model of the rates' number.
template <class Run>
auto with_rates(std::uint32_t rates, Run run) {
  switch (rates) {
    case 0:
      return run(LearningBit<4, 7>{});
    case 1:
      return run(LearningBit<5, 8>{});
    case 2:
      return run(LearningBit<6, 10>{});
    default:
      return run(LearningBit<7, 12>{});
  }
}

struct Head {
  TokenScheme scheme;  // only its bias
  std::size_t contexts = 1;
  std::uint32_t rates = 0;
};

template <class Coder>
void code_head(Coder& coder, Head& head) {
  code_bias(coder, head.scheme);
  head.contexts = code_context_count(coder, head.contexts);
  head.rates = coder.raw(kRateBits, head.rates);
}

Bytes encode_at_rates(const Input& input, Head head) {
  RangeEncoder coder;
  code_head(coder, head);
  with_rates(head.rates, [&](auto bit) {
    ContextModels<decltype(bit)> models(head.contexts);
    for (std::size_t i = 0; i < input.values.size(); ++i) {
      auto& model = models.at(context_of(input.contexts, i));
      model.code(coder, static_cast<std::uint32_t>(input.values[i]) - head.scheme.bias);
    }
  });
  coder.raw(kCheckBits, kCheck);
  return coder.finish();
}

// The rates under which some values from the middle of the stream take the fewest bytes.
std::uint32_t best_rates(const Input& input, Head head) {
  const std::size_t count = std::min(input.values.size(), kTrial);
  const std::size_t from = (input.values.size() - count) / 2;
  const Input some{input.values.subspan(from, count),
                   input.contexts.empty() ? input.contexts : input.contexts.subspan(from, count)};
  std::uint32_t best = 0;
  std::size_t best_size = std::numeric_limits<std::size_t>::max();
  for (head.rates = 0; head.rates < 1u << kRateBits; ++head.rates) {
    const std::size_t size = encode_at_rates(some, head).size();
    if (size < best_size) {
      best_size = size;
      best = head.rates;
    }
  }
  return best;
}

template <class Bit>
class BinaryReader : public ValueReader {
 public:
  BinaryReader(const Head& head, const RangeDecoder& coder)
      : head_(head), models_(head.contexts), coder_(coder) {}

  void read(std::span<const std::uint16_t> contexts, std::span<std::int32_t> out) override {
    constexpr std::size_t kCheckEvery = 4096;
    check_contexts(contexts, head_.contexts);
    for (std::size_t i = 0; i < out.size(); ++i) {
      auto& model = models_.at(context_of(contexts, i));
      out[i] = static_cast<std::int32_t>(model.code(coder_, 0) + head_.scheme.bias);
      if (i % kCheckEvery == 0) coder_.check_overrun();
    }
  }

  void finish() override {
    if (coder_.raw(kCheckBits) != kCheck) throw CorruptStream("the final check fails");
    coder_.finish();
  }

 private:
  Head head_;
  ContextModels<Bit> models_;
  RangeDecoder coder_;
};

}  // namespace

void encode_binary(Bytes& out, const Input& input) {
  Head head;
  head.scheme = choose_scheme(input.values);
  if (!input.contexts.empty()) {
    head.contexts += *std::max_element(input.contexts.begin(), input.contexts.end());
  }
  head.rates = best_rates(input, head);
  const Bytes bytes = encode_at_rates(input, head);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::unique_ptr<ValueReader> open_binary(ByteReader in) {
  RangeDecoder coder(in.rest());
  Head head;
  code_head(coder, head);
  return with_rates(head.rates, [&](auto bit) -> std::unique_ptr<ValueReader> {
    return std::make_unique<BinaryReader<decltype(bit)>>(head, coder);
  });
}

}  // namespace gscompress::entropy
