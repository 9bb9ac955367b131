// Planes of integers, one value per Gaussian and plane, coded with mixed context models.
//
// Value v of a plane is predicted by the value p of the same plane at its reference (a nearby
// Gaussian coded before) and coded as v - p: zero flag, sign, Exp-Golomb magnitude. Each such bit
// is predicted by several adaptive models, each with its own context: how well the reference
// predicted the planes before this one, and how near it is; the value that the
// reference holds; how large the values of the planes before are; the residual of the partner
// plane; the importance class.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace gscompress {

struct PlaneSide {
  size_t count = 0;                     // Gaussians
  const int32_t* references = nullptr;  // [count], each < i (0 refers to itself)
  const uint8_t* nearness = nullptr;    // [count], 0..3
  const uint8_t* classes = nullptr;     // [count], 0..15
  std::vector<size_t> levels;           // end of each level; ascending up to count
};

struct PlaneSpec {
  int32_t partner;  // an earlier plane, or -1
  int32_t trust;    // disagreement up to which the reference predicts; above it 0 does
  int32_t gate;     // an earlier plane of 0 and 1, or -1: where it is 0, so is the value, uncoded
};

class BrokenStream : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Bytes {
  const uint8_t* data;
  size_t size;
};

// One byte string per level. Models learn on from level to level; the strings can be decoded up to
// any level. Integers of 16 or of 32 bits.
template <class Integer>
std::vector<std::vector<uint8_t>> encode_planes(const PlaneSide& side,
                                                const std::vector<PlaneSpec>& specs,
                                                const Integer* planes);

// From as many byte strings as `side` has levels. Throws BrokenStream if they are not what an
// encoder would have written.
void decode_planes(const PlaneSide& side, const std::vector<PlaneSpec>& specs,
                   const std::vector<Bytes>& parts, int32_t* planes);

}  // namespace gscompress
