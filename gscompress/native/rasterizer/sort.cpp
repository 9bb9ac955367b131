#include "sort.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace gscompress::raster {
namespace {

constexpr int kPasses = 3;
constexpr int kMaxDigitBits = 11;  // 3 x 11 bits hold any key; usually 9 do

}  // namespace

// Least-significant-digit radix sort of the keys above the nearest one.
void sort_by_depth(Buffer<DepthKey>& keys, Buffer<DepthKey>& spare, std::size_t size) {
  if (size < 2) return;
  const DepthKey* data = keys.data();
  const auto [nearest, farthest] = std::minmax_element(
      data, data + size, [](const DepthKey& a, const DepthKey& b) { return a.depth < b.depth; });
  const std::uint32_t base = nearest->depth;
  const int bits = static_cast<int>(std::bit_width(farthest->depth - base));
  const int digit_bits = std::max((bits + kPasses - 1) / kPasses, 1);
  const std::uint32_t mask = (1u << digit_bits) - 1;

  std::array<std::array<std::uint32_t, 1 << kMaxDigitBits>, kPasses> next{};
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint32_t key = data[i].depth - base;
    for (int pass = 0; pass < kPasses; ++pass) {
      ++next[static_cast<std::size_t>(pass)][key >> (pass * digit_bits) & mask];
    }
  }
  spare.reserve(size);
  for (int pass = 0; pass < kPasses && pass * digit_bits < bits; ++pass) {
    auto& place = next[static_cast<std::size_t>(pass)];
    std::uint32_t sum = 0;
    for (std::uint32_t& p : place) sum += std::exchange(p, sum);
    const DepthKey* from = keys.data();
    DepthKey* to = spare.data();
    for (std::size_t i = 0; i < size; ++i) {
      to[place[(from[i].depth - base) >> (pass * digit_bits) & mask]++] = from[i];
    }
    std::swap(keys, spare);
  }
}

}  // namespace gscompress::raster
