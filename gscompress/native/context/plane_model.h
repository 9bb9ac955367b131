// Planes of integers for coders that take a context per symbol: which values are coded, the context
// of each, and the way between values and residuals. A lighter model than that of planes.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "planes.h"

namespace gscompress {

class PlaneModel {
 public:
  // The arrays of `side` must outlive the model.
  PlaneModel(const PlaneSide& side, std::vector<PlaneSpec> specs);

  size_t planes() const { return specs_.size(); }
  size_t count() const { return side_.count; }

  // How many of the first `count` values of the next plane are coded.
  size_t used(size_t count) const;

  // The context (0..95) of each value of the next plane that is coded.
  void contexts(uint16_t* out) const;

  // Encoder: from the values of the next plane the residuals that are coded; advances.
  void residuals(const int32_t* values, int32_t* out);

  // Decoder: from the residuals that were coded the values of the next plane; advances. `out` holds
  // zeros.
  void values(const int32_t* residuals, int32_t* out);

 private:
  const PlaneSpec& spec() const { return specs_[next_]; }
  template <class Code>
  void advance(const int32_t* values, Code code);
  void finish(const int32_t* values, std::vector<uint8_t> hints);
  bool wanted(int32_t PlaneSpec::* field, size_t plane) const;
  std::vector<uint8_t> new_hints() const;  // of the next plane; empty if no later one wants them

  // The Gaussians whose values are coded where `gate` is, or null for all.
  const std::vector<uint32_t>* open(int32_t gate) const;
  template <class Visit>
  void each(Visit visit) const;

  PlaneSide side_;
  std::vector<PlaneSpec> specs_;
  size_t next_ = 0;
  std::vector<std::vector<uint32_t>> open_;  // by plane; of those that are gates
  std::vector<std::vector<uint8_t>> hints_;  // by plane; of those that will be partners
  std::vector<uint16_t> disagreement_, energy_;
};

}  // namespace gscompress
