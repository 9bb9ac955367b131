// Which kernels this machine can run.
#include <array>
#include <cstring>

#include "kernels.h"

namespace gscompress::raster {
namespace {

#if defined(GSC_HAVE_X86_KERNELS)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("popcnt");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}
#endif

struct Available {
  std::array<const Kernels*, 4> kernels{};
  std::array<const char*, 4> names{};
  std::size_t count = 0;

  Available() {
#if defined(GSC_HAVE_X86_KERNELS)
    if (has_avx512()) add(avx512_kernels());
    if (has_avx2()) add(avx2_kernels());
#endif
    add(baseline_kernels());
  }
  void add(const Kernels* k) {
    kernels[count] = k;
    names[count++] = k->name;
  }
};

const Available& available() {
  static const Available all;
  return all;
}

}  // namespace

const char* const* simd_levels() { return available().names.data(); }

const Kernels* find_kernels(const char* level) {
  const Available& all = available();
  if (level == nullptr) return all.kernels[0];
  for (std::size_t i = 0; i < all.count; ++i) {
    if (std::strcmp(all.names[i], level) == 0) return all.kernels[i];
  }
  return nullptr;
}

}  // namespace gscompress::raster
