// Work on several threads; what a thread throws is thrown again by the caller.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace gscompress::raster {

// Calls work(0), ..., work(threads - 1), each on a thread of its own.
template <class Work>
void parallel(int threads, const Work& work) {
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(threads));
  const auto guarded = [&](int t) noexcept {
    try {
      work(t);
    } catch (...) {
      errors[static_cast<std::size_t>(t)] = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    others.reserve(static_cast<std::size_t>(threads));
    for (int t = 1; t < threads; ++t) others.emplace_back(guarded, t);
    guarded(0);
  }
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

// Part t of 0 .. size - 1 cut into `threads` ranges.
struct Range {
  std::size_t begin, end;
  Range(std::size_t size, int t, int threads)
      : begin(size * static_cast<std::size_t>(t) / static_cast<std::size_t>(threads)),
        end(size * static_cast<std::size_t>(t + 1) / static_cast<std::size_t>(threads)) {}
};

// Calls work(i) for every i of 0 .. count - 1; threads take the next few as they become free.
template <class Work>
void parallel_each(int threads, int count, const Work& work) {
  constexpr int kGrain = 4;
  std::atomic<int> next{0};
  parallel(threads, [&](int) {
    for (int i; (i = next.fetch_add(kGrain)) < count;) {
      for (int k = i; k < i + kGrain && k < count; ++k) work(k);
    }
  });
}

}  // namespace gscompress::raster
