#include "slots.h"

namespace gscompress {
namespace {

void turn(const float* key, const int32_t* sums, double unit, float* out) {
  const double w = key[0], x = key[1], y = key[2], z = key[3];
  const double a = sums[0] * unit, b = sums[1] * unit, c = sums[2] * unit;
  out[0] = static_cast<float>(w - a * x - b * y - c * z);
  out[1] = static_cast<float>(x + a * w + b * z - c * y);
  out[2] = static_cast<float>(y + b * w + c * x - a * z);
  out[3] = static_cast<float>(z + c * w + a * y - b * x);
}

}  // namespace

void update_slots(const SlotSums& sums, const SlotValues<const float>& key, const int32_t* slots,
                  size_t count, const SlotValues<float>& now) {
  const size_t width = 3 * sums.harmonics, channels = 10 + width;
  const auto add = [](const float* from, const int32_t* sum, double unit, size_t n, float* out) {
    for (size_t k = 0; k < n; ++k) out[k] = static_cast<float>(from[k] + sum[k] * unit);
  };
  for (size_t i = 0; i < count; ++i) {
    const auto slot = static_cast<size_t>(slots[i]);
    const int32_t* sum = sums.sums + slot * channels;
    const double* unit = sums.units + slot * 6;
    add(key.means + slot * 3, sum, unit[0], 3, now.means + slot * 3);
    turn(key.quats + slot * 4, sum + 3, unit[1], now.quats + slot * 4);
    add(key.log_scales + slot * 3, sum + 6, unit[2], 3, now.log_scales + slot * 3);
    add(key.opacities + slot, sum + 9, unit[3], 1, now.opacities + slot);
    const float* sh = key.sh + slot * width;
    add(sh, sum + 10, unit[4], 3, now.sh + slot * width);
    add(sh + 3, sum + 13, unit[5], width - 3, now.sh + slot * width + 3);
  }
}

}  // namespace gscompress
