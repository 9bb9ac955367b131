#include "temporal_coder.h"

#include <algorithm>

#include "../context/binary_coder.h"
#include "../context/plane_math.h"
#include "../context/planes.h"
#include "chooser.h"
#include "value_bits.h"

namespace gscompress {
namespace {

constexpr int kContexts = 128;  // contexts of each model
constexpr int kMixerSets = 8;
constexpr uint32_t kFullShare = 4096;

struct EncodeBit {
  BinaryEncoder& coder;
  int operator()(int bit, uint32_t p1) {
    coder.encode(bit, p1);
    return bit;
  }
};

struct DecodeBit {
  BinaryDecoder& coder;
  int operator()(int, uint32_t p1) { return coder.decode(p1); }
};

int level(uint32_t share) { return static_cast<int>(share * 8 / (kFullShare + 1)); }

}  // namespace

TemporalCoder::TemporalCoder(const std::vector<int>& widths, const std::vector<int>& sets)
    : sets_(0) {
  size_t first = 0;
  for (const int width : widths) {
    groups_.push_back({first, static_cast<size_t>(width)});
    first += static_cast<size_t>(width);
    widest_ = std::max(widest_, static_cast<size_t>(width));
  }
  for (const int set : sets) {
    channels_.push_back({static_cast<size_t>(set)});
    sets_ = std::max(sets_, static_cast<size_t>(set) + 1);
  }
  predicted_.resize(kPredictions * widest_);
}

void TemporalCoder::append(const Reference* references, const uint8_t* classes, size_t count) {
  references_.insert(references_.end(), references, references + count);
  classes_.insert(classes_.end(), classes, classes + count);
  alive_.resize(slots(), 1);
  history_.resize(slots() * (groups() + 1), 0);
  misses_.resize(slots() * groups(), Misses{});
  now_.resize(slots() * channels(), 0);
  last_.resize(slots() * channels(), 0);
}

void TemporalCoder::retire(const int32_t* slots, size_t count) {
  for (size_t k = 0; k < count; ++k) {
    const auto slot = static_cast<size_t>(slots[k]);
    alive_[slot] = 0;
    std::fill_n(history(slot), groups() + 1, uint8_t{0});
    std::fill_n(misses(slot), groups(), Misses{});
    std::fill_n(now(slot), channels(), 0);
    std::fill_n(last(slot), channels(), 0);
  }
}

void TemporalCoder::begin_frame(int phase) {
  models_ = &phases_[static_cast<size_t>(phase)];
  if (models_->flags.empty()) {
    const size_t flags = groups() + 1;
    models_->flags.assign(flags * kInputs * kContexts, kFreshModel);
    models_->values.assign(sets_ * kInputs * kContexts * kNodes, kFreshModel);
    constexpr int32_t weight = kUnitWeight * 3 / (2 * kInputs);
    models_->flag_weights.assign(flags * kMixerSets * kInputs, weight);
    models_->value_weights.assign(sets_ * kMixerSets * kNodes * kInputs, weight);
  }
  recent_.fill(0);
  now_.swap(last_);  // what is in now_ is two frames old
}

// Makes `now` of a slot zero: it holds what changed two frames ago.
void TemporalCoder::clear(size_t slot) {
  if (history(slot)[groups()] & 2) std::fill_n(now(slot), channels(), 0);
}

void TemporalCoder::end_frame(Change& change) {
  change.slots.clear();
  change.values.clear();
  for (size_t slot = 0; slot < slots(); ++slot) {
    if (history(slot)[groups()] & 1) change.slots.push_back(static_cast<int32_t>(slot));
  }
  change.values.reserve(change.slots.size() * channels());
  for (const int32_t slot : change.slots) {
    const int32_t* values = now(static_cast<size_t>(slot));
    change.values.insert(change.values.end(), values, values + channels());
  }
}

// The four predictions of a group, into predicted_.
void TemporalCoder::predict(size_t slot, size_t group) {
  const auto near = static_cast<size_t>(references_[slot].near);
  const auto other = static_cast<size_t>(references_[slot].other);
  const size_t first = groups_[group].first;
  const int32_t* own = last(slot) + first;
  const int32_t* near_last = last(near) + first;
  // A slot without references may be its own: what it did last stands for what they do.
  const int32_t* near_now = (near < slot ? now(near) : last(slot)) + first;
  const int32_t* other_now = (other < slot ? now(other) : last(slot)) + first;
  for (size_t k = 0; k < groups_[group].width; ++k) {
    predicted_[k] = 0;
    predicted_[widest_ + k] = own[k];
    predicted_[2 * widest_ + k] = wrapped_sum(near_now[k], other_now[k]) / 2;
    predicted_[3 * widest_ + k] =
        wrapped_sum(own[k], wrapped_difference(near_now[k], near_last[k]));
  }
}

// What is predicted for a group, after `predict`.
TemporalCoder::Guess TemporalCoder::guess(size_t slot, size_t group) {
  const auto near = static_cast<size_t>(references_[slot].near);
  const auto other = static_cast<size_t>(references_[slot].other);
  int best = 0, fewest = 1 << 30;
  for (size_t k = 0; k < kPredictions; ++k) {
    const int missed = (near < slot ? misses(near)[group][k] : 0) * 2 +
                       (other < slot ? misses(other)[group][k] : 0);
    if (missed < fewest) {
      best = static_cast<int>(k);
      fewest = missed;
    }
  }
  return {predicted_.data() + static_cast<size_t>(best) * widest_, best,
          bucket(static_cast<uint32_t>(fewest / 2))};
}

TemporalCoder::Place TemporalCoder::change_place(size_t slot) {
  const auto near = static_cast<size_t>(references_[slot].near);
  const auto other = static_cast<size_t>(references_[slot].other);
  const size_t any = groups();
  const int past = history(slot)[any] & 7;
  const int a = near < slot ? history(near)[any] & 3 : 0;
  const int b = other < slot ? history(other)[any] & 3 : 0;
  const int lately = level(recent_[any]);
  const int contexts[kInputs] = {
      (past * 4 + a) * 4 + b,
      classes_[slot] * 8 + (past & 1) * 4 + (a & 1) * 2 + (b & 1),
      lately * 16 + (past & 3) * 4 + a,
      lately * 16 + (past & 1) * 8 + (a & 1) * 4 + b,
  };
  Place place{
      models_->flags.data() + any * kInputs * kContexts,
      models_->flag_weights.data() + (any * kMixerSets + static_cast<size_t>(past)) * kInputs,
      {}};
  for (int m = 0; m < kInputs; ++m) place.base[m] = m * kContexts + contexts[m];
  return place;
}

TemporalCoder::Place TemporalCoder::group_place(size_t slot, size_t group, uint32_t changed) {
  const auto near = static_cast<size_t>(references_[slot].near);
  const auto other = static_cast<size_t>(references_[slot].other);
  const int past = history(slot)[group] & 7;
  const int a = near < slot ? history(near)[group] & 3 : 0;
  const int b = other < slot ? history(other)[group] & 3 : 0;
  const int lately = level(recent_[group]);
  const int contexts[kInputs] = {
      (past * 4 + a) * 4 + b,
      static_cast<int>(changed) * 2 + (a & 1),
      classes_[slot] * 8 + (past & 1) * 4 + (a & 1) * 2 + (b & 1),
      lately * 16 + (past & 3) * 4 + (a & 1) * 2 + (b & 1),
  };
  Place place{
      models_->flags.data() + group * kInputs * kContexts,
      models_->flag_weights.data() + (group * kMixerSets + static_cast<size_t>(past)) * kInputs,
      {}};
  for (int m = 0; m < kInputs; ++m) place.base[m] = m * kContexts + contexts[m];
  return place;
}

// `k` is the channel within its group; `spent` the magnitudes of the differences before it.
TemporalCoder::Place TemporalCoder::value_place(size_t slot, size_t channel, const Guess& guess,
                                                size_t k, uint32_t spent) {
  const auto near = static_cast<size_t>(references_[slot].near);
  const auto other = static_cast<size_t>(references_[slot].other);
  const int32_t expected = guess.values[k];
  const int32_t a = near < slot ? now(near)[channel] : 0;
  const int32_t b = other < slot ? now(other)[channel] : 0;
  const int32_t own = last(slot)[channel];
  const int loud = bucket(spent);
  const int first = k == 0 ? 0 : spent == 0 ? 1 : 2;
  const int contexts[kInputs] = {
      (guess.kind * 8 + guess.miss) * 3 + first,
      tilt_of(wrapped_difference(a, expected)) * 8 + loud,
      classes_[slot] * 8 + bucket(magnitude_of(own)),
      tilt_of(wrapped_difference(b, expected)) * 8 + bucket(distance(own, expected)),
  };
  const size_t set = channels_[channel].set;
  Place place{models_->values.data() + set * kInputs * kContexts * kNodes,
              models_->value_weights.data() +
                  (set * kMixerSets + static_cast<size_t>(loud)) * kNodes * kInputs,
              {}};
  for (int m = 0; m < kInputs; ++m) place.base[m] = (m * kContexts + contexts[m]) * kNodes;
  return place;
}

// To be called when the values of a slot are in `now`.
void TemporalCoder::note(size_t slot, uint32_t changed) {
  const auto learn_share = [](uint32_t& share, bool one) {
    share = one ? share + (kFullShare - share) / 16 : share - share / 16;
  };
  uint8_t* past = history(slot);
  const auto whole = [&](int32_t reference) {
    return history(static_cast<size_t>(reference))[groups()];
  };
  learn_share(recent_[groups()], changed != 0);
  const uint8_t before = past[groups()];
  past[groups()] = static_cast<uint8_t>(before << 1 | (changed != 0));
  if (before != 0 || changed != 0) {
    for (size_t g = 0; g < groups(); ++g) {
      const bool one = changed >> g & 1;
      past[g] = static_cast<uint8_t>(past[g] << 1 | one);
      if (changed != 0) learn_share(recent_[g], one);
    }
  }
  const Reference& reference = references_[slot];
  if (((past[groups()] | whole(reference.near) | whole(reference.other)) & 3) == 0) {
    std::fill_n(misses(slot), groups(), Misses{});  // all at rest
  } else {
    for (size_t g = 0; g < groups(); ++g) judge(slot, g);
  }
}

// Remembers how wrong each prediction of a group would have been.
void TemporalCoder::judge(size_t slot, size_t group) {
  Misses& missed = misses(slot)[group];
  missed.fill(0);
  const uint8_t* near = history(static_cast<size_t>(references_[slot].near));
  const uint8_t* other = history(static_cast<size_t>(references_[slot].other));
  if (((history(slot)[group] | near[group] | other[group]) & 3) == 0) return;  // all at rest
  predict(slot, group);
  const int32_t* values = now(slot) + groups_[group].first;
  for (size_t p = 0; p < kPredictions; ++p) {
    uint32_t sum = 0;
    for (size_t k = 0; k < groups_[group].width; ++k) {
      sum += std::min(255u, distance(values[k], predicted_[p * widest_ + k]));
    }
    missed[p] = static_cast<uint8_t>(std::min(sum, 255u));
  }
}

// Codes the slots one by one.
template <class CodeBit>
class TemporalCoder::SlotCoder {
 public:
  SlotCoder(TemporalCoder& owner, CodeBit code_bit) : owner_(owner), code_(code_bit) {}

