// Adaptive bit models whose predictions are mixed in the logistic domain, in integers only
// (M. Mahoney, "Adaptive weighing of context models for lossless data compression", 2005).
//
// A bit model is a probability of a one (upper 22 bits) and a count of bits seen (lower 10). The
// predictions of several are stretched to ln(p / (1 - p)), weighted, summed and squashed to a
// probability; the weights follow the gradient of the coding cost. The same integers come out of
// every build.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gscompress {

constexpr int kInputs = 4;  // bit models per bit
constexpr uint32_t kFreshModel = (1u << 21) << 10;
constexpr uint32_t kSeenLimit = 127;  // a model's memory, in bits
constexpr int32_t kUnitWeight = 1 << 14;
constexpr int32_t kWeightLimit = 4 * kUnitWeight - 1;

// Tables of the logistic function, made by IEEE additions, multiplications and divisions only.
struct Logistic {
  alignas(64) int32_t stretch[4096];  // 256 ln(p / (1 - p)) at p = (i + 1/2) / 4096
  alignas(64) int32_t squash[4096];   // 65536 / (1 + exp(-x / 256)) at x = i - 2048, in 32..65504
  alignas(64) int32_t step[256];      // 8192 / (n + 1.5): what a model of n bits learns from one

  Logistic();
  static const Logistic& tables();
};

// What one bit is predicted to be; `predict`, code the bit, then `learn` it. Model i is
// models[base[i] + node]; no two of them are the same.
struct Prediction {
  uint32_t states[kInputs];
  int32_t inputs[kInputs];
  uint32_t p1;
};

inline Prediction predict(const uint32_t* models, const int32_t* base, int node,
                          const int32_t* weights, const Logistic& tables) {
  Prediction r;
  int32_t sum = 0;
  for (int i = 0; i < kInputs; ++i) {
    r.states[i] = models[base[i] + node];
    r.inputs[i] = tables.stretch[r.states[i] >> 20];
    sum += weights[i] * r.inputs[i];
  }
  int32_t x = sum >> 14;
  x = x < -2047 ? -2047 : x > 2047 ? 2047 : x;
  r.p1 = static_cast<uint32_t>(tables.squash[x + 2048]);
  return r;
}

inline void learn(const Prediction& r, int bit, uint32_t* models, const int32_t* base, int node,
                  int32_t* weights, const Logistic& tables) {
  const int32_t error = ((bit << 16) - static_cast<int32_t>(r.p1)) * 7;
  for (int i = 0; i < kInputs; ++i) {
    const int32_t w = weights[i] + ((r.inputs[i] * error + (1 << 18)) >> 19);
    weights[i] = w < -kWeightLimit ? -kWeightLimit : w > kWeightLimit ? kWeightLimit : w;
  }
  for (int i = 0; i < kInputs; ++i) {
    const uint32_t seen = r.states[i] & 1023;
    const int32_t p = static_cast<int32_t>(r.states[i] >> 10);
    const int32_t gap = (bit ? (1 << 22) - 1 : 0) - p;
    const int32_t moved = p + (((gap >> 4) * tables.step[seen]) >> 9);
    models[base[i] + node] =
        static_cast<uint32_t>(moved) << 10 | (seen < kSeenLimit ? seen + 1 : seen);
  }
}

}  // namespace gscompress
