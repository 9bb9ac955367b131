#include "coder.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include "scheme.h"
#include "tokens.h"

namespace gscompress::entropy {

namespace {

constexpr std::uint8_t kModelMask = 7;
constexpr std::uint8_t kFourLanes = 8;
constexpr std::size_t kWorthSlower = 256;   // a slower model must save 1 / kWorthSlower
constexpr std::size_t kFewValues = 4096;    // up to so many, time does not matter
constexpr std::uint64_t kFewDecisions = 2;  // in each value, besides whether it is zero

bool constant(std::span<const std::int32_t> values) {
  return std::all_of(values.begin(), values.end(), [&](std::int32_t v) { return v == values[0]; });
}

Tokens make_tokens(const Input& input) {
  const TokenScheme scheme = choose_scheme(input.values);
  std::size_t contexts = 1;
  if (!input.contexts.empty()) {
    contexts += *std::max_element(input.contexts.begin(), input.contexts.end());
  }
  std::vector<Counts> counts(contexts);
  for (std::size_t i = 0; i < input.values.size(); ++i) {
    const std::size_t context = input.contexts.empty() ? 0 : input.contexts[i];
    ++counts[context][scheme.token(scheme.folded(input.values[i]))];
  }
  return {scheme, cluster(counts)};
}

Bytes start(Model model, const Input& input) {
  Bytes out{static_cast<std::uint8_t>(model)};
  put_varint(out, static_cast<std::uint32_t>(input.values.size()));
  return out;
}

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

Bytes with_static(const Input& input, const Tokens& tokens) {
  Bytes out = start(Model::kStatic, input);
  if (encode_static(out, input, tokens) == 4) out[0] |= kFourLanes;
  return out;
}

// Empty if it would take more than `limit` bytes.
Bytes with_adaptive(const Input& input, const Tokens& tokens, std::size_t limit) {
  Bytes out = start(Model::kAdaptive, input);
  const int lanes = encode_adaptive(out, input, tokens, limit);
  if (lanes == 0) return {};
  if (lanes == 4) out[0] |= kFourLanes;
  return out;
}

Bytes binary(const Input& input) {
  Bytes out = start(Model::kBinary, input);
  encode_binary(out, input);
  return out;
}

// Whether the binary model is about as fast as the adaptive one.
bool few_decisions(std::span<const std::int32_t> values) {
  if (values.size() <= kFewValues) return true;
  std::uint64_t sum = 0;
  for (const std::int32_t value : values) {
    const std::int64_t magnitude = std::abs(std::int64_t{value});
    sum += static_cast<std::uint64_t>(std::min<std::int64_t>(magnitude, 20)) + (value != 0 ? 1 : 0);
  }
  return sum <= kFewDecisions * values.size();
}

class ConstantReader : public ValueReader {
 public:
  explicit ConstantReader(std::int32_t value) : value_(value) {}

  void read(std::span<const std::uint16_t> /*contexts*/, std::span<std::int32_t> out) override {
    std::fill(out.begin(), out.end(), value_);
  }

  void finish() override {}

 private:
  std::int32_t value_;
};

}  // namespace

Bytes encode(const Input& input, Model model) {
  if (input.values.empty()) return start(Model::kConstant, input);
  if (constant(input.values)) {
    Bytes out = start(Model::kConstant, input);
    put_varint(out, fold(static_cast<std::uint32_t>(input.values[0])));
    return out;
  }
  if (model == Model::kBinary) return binary(input);
  const Tokens tokens = make_tokens(input);
  if (model == Model::kStatic) return with_static(input, tokens);
  if (model == Model::kAdaptive) return with_adaptive(input, tokens, kNoLimit);

  const bool smallest = model == Model::kSmallest;
  Bytes best = with_static(input, tokens);
  const auto offer = [&best, smallest](Bytes bytes) {
    const std::size_t least_gain = smallest ? 1 : 1 + best.size() / kWorthSlower;
    if (!bytes.empty() && bytes.size() + least_gain <= best.size()) best = std::move(bytes);
  };
  if (smallest || few_decisions(input.values)) offer(binary(input));
  offer(with_adaptive(input, tokens, best.size()));
  return best;
}

std::size_t stored_count(std::span<const std::uint8_t> data) {
  ByteReader in(data);
  in.byte();
  return in.varint();
}

std::unique_ptr<ValueReader> open_stream(std::span<const std::uint8_t> data) {
  ByteReader in(data);
  const std::uint8_t head = in.byte();
  const auto model = static_cast<Model>(head & kModelMask);
  const int lanes = (head & kFourLanes) != 0 ? 4 : 1;
  if (head > (kModelMask | kFourLanes)) throw CorruptStream("the model is unknown");
  const std::uint32_t count = in.varint();
  if (model == Model::kConstant) {
    if (lanes != 1) throw CorruptStream("the model is unknown");
    const auto value = static_cast<std::int32_t>(count > 0 ? unfold(in.varint()) : 0);
    if (!in.rest().empty()) throw CorruptStream("bytes are left over");
    return std::make_unique<ConstantReader>(value);
  }
  if (count == 0) throw CorruptStream("an empty stream has a model");
  if (model == Model::kStatic) return open_static(in, lanes);
  if (model == Model::kAdaptive) return open_adaptive(in, lanes);
  if (model == Model::kBinary && lanes == 1) return open_binary(in);
  throw CorruptStream("the model is unknown");
}

void decode(std::span<const std::uint8_t> data, std::span<const std::uint16_t> contexts,
            std::span<std::int32_t> out) {
  if (stored_count(data) != out.size()) throw CorruptStream("the number of values differs");
  const auto reader = open_stream(data);
  if (!out.empty()) reader->read(contexts, out);
  reader->finish();
}

}  // namespace gscompress::entropy