  // The values are read from (encoder), or written to (decoder), `now` of the slot; `changed` tells
  // an encoder's groups. False: broken.
  bool operator()(size_t slot, uint32_t wanted) {
    int32_t* values = owner_.now(slot);
    uint32_t changed = 0;
    if (bit(owner_.change_place(slot), 0, wanted != 0)) {
      for (size_t g = 0; g < owner_.groups(); ++g) {
        if (bit(owner_.group_place(slot, g, changed), 0, wanted >> g & 1)) {
          changed |= 1u << g;
          if (!group(slot, g, values + owner_.groups_[g].first)) return false;
        }
      }
      if (changed == 0) return false;
    }
    owner_.note(slot, changed);
    return true;
  }

 private:
  bool group(size_t slot, size_t g, int32_t* values) {
    owner_.predict(slot, g);
    const Guess guess = owner_.guess(slot, g);
    uint32_t spent = 0;
    for (size_t k = 0; k < owner_.groups_[g].width; ++k) {
      const Place place = owner_.value_place(slot, owner_.groups_[g].first + k, guess, k, spent);
      int32_t rest = wrapped_difference(values[k], guess.values[k]);
      const bool fine = walk_value(
          rest, [&](int node, int b) { return bit(place, node, b); },
          [&](int b) { return code_(b, 32768); });
      if (!fine) return false;
      values[k] = wrapped_sum(guess.values[k], rest);
      spent += std::min(magnitude_of(rest), 1u << 16);
    }
    return true;
  }

