#include "rasterizer.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "sort.h"
#include "threads.h"

namespace gscompress::raster {

void Rasterizer::prepare(const View& view, const Scene& scene) {
  view_ = view;
  scene_ = scene;
  if (static_cast<std::uint64_t>(tiles()) > kMaxTiles) {
    throw std::invalid_argument("image of " + std::to_string(view.width) + " x " +
                                std::to_string(view.height) + " pixels: more than " +
                                std::to_string(kMaxTiles) + " tiles of 16 x 16 pixels");
  }
  if (scene.size > kMaxSplats) {
    throw std::invalid_argument(std::to_string(scene.size) + " Gaussians: more than " +
                                std::to_string(kMaxSplats));
  }
  project();
  sort_by_depth(order_, spare_order_, visible_);
  bin();
}

void Rasterizer::blend(const Image& image) {
  const TileLists tile_lists = lists();
  parallel_each(threads_, tiles(),
                [&](int tile) { kernels_.blend(view_, tile_lists, tile, image); });
}

void Rasterizer::forward(const View& view, const Scene& scene, const Image& image) {
  prepare(view, scene);
  blend(image);
}

void Rasterizer::backward(const Scene& scene, const RenderedImage& image,
                          const ImageGradient& gradient, const SceneGradient& out) {
  scene_ = scene;
  const bool geometry = out.means != nullptr;
  const Slots slots = make_slots(geometry ? kernels_.gradient_slot : kernels_.color_slot);
  const TileLists tile_lists = lists();
  BackwardKernel* kernel = geometry ? kernels_.backward : kernels_.backward_color;
  parallel_each(threads_, tiles(),
                [&](int tile) { kernel(view_, tile_lists, tile, image, gradient, slots); });
  for_each_range([&](std::size_t begin, std::size_t end, std::size_t first_id, std::size_t end_id) {
    kernels_.gradient(view_, scene_, splats_.data(), slots, begin, end, first_id, end_id, out);
  });
}

void Rasterizer::scores(const View& view, const Scene& scene, const Image& image,
                        const ScoreSums& sums) {
  prepare(view, scene);
  const bool removal = sums.removal_effect != nullptr;
  if (removal) blend(image);
  score(removal ? kernels_.removal : kernels_.score, kernels_.add_scores, kernels_.score_slot,
        image, sums);
  if (sums.transmittance_sum) {
    score(kernels_.occlusion, kernels_.add_occlusion, kernels_.occlusion_slot, image, sums);
  }
}

void Rasterizer::score(ScoreKernel* kernel, AddScoresKernel* add, int slot_size, const Image& image,
                       const ScoreSums& sums) {
  const Slots slots = make_slots(slot_size);
  const TileLists tile_lists = lists();
  parallel_each(threads_, tiles(),
                [&](int tile) { kernel(view_, tile_lists, tile, image, slots); });
  for_each_range([&](std::size_t begin, std::size_t end, std::size_t, std::size_t) {
    add(splats_.data(), slots, begin, end, sums);
  });
}

template <class Work>
void Rasterizer::for_each_range(const Work& work) const {
  parallel(threads_, [&](int t) {
    const Range r(scene_.size, t, threads_);
    work(r.begin, r.begin + made_[static_cast<std::size_t>(t)], r.begin, r.end);
  });
}

Slots Rasterizer::make_slots(int size) {
  if (pair_count_ > UINT32_MAX) {
    throw std::invalid_argument(std::to_string(pair_count_) +
                                " pairs of a Gaussian and a tile: more than 2^32 - 1");
  }
  std::uint32_t* first = first_slot_.reserve(scene_.size);
  std::uint32_t sum = 0;
  for (int t = 0; t < threads_; ++t) {
    const std::size_t begin = Range(scene_.size, t, threads_).begin;
    for (std::size_t i = begin; i < begin + made_[static_cast<std::size_t>(t)]; ++i) {
      first[i] = sum;
      sum += splat_counts_.data()[i];
    }
  }
  return {.first = first,
          .count = splat_counts_.data(),
          .values = slot_values_.reserve(pair_count_ * static_cast<std::size_t>(size))};
}

TileLists Rasterizer::lists() const {
  return {.splats = splats_.data(), .pairs = pairs_.data(), .begins = tile_begins_.data()};
}

// Every thread projects a range of the scene to the place where its splats would lie if all were
// visible; then the gaps are closed, so that splats keep the order of the scene.
void Rasterizer::project() {
  const std::size_t n = scene_.size;
  splats_.reserve(n);
  order_.reserve(n);
  made_.assign(static_cast<std::size_t>(threads_), 0);
  parallel(threads_, [&](int t) {
    const Range r(n, t, threads_);
    made_[static_cast<std::size_t>(t)] = kernels_.project(
        view_, scene_, r.begin, r.end, r.begin, splats_.data() + r.begin, order_.data() + r.begin);
  });
  visible_ = 0;
  for (int t = 0; t < threads_; ++t) {
    const std::size_t begin = Range(n, t, threads_).begin,
                      count = made_[static_cast<std::size_t>(t)];
    std::copy_n(order_.data() + begin, count, order_.data() + visible_);
    visible_ += count;
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
