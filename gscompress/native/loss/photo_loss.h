// The loss of Gaussian splatting, ssim_share (1 - SSIM) + (1 - ssim_share) L1, and its gradient.
#pragma once
#include <cstddef>

namespace gscompress {

struct Pictures {
  const float *image, *target;  // [height, width, 3] each
  size_t height, width;         // at least 11 each where SSIM counts
};

struct LossWeights {
  float ssim_share;
  float softness;  // L1 of a difference d is sqrt(d^2 + softness^2) - softness
};

// SSIM as in metrics/ssim.py: an 11x11 Gaussian window with sigma 1.5, where it fits. `gradient` is
// by the image. The same bits for any number of threads.
double photo_loss(const Pictures& pictures, const LossWeights& weights, float* gradient,
                  int threads);

}  // namespace gscompress
