// What an encoder sends of a slot: the values of about the least distortion + price * bits.
#pragma once
#include <cstddef>
#include <cstdint>

#include "../context/mixer.h"
#include "temporal_coder.h"

namespace gscompress {

struct BitPrices;

class TemporalCoder::Chooser {
 public:
  Chooser(TemporalCoder& owner, const Wish& wish);

  // Writes the values to `now`; returns the groups that change.
  uint32_t operator()(size_t slot);

 private:
  bool still() const;
  float distortion(size_t channel, float value) const;
  float distortion_at_rest(size_t g) const;
  // Chooses the values of a group one after the other; gives distortion + price * bits.
  float group(size_t slot, size_t g, int32_t* values, bool& nonzero);
  int32_t value(const Place& place, size_t channel, int32_t expected, float& sum) const;
  float price_of(const Place& place, size_t channel, int32_t value, int32_t expected) const;
  float cost(const Place& place, int node, int b) const;

  TemporalCoder& owner_;
  const Wish& wish_;
  const Logistic& tables_;
  const BitPrices& prices_;
  const float* wanted_ = nullptr;
  const float* weights_ = nullptr;
};

}  // namespace gscompress
