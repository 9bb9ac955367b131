#include "adam.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "../rasterizer/threads.h"

namespace gscompress {
namespace {

constexpr size_t kBlock = 1024;  // rows whose sum is taken at a time, however many threads there are

// Updates the moments of some values; the sum of the denominators.
double average(const AdamRows& state, size_t begin, size_t end, float beta1, float beta2) {
  double total = 0;
  for (size_t i = begin; i < end; i += state.columns) {
    float row = 0;  // a row is short: its sum keeps its digits
    for (size_t k = i; k < i + state.columns; ++k) {
      const float gradient = state.gradients[k];
      state.first[k] += (1 - beta1) * (gradient - state.first[k]);
      state.second[k] = beta2 * state.second[k] + (1 - beta2) * gradient * gradient;
      row += std::sqrt(state.second[k]);
    }
    total += row;
  }
  return total;
}

void move(const AdamRows& state, size_t begin, size_t end, float extra) {
  for (size_t i = begin; i < end; i += state.columns) {
    for (size_t c = 0; c < state.columns; ++c) {
      const size_t k = i + c;
      state.values[k] -= state.rates[c] * state.first[k] / (std::sqrt(state.second[k]) + extra);
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
      work(block, begin * state.columns,
           std::min(begin + kBlock, state.rows) * state.columns);
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
