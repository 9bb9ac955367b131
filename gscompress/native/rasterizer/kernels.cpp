// One copy of the kernels: CMake compiles this file once per instruction set, with GSC_SIMD set.
#include "kernels.h"

#include "backward_kernel.h"
#include "bin_kernel.h"
#include "blend_kernel.h"
#include "gradient_kernel.h"
#include "occlusion_kernel.h"
#include "project_kernel.h"
#include "score_kernel.h"

#define GSC_TEXT_(x) #x
#define GSC_TEXT(x) GSC_TEXT_(x)
#define GSC_JOIN_(a, b) a##b
#define GSC_JOIN(a, b) GSC_JOIN_(a, b)

namespace gscompress::raster {

const Kernels* GSC_JOIN(GSC_SIMD, _kernels)() {
  static constexpr Kernels kKernels{
      .name = GSC_TEXT(GSC_SIMD),
      .score_slot = GSC_SIMD::kScoreSlot,
      .occlusion_slot = GSC_SIMD::kOcclusionSlot,
      .gradient_slot = GSC_SIMD::kGradientSlot,
      .color_slot = GSC_SIMD::kColorSlot,
      .project = GSC_SIMD::project_range,
      .bin = GSC_SIMD::bin_range,
      .blend = GSC_SIMD::blend_tile,
      .score = GSC_SIMD::score_tile,
      .removal = GSC_SIMD::removal_tile,
      .add_scores = GSC_SIMD::add_scores,
      .occlusion = GSC_SIMD::occlusion_tile,
      .add_occlusion = GSC_SIMD::add_occlusion,
      .backward = GSC_SIMD::backward_tile,
      .backward_color = GSC_SIMD::backward_color_tile,
      .gradient = GSC_SIMD::gradient_range,
  };
  return &kKernels;
}

}  // namespace gscompress::raster