  int bit(const Place& place, int node, int b) {
    int32_t* weights = place.weights + node * kInputs;
    const Prediction prediction =
        gscompress::predict(place.models, place.base, node, weights, tables_);
    b = code_(b, prediction.p1);
    learn(prediction, b, place.models, place.base, node, weights, tables_);
    return b;
  }

  TemporalCoder& owner_;
  const Logistic& tables_ = Logistic::tables();
  CodeBit code_;
};

std::vector<uint8_t> TemporalCoder::encode(const Wish& wish, int phase, Change& change) {
  begin_frame(phase);
  BinaryEncoder bytes;
  Chooser choose(*this, wish);
  SlotCoder code(*this, EncodeBit{bytes});
  const size_t most = 2 * (1 + groups() + channels() * (2 + 2 * kMaxExponent));
  for (size_t slot = 0; slot < slots(); ++slot) {
    if (!alive_[slot]) continue;
    bytes.reserve(most);
    clear(slot);
    code(slot, choose(slot));
  }
  end_frame(change);
  bytes.finish();
  return {bytes.data(), bytes.data() + bytes.size()};
}

void TemporalCoder::decode(const uint8_t* data, size_t size, int phase, Change& change) {
  begin_frame(phase);
  BinaryDecoder bytes(data, size);
  SlotCoder code(*this, DecodeBit{bytes});
  for (size_t slot = 0; slot < slots(); ++slot) {
    if (!alive_[slot]) continue;
    if (bytes.exhausted()) throw BrokenStream("a stream that ends too early");
    clear(slot);
    if (!code(slot, 0)) throw BrokenStream("a stream that makes no sense");
  }
  if (!bytes.complete()) throw BrokenStream("a stream longer or shorter than its content");
  end_frame(change);
}

}  // namespace gscompress
