#include "scheme.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "freq_table.h"

namespace gscompress::entropy {

namespace {

constexpr std::size_t kSample = 4096;

std::vector<std::int32_t> sample(std::span<const std::int32_t> values) {
  const std::size_t stride = (values.size() + kSample - 1) / kSample;
  std::vector<std::int32_t> some;
  for (std::size_t i = 0; i < values.size(); i += stride) some.push_back(values[i]);
  return some;
}

// Bits of the sample in units of 2^-16: entropy of the tokens and the bits stored as they are.
std::uint64_t cost(std::span<const std::int32_t> some, const TokenScheme& scheme) {
  Counts counts{};
  std::uint64_t raw = 0;
  for (const std::int32_t value : some) {
    const std::uint32_t token = scheme.token(scheme.folded(value));
    ++counts[token];
    if (token >= scheme.direct()) raw += static_cast<std::uint64_t>(scheme.raw_bits(token));
  }
  return entropy_cost(counts) + (raw << kLogBits);
}

}  // namespace

TokenScheme choose_scheme(std::span<const std::int32_t> values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  auto some = sample(values);
  const auto middle = some.begin() + static_cast<std::ptrdiff_t>(some.size() / 2);
  std::nth_element(some.begin(), middle, some.end());
  const std::int64_t centre = (std::int64_t{*low} + *high) >> 1;
  TokenScheme best;
  std::uint64_t best_cost = std::numeric_limits<std::uint64_t>::max();
  for (const std::int64_t bias : {std::int64_t{0}, std::int64_t{*middle}, centre}) {
    TokenScheme scheme;
    scheme.bias = static_cast<std::uint32_t>(bias);
    const std::uint32_t largest = std::max(scheme.folded(*low), scheme.folded(*high));
    for (scheme.direct_bits = 8; scheme.direct_bits >= 4; --scheme.direct_bits) {
      scheme.mantissa_bits = 3;
      while (scheme.mantissa_bits > 0 && scheme.token(largest) >= kMaxTokens) {
        --scheme.mantissa_bits;
      }
      if (scheme.token(largest) >= kMaxTokens) continue;
      const std::uint64_t bits = cost(some, scheme);
      // A little is not worth a bias (kept at 0 where it can be, for the readers of dumps).
      const std::uint64_t slack =
          best_cost == std::numeric_limits<std::uint64_t>::max() ? 0 : best_cost >> 10;
      if (bits + slack < best_cost) {
        best_cost = bits;
        best = scheme;
      }
      if (largest < scheme.direct()) break;  // all direct: fewer direct tokens gain nothing
    }
  }
  return best;
}

}  // namespace gscompress::entropy
