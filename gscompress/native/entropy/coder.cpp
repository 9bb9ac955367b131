#include "coder.h"

#include <algorithm>

#include "tokens.h"

namespace gscompress::entropy {

namespace {

constexpr std::uint8_t kModelMask = 7;
constexpr std::uint8_t kFourLanes = 8;

bool constant(std::span<const std::int32_t> values) {
  return std::all_of(values.begin(), values.end(), [&](std::int32_t v) { return v == values[0]; });
}

}  // namespace

Bytes encode(const Input& input, Model model) {
  const auto count = static_cast<std::uint32_t>(input.values.size());
  if (input.values.empty() || constant(input.values)) model = Model::kConstant;
  Bytes out{static_cast<std::uint8_t>(model)};
  put_varint(out, count);
  if (count == 0) return out;
  if (model == Model::kConstant) {
    put_varint(out, fold(static_cast<std::uint32_t>(input.values[0])));
  } else if (encode_static(out, input) == 4) {
    out[0] |= kFourLanes;
  }
  return out;
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
  } else {
    throw CorruptStream("the model is unknown");
  }
}

}  // namespace gscompress::entropy
