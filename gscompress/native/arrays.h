// Fresh numpy arrays that own their memory.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdlib>
#include <initializer_list>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace gscompress {

// Memory to be given back with std::free. Where it is much, in huge pages if the system has some:
// its first use then costs a fifth.
inline void* allocate(size_t bytes) {
  constexpr size_t kHugePage = size_t{1} << 21;
  void* memory = nullptr;
#ifdef __linux__
  if (bytes >= 2 * kHugePage) {
    const size_t rounded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    memory = std::aligned_alloc(kHugePage, rounded);
    if (memory != nullptr) madvise(memory, rounded, MADV_HUGEPAGE);  // no matter if it cannot
  }
#endif
  if (memory == nullptr) memory = std::malloc(bytes > 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

template <class T>
nanobind::ndarray<nanobind::numpy, T> new_array(std::initializer_list<size_t> shape) {
  size_t count = 1;
  for (size_t extent : shape) count *= extent;
  T* data = static_cast<T*>(allocate(count * sizeof(T)));
  nanobind::capsule owner(data, [](void* p) noexcept { std::free(p); });
  return nanobind::ndarray<nanobind::numpy, T>(data, shape, owner);
}

}  // namespace gscompress
