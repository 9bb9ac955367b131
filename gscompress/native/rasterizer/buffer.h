// A growing array that is never initialised nor copied: what a stage fills anew for every view.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace gscompress::raster {

template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
  static constexpr std::align_val_t kAlign{64};
  struct Free {
    void operator()(T* p) const { ::operator delete(p, kAlign); }
  };

 public:
  // Room for `size` elements; what was there before is lost when it has to grow.
  T* reserve(std::size_t size) {
    if (size > capacity_) {
      data_.reset();
      capacity_ = 0;
      const std::size_t wanted = size + size / 4 + 64;
      data_.reset(static_cast<T*>(::operator new(wanted * sizeof(T), kAlign)));
      capacity_ = wanted;
    }
    return data_.get();
  }

  // As reserve(), but the first `used` elements stay.
  T* grow(std::size_t size, std::size_t used) {
    if (size > capacity_) {
      Buffer bigger;
      bigger.reserve(size);
      for (std::size_t i = 0; i < used; ++i) bigger.data_.get()[i] = data_.get()[i];
      *this = std::move(bigger);
    }
    return data_.get();
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t capacity() const { return capacity_; }

 private:
  std::unique_ptr<T, Free> data_;
  std::size_t capacity_ = 0;
};

}  // namespace gscompress::raster
