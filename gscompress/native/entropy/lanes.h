// How many lanes a stream has, and the checks that all models share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "bytes.h"
#include "rans.h"
#include "tokens.h"

namespace gscompress::entropy {

inline constexpr std::size_t kManyValues = 2048;  // from here on four lanes (16 bytes) are worth it

// Returns the number of lanes.
template <class Model>
int encode_with(Bytes& out, const Model& model, const TokenScheme& scheme,
                std::span<const std::int32_t> values) {
  if (values.size() < kManyValues) {
    encode_values<1>(out, model, scheme, values);
    return 1;
  }
  encode_values<4>(out, model, scheme, values);
  return 4;
}

// Calls `make` with a LaneReader of so many lanes.
template <class Make>
auto with_lanes(ByteReader& in, int lanes, Make make) {
  return lanes == 1 ? make(LaneReader<1>(in)) : make(LaneReader<4>(in));
}

// The contexts given are among the encoded ones. None: all are 0.
inline void check_contexts(std::span<const std::uint16_t> contexts, std::size_t encoded) {
  if (contexts.empty()) {
    if (encoded > 1) throw CorruptStream("contexts are missing");
  } else if (*std::max_element(contexts.begin(), contexts.end()) >= encoded) {
    throw CorruptStream("a context has no table");
  }
}

}  // namespace gscompress::entropy
