// The loss of Gaussian splatting, share (1 - SSIM) + (1 - share) L1, and its gradient.
#pragma once
#include <cstddef>

namespace gscompress {

struct Pictures {
  const float *image, *target;  // [height, width, 3] each
  size_t height, width;         // at least 11 each where SSIM counts
};

// SSIM as in metrics/ssim.py: an 11x11 Gaussian window with sigma 1.5, where it fits. `gradient` is
// by the image. The same bits for any number of threads.
double photo_loss(const Pictures& pictures, float ssim_share, float* gradient, int threads);

}  // namespace gscompress
