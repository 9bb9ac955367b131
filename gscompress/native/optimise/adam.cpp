#include "adam.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "../rasterizer/threads.h"

namespace gscompress {
namespace {

constexpr size_t kBlock = 1024;  // rows taken at a time, however many threads there are
constexpr size_t kLanes = 8;     // running sums, so that the loop can be vectorised

// Loops that are compiled for wide vectors as well; the results have the same bits.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define GSC_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define GSC_WIDE
#endif

// Updates the moments of some values; the sum of the denominators.
GSC_WIDE double average(const AdamRows& state, size_t begin, size_t end, float beta1, float beta2) {
  float* __restrict first = state.first;
  float* __restrict second = state.second;
  const float* __restrict gradients = state.gradients;
  for (size_t k = begin; k < end; ++k) {
    first[k] += (1 - beta1) * (gradients[k] - first[k]);
    second[k] = beta2 * second[k] + (1 - beta2) * gradients[k] * gradients[k];
  }
  float lanes[kLanes] = {};
  size_t k = begin;
  for (; k + kLanes <= end; k += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) lanes[j] += std::sqrt(second[k + j]);
  }
  double total = 0;
  for (; k < end; ++k) total += std::sqrt(second[k]);
  for (float lane : lanes) total += lane;
  return total;
}

GSC_WIDE void move(const AdamRows& state, size_t begin, size_t end, float extra) {
  const float* __restrict first = state.first;
  const float* __restrict second = state.second;
  const float* __restrict rates = state.rates;
  float* __restrict values = state.values;
  for (size_t i = begin; i < end; i += state.columns) {
    for (size_t c = 0; c < state.columns; ++c) {
      values[i + c] -= rates[c] * first[i + c] / (std::sqrt(second[i + c]) + extra);
    }
  }
}

}  // namespace

void adam_step(const AdamRows& state, float beta1, float beta2, float epsilon, float damping,
               int threads) {
  const size_t blocks = (state.rows + kBlock - 1) / kBlock;
  const auto each = [&](const auto& work) {
    raster::parallel_each(threads, static_cast<int>(blocks), [&](int b) {
      const size_t block = static_cast<size_t>(b), begin = block * kBlock;
      work(block, begin * state.columns, std::min(begin + kBlock, state.rows) * state.columns);
    });
  };
  std::vector<double> sums(blocks);
  each([&](size_t block, size_t begin, size_t end) {
    sums[block] = average(state, begin, end, beta1, beta2);
  });
  double total = 0;
  for (double sum : sums) total += sum;
  const double count = static_cast<double>(std::max<size_t>(state.rows * state.columns, 1));
  const float extra = epsilon + static_cast<float>(damping * total / count);
  each([&](size_t, size_t begin, size_t end) { move(state, begin, end, extra); });
}

}  // namespace gscompress
