// What an encoder sends of a slot: the values of about the least distortion + price * bits.
// A header, for temporal_coder.cpp alone, so that the compiler sees both.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "../context/mixer.h"
#include "../context/plane_math.h"
#include "temporal_coder.h"
#include "value_bits.h"

namespace gscompress {

// Bits that a one costs, by p1 / 16.
struct BitPrices {
  float bits[4096];
  BitPrices() {
    for (int i = 0; i < 4096; ++i) bits[i] = -std::log2((static_cast<float>(i) + 0.5f) / 4096.0f);
  }
  float of(int bit, uint32_t p1) const { return bits[(bit ? p1 : 65536 - p1) >> 4]; }
  static const BitPrices& tables() {
    static const BitPrices instance;
    return instance;
  }
};

class TemporalCoder::Chooser {
 public:
  Chooser(TemporalCoder& owner, const Wish& wish)
      : owner_(owner), wish_(wish), tables_(Logistic::tables()), prices_(BitPrices::tables()) {}

  // Writes the values to `now`; returns the groups that change.
  uint32_t operator()(size_t slot) {
    const size_t channels = owner_.channels();
    wanted_ = wish_.values + slot * channels;
    weights_ = wish_.weights + slot * channels;
    int32_t* values = owner_.now(slot);
    if (still()) return 0;
    const Place place = owner_.change_place(slot);
    float moving = wish_.price * cost(place, 0, 1), resting = wish_.price * cost(place, 0, 0);
    uint32_t changed = 0;
    for (size_t g = 0; g < owner_.groups(); ++g) {
      const Place flag = owner_.group_place(slot, g, changed);
      const float rest = distortion_at_rest(g);
      const float off = rest + wish_.price * cost(flag, 0, 0);
      bool nonzero = false;
      const float on = wish_.price * cost(flag, 0, 1) + group(slot, g, values, nonzero);
      const bool chosen = nonzero && on < off;
      if (chosen) {
        changed |= 1u << g;
      } else {
        std::fill_n(values + owner_.groups_[g].first, owner_.groups_[g].width, 0);
      }
      moving += chosen ? on : off;
      resting += rest;
    }
    if (changed == 0 || resting <= moving) {
      std::fill_n(values, channels, 0);
      return 0;
    }
    return changed;
  }

 private:
  static constexpr float kExact = std::numeric_limits<float>::infinity();
  static constexpr float kForbidden = 1e30f;

  bool still() const {
    return std::all_of(wanted_, wanted_ + owner_.channels(),
                       [](float x) { return std::fabs(x) < 0.5f; });
  }

  float distortion(size_t channel, float value) const {
    const float miss = wanted_[channel] - value;
    if (weights_[channel] == kExact) return std::fabs(miss) <= 0.5f ? 0.0f : kForbidden;
    return weights_[channel] * miss * miss;
  }

  float distortion_at_rest(size_t g) const {
    float sum = 0;
    const Group& group = owner_.groups_[g];
    for (size_t c = group.first; c < group.first + group.width; ++c) sum += distortion(c, 0);
    return sum;
  }

  // Chooses the values of a group one after the other; gives distortion + price * bits.
  float group(size_t slot, size_t g, int32_t* values, bool& nonzero) {
    owner_.predict(slot, g);
    const Guess guess = owner_.guess(slot, g);
    const size_t first = owner_.groups_[g].first;
    uint32_t spent = 0;
    float sum = 0;
    for (size_t k = 0; k < owner_.groups_[g].width; ++k) {
      const Place place = owner_.value_place(slot, first + k, guess, k, spent);
      const int32_t expected = guess.values[k];
      const int32_t best = value(place, first + k, expected, sum);
      values[first + k] = best;
      nonzero = nonzero || best != 0;
      spent += std::min(distance(best, expected), 1u << 16);
    }
    return sum;
  }

  // The best value; what it costs is added to `sum`.
  int32_t value(const Place& place, size_t channel, int32_t expected, float& sum) const {
    const auto nearest = static_cast<int32_t>(std::nearbyint(wanted_[channel]));
    int32_t best = nearest;
    float least = price_of(place, channel, nearest, expected);
    const auto consider = [&](int32_t candidate) {
      const float found = price_of(place, channel, candidate, expected);
      if (found < least) {
        least = found;
        best = candidate;
      }
    };
    if (wish_.price > 0) {
      if (nearest != expected) {
        consider(nearest < expected ? nearest + 1 : nearest - 1);
        if (distance(nearest, expected) > 1) consider(expected);
      }
      if (nearest != 0 && expected != 0) consider(0);
    }
    sum += least;
    return best;
  }

  float price_of(const Place& place, size_t channel, int32_t value, int32_t expected) const {
    int32_t rest = wrapped_difference(value, expected);
    float bits = 0;
    walk_value(
        rest,
        [&](int node, int b) {
          bits += cost(place, node, b);
          return b;
        },
        [&](int b) {
          bits += 1;
          return b;
        });
    return distortion(channel, static_cast<float>(value)) + wish_.price * bits;
  }

  float cost(const Place& place, int node, int b) const {
    const Prediction prediction = gscompress::predict(place.models, place.base, node,
                                                      place.weights + node * kInputs, tables_);
    return prices_.of(b, prediction.p1);
  }

  TemporalCoder& owner_;
  const Wish& wish_;
  const Logistic& tables_;
  const BitPrices& prices_;
  const float* wanted_ = nullptr;
  const float* weights_ = nullptr;
};

}  // namespace gscompress
