// Adaptive bit models whose predictions are mixed in the logistic domain (the method of M. Mahoney's
// PAQ family: stretch, weighted sum, squash, online gradient step), in integers only.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace gscompress {

// Tables of the logistic function; the same integers on every machine (IEEE additions,
// multiplications and divisions only).
struct Logistic {
  // stretch(p) = 256 ln(p / (1 - p)) for p = (i + 1/2) / 4096
  std::array<int16_t, 4096> stretch;
  // squash(x) = 65536 / (1 + exp(-x / 256)) for x = i - 2048, kept within 32..65504
  std::array<uint16_t, 4096> squash;
  // 65536 / (n + 1.5): the step of a bit model that has seen n bits
  std::array<uint16_t, 256> step;

  Logistic();
  static const Logistic& tables();
};

// Probability of a one (22 bits) and the number of bits seen (10 bits).
class BitModel {
 public:
  uint32_t probability() const { return state_ >> 10; }          // times 2^22
  uint32_t seen() const { return state_ & 1023; }

  void update(int bit, uint32_t limit, const Logistic& tables) {
    const uint32_t n = seen();
    const int32_t p = static_cast<int32_t>(probability());
    const int32_t target = bit ? (1 << 22) - 1 : 0;
    const int64_t change = static_cast<int64_t>(target - p) * tables.step[n];
    const int32_t moved = p + static_cast<int32_t>(change >> 16);
    state_ = static_cast<uint32_t>(moved) << 10 | (n < limit ? n + 1 : n);
  }

 private:
  uint32_t state_ = (1u << 21) << 10;
};

template <int kInputs>
class Mixer {
 public:
  Mixer() { weights_.fill((1 << 16) * 2 / (kInputs + 2)); }

  // Probability of a one, times 65536, from the stretched predictions.
  uint32_t mix(const std::array<int32_t, kInputs>& inputs, const Logistic& tables) const {
    int64_t sum = 0;
    for (int i = 0; i < kInputs; ++i) sum += static_cast<int64_t>(weights_[i]) * inputs[i];
    int64_t x = sum >> 16;
    x = x < -2047 ? -2047 : x > 2047 ? 2047 : x;
    return tables.squash[static_cast<size_t>(x + 2048)];
  }

  void update(const std::array<int32_t, kInputs>& inputs, int bit, uint32_t p, int32_t rate) {
    const int32_t error = ((bit << 16) - static_cast<int32_t>(p)) * rate;
    for (int i = 0; i < kInputs; ++i) {
      weights_[i] += static_cast<int32_t>((static_cast<int64_t>(inputs[i]) * error + (1 << 17)) >> 18);
    }
  }

 private:
  std::array<int32_t, kInputs> weights_;
};

}  // namespace gscompress
