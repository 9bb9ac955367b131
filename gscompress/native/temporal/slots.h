// The present values of slots: those of the key plus unit * accumulated integer.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gscompress {

// The attributes of all slots, as in gscompress.Gaussians.
template <class T>
struct SlotValues {
  T* means;       // [slots, 3]
  T* quats;       // [slots, 4]
  T* log_scales;  // [slots, 3]
  T* opacities;   // [slots], logits
  T* sh;          // [slots, harmonics * 3]
};

struct SlotSums {
  const int32_t* sums;  // [slots, 10 + harmonics * 3]: means, rotation, scales, opacity, harmonics
  const double* units;  // [slots, 6]: of means, rotation, scales, opacity, first, other harmonics
  size_t harmonics;
};

// Computes the values of some slots, in double precision, rounded at the end. A rotation (1, v) is
// multiplied onto the key's quaternion from the left.
void update_slots(const SlotSums& sums, const SlotValues<const float>& key, const int32_t* slots,
                  size_t count, const SlotValues<float>& now);

}  // namespace gscompress
