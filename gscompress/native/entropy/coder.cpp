#include "coder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "scheme.h"
#include "tokens.h"

namespace gscompress::entropy {

namespace {

constexpr std::uint8_t kModelMask = 7;
constexpr std::uint8_t kFourLanes = 8;
constexpr std::size_t kWorthSlower = 256;  // adaptive must save 1 / kWorthSlower of static
constexpr std::size_t kFewValues = 4096;  // up to so many the time of the binary model does not matter

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

}  // namespace

Bytes encode(const Input& input, Model model) {
  if (input.values.empty()) return start(Model::kConstant, input);
  if (constant(input.values)) {
    Bytes out = start(Model::kConstant, input);
    put_varint(out, fold(static_cast<std::uint32_t>(input.values[0])));
    return out;
  }
  const bool any = model == Model::kSmallest;
  const bool fast = any || model == Model::kAuto;
  Bytes best;
  const auto keep_smaller = [&best](Bytes bytes) {
    if (best.empty() || bytes.size() < best.size()) best = std::move(bytes);
  };
  if (any || model == Model::kBinary || (fast && input.values.size() <= kFewValues)) {
    best = start(Model::kBinary, input);
    encode_binary(best, input);
    if (model == Model::kBinary) return best;
  }
  const Tokens tokens = make_tokens(input);
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  if (fast || model == Model::kStatic) {
    Bytes bytes = start(Model::kStatic, input);
    if (encode_static(bytes, input, tokens) == 4) bytes[0] |= kFourLanes;
    limit = bytes.size() - (any ? 0 : bytes.size() / kWorthSlower);
    keep_smaller(std::move(bytes));
  }
  if (fast || model == Model::kAdaptive) {
    Bytes bytes = start(Model::kAdaptive, input);
    const int lanes = encode_adaptive(bytes, input, tokens, limit);
    if (lanes == 4) bytes[0] |= kFourLanes;
    if (lanes != 0 && bytes.size() < limit) keep_smaller(std::move(bytes));
  }
  return best;
}

std::size_t stored_count(std::span<const std::uint8_t> data) {
  ByteReader in(data);
  in.byte();
  return in.varint();
}

void decode(std::span<const std::uint8_t> data, std::span<const std::uint16_t> contexts,
            std::span<std::int32_t> out) {
  ByteReader in(data);
  const std::uint8_t head = in.byte();
  const auto model = static_cast<Model>(head & kModelMask);
  const int lanes = (head & kFourLanes) != 0 ? 4 : 1;
  if (head > (kModelMask | kFourLanes)) throw CorruptStream("the model is unknown");
  if (in.varint() != out.size()) throw CorruptStream("the number of values differs");
  if (model == Model::kConstant) {
    if (lanes != 1) throw CorruptStream("the model is unknown");
    if (!out.empty()) {
      std::fill(out.begin(), out.end(), static_cast<std::int32_t>(unfold(in.varint())));
    }
    if (!in.rest().empty()) throw CorruptStream("bytes are left over");
  } else if (out.empty()) {
    throw CorruptStream("an empty stream has a model");
  } else if (model == Model::kStatic) {
    decode_static(in, lanes, contexts, out);
  } else if (model == Model::kAdaptive) {
    decode_adaptive(in, lanes, contexts, out);
  } else if (model == Model::kBinary && lanes == 1) {
    decode_binary(in, contexts, out);
  } else {
    throw CorruptStream("the model is unknown");
  }
}

}  // namespace gscompress::entropy
