// One copy of the kernels: CMake compiles this file once per instruction set, with GSC_SIMD set.
#include "bin_kernel.h"
#include "blend_kernel.h"
#include "kernels.h"
#include "project_kernel.h"

#define GSC_TEXT_(x) #x
#define GSC_TEXT(x) GSC_TEXT_(x)
#define GSC_JOIN_(a, b) a##b
#define GSC_JOIN(a, b) GSC_JOIN_(a, b)

namespace gscompress::raster {

const Kernels* GSC_JOIN(GSC_SIMD, _kernels)() {
  static constexpr Kernels kKernels{
      .name = GSC_TEXT(GSC_SIMD),
      .project = GSC_SIMD::project_range,
      .bin = GSC_SIMD::bin_range,
      .blend = GSC_SIMD::blend_tile,
  };
  return &kKernels;
}

}  // namespace gscompress::raster
