// Changes of Gaussians from one frame to the next, coded with mixed context models.
//
// A frame is a sparse matrix of integers [slots, channels]; channels come in groups, an attribute
// each. Of each slot is coded whether anything changed, which groups did, and of those the values
// as differences to a prediction: of four the one that was right for the slot's references, namely
// nothing, its own last change, the change of its references, or its own last change corrected by
// how theirs differ. Models learn on from frame to frame.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../context/mixer.h"

namespace gscompress {

struct Reference {
  int32_t near, other;  // slots below the own one, or the own one where there is none
};

// The changed slots of one frame.
struct Change {
  std::vector<int32_t> slots;   // ascending
  std::vector<int32_t> values;  // [slots, channels]
};

// What an encoder would like to send, and what a bit is worth to it.
struct Wish {
  const float* values;   // [slots, channels]
  const float* weights;  // [slots, channels], distortion per squared unit; infinite: within 1/2
  float price;           // distortion per bit
};

class TemporalCoder {
 public:
  static constexpr int kMaxGroups = 7;
  static constexpr int kPhases = 4;  // sets of models
  static constexpr int kClasses = 16;
  static constexpr float kMaxValue = 1 << 28;

  // The number of channels of each group; the model set of each channel.
  TemporalCoder(const std::vector<int>& widths, const std::vector<int>& sets);

  size_t slots() const { return references_.size(); }
  size_t channels() const { return channels_.size(); }

  void append(const Reference* references, const uint8_t* classes, size_t count);
  // Slots that never change again; they cost nothing.
  void retire(const int32_t* slots, size_t count);

  // Chooses and codes the values of about the least distortion + price * bits.
  std::vector<uint8_t> encode(const Wish& wish, int phase, Change& change);
  // Throws BrokenStream (context/planes.h).
  void decode(const uint8_t* data, size_t size, int phase, Change& change);

 private:
  static constexpr int kPredictions = 4;
  using Misses = std::array<uint8_t, kPredictions>;
  struct Group {
    size_t first, width;  // channels
  };
  struct Channel {
    size_t set;
  };
  struct Models {  // of a phase; empty until it is wanted
    std::vector<uint32_t> flags, values;
    std::vector<int32_t> flag_weights, value_weights;
  };
  // Where the models of one bit are; for values, of the first of its nodes.
  struct Place {
    uint32_t* models;
    int32_t* weights;
    int32_t base[kInputs];
  };
  struct Guess {  // for the values of a group
    const int32_t* values;
    int kind, miss;  // which prediction; about how wrong it was for the references
  };
  template <class CodeBit>
  class SlotCoder;
  class Chooser;

  size_t groups() const { return groups_.size(); }
  uint8_t* history(size_t slot) { return history_.data() + slot * (groups() + 1); }
  Misses* misses(size_t slot) { return misses_.data() + slot * groups(); }
  int32_t* now(size_t slot) { return now_.data() + slot * channels(); }
  int32_t* last(size_t slot) { return last_.data() + slot * channels(); }

  void begin_frame(int phase);
  void clear(size_t slot);
  void end_frame(Change& change);
  void predict(size_t slot, size_t group);
  Guess guess(size_t slot, size_t group);
  Place change_place(size_t slot);
  Place group_place(size_t slot, size_t group, uint32_t changed);
  Place value_place(size_t slot, size_t channel, const Guess& guess, size_t k, uint32_t spent);
  void note(size_t slot, uint32_t changed);
  void judge(size_t slot, size_t group);

  std::vector<Group> groups_;
  std::vector<Channel> channels_;
  size_t sets_;
  std::vector<Reference> references_;
  std::vector<uint8_t> classes_, alive_;
  std::vector<uint8_t> history_;     // [slots, groups + 1]: a bit per frame, the newest lowest; the
                                     // last entry tells of the slot as a whole
  std::vector<Misses> misses_;       // [slots, groups]
  std::vector<int32_t> now_, last_;  // [slots, channels]
  std::array<Models, kPhases> phases_;
  Models* models_ = nullptr;                       // those in use
  std::array<uint32_t, kMaxGroups + 1> recent_{};  // decayed shares of ones, in 1/4096
  std::vector<int32_t> predicted_;                 // [kPredictions, widest group]
  size_t widest_ = 0;
};

}  // namespace gscompress
