#include "rasterizer.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "sort.h"
#include "threads.h"

namespace gscompress::raster {

void Rasterizer::forward(const View& view, const Scene& scene, const Image& image) {
  view_ = view;
  scene_ = scene;
  if (static_cast<std::uint64_t>(tiles()) > kMaxTiles) {
    throw std::invalid_argument("image of " + std::to_string(view.width) + " x " +
                                std::to_string(view.height) + " pixels: more than " +
                                std::to_string(kMaxTiles) + " tiles of 16 x 16 pixels");
  }
  project();
  sort_by_depth(order_, spare_order_, visible_);
  bin();
  const TileLists tile_lists = lists();
  parallel_each(threads_, tiles(),
                [&](int tile) { kernels_.blend(view_, tile_lists, tile, image); });
}

TileLists Rasterizer::lists() const {
  return {.splats = splats_.data(),
          .pairs = pairs_.data(),
          .begins = tile_begins_.data(),
          .first_slot = nullptr};
}

// Every thread projects a range of the scene to the place where its splats would lie if all were
// visible; then the gaps are closed, so that splats keep the order of the scene.
void Rasterizer::project() {
  const std::size_t n = scene_.size;
  splats_.reserve(n);
  order_.reserve(n);
  std::vector<std::size_t> made(static_cast<std::size_t>(threads_));
  parallel(threads_, [&](int t) {
    const Range r(n, t, threads_);
    made[static_cast<std::size_t>(t)] = kernels_.project(
        view_, scene_, r.begin, r.end, r.begin, splats_.data() + r.begin, order_.data() + r.begin);
  });
  visible_ = 0;
  for (int t = 0; t < threads_; ++t) {
    const std::size_t begin = Range(n, t, threads_).begin, count = made[static_cast<std::size_t>(t)];
    std::copy_n(order_.data() + begin, count, order_.data() + visible_);
    visible_ += count;
  }
  if (visible_ > kMaxSplats) {
    throw std::invalid_argument(std::to_string(visible_) + " Gaussians are visible in one view: " +
                                "more than " + std::to_string(kMaxSplats));
  }
}

// Every thread lists the tiles of a range of splats, front to back.
void Rasterizer::bin() {
  const auto tile_count = static_cast<std::size_t>(tiles());
  const auto threads = static_cast<std::size_t>(threads_);
  job_pairs_.resize(threads);
  job_tile_counts_.reserve(threads * tile_count);
  splat_counts_.reserve(scene_.size);
  std::vector<BinJob> jobs(threads);
  parallel(threads_, [&](int t) {
    const auto index = static_cast<std::size_t>(t);
    const Range r(visible_, t, threads_);
    Buffer<Pair>& pairs = job_pairs_[index];
    BinJob& job = jobs[index];
    job = {.view = &view_,
           .splats = splats_.data(),
           .order = order_.data(),
           .begin = r.begin,
           .end = r.end,
           .pairs = pairs.data(),
           .count = 0,
           .capacity = pairs.capacity(),
           .tile_counts = job_tile_counts_.data() + index * tile_count,
           .splat_counts = splat_counts_.data()};
    std::fill_n(job.tile_counts, tile_count, 0u);
    while (const std::size_t needed = kernels_.bin(job)) {
      job.pairs = pairs.grow(std::max(2 * job.count, job.count + needed), job.count);
      job.capacity = pairs.capacity();
    }
  });
  scatter_pairs(jobs);
}

// Counting sort of the pairs by tile; within a tile they stay front to back.
void Rasterizer::scatter_pairs(const std::vector<BinJob>& jobs) {
  const auto tile_count = static_cast<std::size_t>(tiles());
  std::uint64_t* begins = tile_begins_.reserve(tile_count + 1);
  std::uint64_t* cursors = cursors_.reserve(jobs.size() * tile_count);
  std::uint64_t total = 0;
  for (std::size_t tile = 0; tile < tile_count; ++tile) {
    begins[tile] = total;
    for (std::size_t t = 0; t < jobs.size(); ++t) {
      cursors[t * tile_count + tile] = total;
      total += jobs[t].tile_counts[tile];
    }
  }
  begins[tile_count] = total;
  pair_count_ = total;
  Pair* out = pairs_.reserve(total);
  parallel(threads_, [&](int t) {
    const BinJob& job = jobs[static_cast<std::size_t>(t)];
    std::uint64_t* cursor = cursors + static_cast<std::size_t>(t) * tile_count;
    std::uint64_t previous = ~std::uint64_t{0}, ordinal = 0;
    for (std::size_t i = 0; i < job.count; ++i) {
      const Pair pair = job.pairs[i];
      ordinal = pair.splat() == previous ? ordinal + 1 : 0;
      previous = pair.splat();
      out[cursor[pair.high()]++] = Pair::make(ordinal, pair.splat(), pair.rows());
    }
  });
}

}  // namespace gscompress::raster
