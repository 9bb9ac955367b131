// Binary model: each value as adaptive binary decisions, every decision with a model of its own in each
// context: is it zero, its sign, its magnitude in unary up to kUnary, then Exp-Golomb.
// Stream: range-coded bias, number of contexts, values, check byte.
#include <algorithm>
#include <array>
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

// P(one) as the mean of two averages in units of 2^-16; the first decisions weigh more, as the slow
// average is the plain mean until its window has filled.
class LearningBit {
 public:
  std::uint32_t p_one() const { return (static_cast<std::uint32_t>(fast_) + slow_ + 1) >> 1; }

  void learn(bool bit) {
    const int fast = std::min<int>(kFast, seen_ + 1);
    const int slow = kSlowness[seen_];
    if (bit) {
      fast_ = static_cast<std::uint16_t>(fast_ + ((kCeiling - fast_) >> fast));
      slow_ = static_cast<std::uint16_t>(slow_ + ((kCeiling - slow_) >> slow));
    } else {
      fast_ = static_cast<std::uint16_t>(fast_ - ((fast_ - kFloor) >> fast));
      slow_ = static_cast<std::uint16_t>(slow_ - ((slow_ - kFloor) >> slow));
    }
    if (seen_ + 1 < static_cast<int>(kSlowness.size())) ++seen_;
  }

 private:
  static constexpr int kFast = 5;
  static constexpr int kFloor = 32;  // keeps p_one away from 0 and 1
  static constexpr int kCeiling = 0x10000 - kFloor;
  // floor(log2(decisions seen + 1.5)) + 1, up to the final rate of 2^-8.
  static constexpr std::array<std::uint8_t, 256> kSlowness = [] {
    std::array<std::uint8_t, 256> rates{};
    for (int seen = 0; seen < 256; ++seen) {
      int rate = 1;
      while (rate < 8 && (3 << rate) <= 2 * (seen + 2)) ++rate;
      rates[static_cast<std::size_t>(seen)] = static_cast<std::uint8_t>(rate);
    }
    return rates;
  }();

  std::uint16_t fast_ = 0x8000;
  std::uint16_t slow_ = 0x8000;
  std::uint8_t seen_ = 0;
};

struct ValueModels {
  LearningBit zero;
  LearningBit negative;
  std::array<LearningBit, kUnary> more;  // more[k]: the magnitude is over k + 1
  GolombModel<LearningBit> rest;

  // `value` and the result in two's complement.
  template <class Coder>
  std::uint32_t code(Coder& coder, std::uint32_t value = 0) {
    if (coder.bit(zero, value == 0)) return 0;
    const bool below = coder.bit(negative, (value >> 31) != 0);
    const std::uint32_t size = below ? 0u - value : value;
    std::uint32_t magnitude = 1;
    while (magnitude <= kUnary && coder.bit(more[magnitude - 1], size > magnitude)) ++magnitude;
    if (magnitude > kUnary) magnitude += rest.code(coder, size - magnitude);
    return below ? 0u - magnitude : magnitude;
  }
};

template <class Coder>
void code_check(Coder& coder) {
  if (coder.raw(kCheckBits, kCheck) != kCheck) throw CorruptStream("the final check fails");
}

}  // namespace

void encode_binary(Bytes& out, const Input& input) {
  TokenScheme scheme = choose_scheme(input.values);
  std::size_t contexts = 1;
  if (!input.contexts.empty()) {
    contexts += *std::max_element(input.contexts.begin(), input.contexts.end());
  }
  RangeEncoder coder;
  code_bias(coder, scheme);
  code_context_count(coder, contexts);
  std::vector<ValueModels> models(contexts);
  for (std::size_t i = 0; i < input.values.size(); ++i) {
    auto& model = models[input.contexts.empty() ? 0 : input.contexts[i]];
    model.code(coder, static_cast<std::uint32_t>(input.values[i]) - scheme.bias);
  }
  code_check(coder);
  const Bytes bytes = coder.finish();
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void decode_binary(ByteReader& in, std::span<const std::uint16_t> contexts,
                   std::span<std::int32_t> out) {
  RangeDecoder coder(in.rest());
  TokenScheme scheme;
  code_bias(coder, scheme);
  const std::size_t encoded = code_context_count(coder, 0);
  check_contexts(contexts, encoded);
  std::vector<ValueModels> models(encoded);
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto& model = models[contexts.empty() ? 0 : contexts[i]];
    out[i] = static_cast<std::int32_t>(model.code(coder) + scheme.bias);
    if ((i & 0xfff) == 0) coder.check_overrun();
  }
  code_check(coder);
  coder.finish();
}

}  // namespace gscompress::entropy
