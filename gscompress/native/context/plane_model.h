// Planes of integers for coders that take a context per symbol: which values are coded, the context
// of each, and the way between values and residuals. A lighter model than that of planes.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "planes.h"

namespace gscompress {

// The values of a plane, that of one Gaussian `stride` after that of the one before.
template <class Integer>
struct PlaneRow {
  Integer* data;
  std::ptrdiff_t stride = 1;

  Integer& operator[](size_t i) const { return data[static_cast<std::ptrdiff_t>(i) * stride]; }
};

class PlaneModel {
 public:
  // Models the Gaussians `begin` up to `end`, which may refer to any before them. The arrays of
  // `side` and `specs` must outlive the model.
  PlaneModel(const PlaneSide& side, const std::vector<PlaneSpec>& specs, size_t begin, size_t end);

  size_t planes() const { return specs_.size(); }

  // How many values of the next plane are coded, up to the Gaussian `end`.
  size_t used(size_t end) const;

  // The context (0..95) of each value of the next plane that is coded.
  void contexts(uint16_t* out) const;

  // Encoder: from the values of the next plane the residuals that are coded; advances.
  void residuals(const int32_t* values, int32_t* out);

  // Decoder: from the residuals that were coded the values of the next plane; advances. `out` holds
  // zeros, and the values of the Gaussians before.
  void values(const int32_t* residuals, PlaneRow<int32_t> out);

 private:
  const PlaneSpec& spec() const { return specs_[next_]; }
  template <class Values, class Code>
  void advance(Values values, Code code);
  template <class Values>
  void finish(Values values, std::vector<uint8_t> hints);
  bool wanted(int32_t PlaneSpec::* field, size_t plane) const;
  std::vector<uint8_t> new_hints() const;  // of the next plane; empty if no later one wants them

  // The Gaussians whose values are coded where `gate` is, or null for all.
  const std::vector<uint32_t>* open(int32_t gate) const;
  template <class Visit>
  void each(Visit visit) const;

  // Arrays of the model are of its Gaussians only, counted from 0.
  const PlaneSide& side_;
  const std::vector<PlaneSpec>& specs_;
  size_t begin_, count_;
  size_t next_ = 0;
  std::vector<std::vector<uint32_t>> open_;  // by plane; of those that are gates
  std::vector<std::vector<uint8_t>> hints_;  // by plane; of those that will be partners
  std::vector<uint16_t> disagreement_, energy_;
};

}  // namespace gscompress
