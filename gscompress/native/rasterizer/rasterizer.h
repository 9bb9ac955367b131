// Renders views of Gaussians: the stages in order, on several threads. Results do not depend, bit for
// bit, on the number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "buffer.h"
#include "kernels.h"
#include "types.h"

namespace gscompress::raster {

// What one forward pass leaves for the passes that follow it; memory is kept for the next view.
class Rasterizer {
 public:
  Rasterizer(const Kernels& kernels, int threads) : kernels_(kernels), threads_(threads) {}

  // Renders. `scene` and `view` are remembered for the passes below, the arrays only borrowed.
  void forward(const View& view, const Scene& scene, const Image& image);

  std::size_t visible() const { return visible_; }
  std::size_t pairs() const { return pair_count_; }
  const Kernels& kernels() const { return kernels_; }
  int threads() const { return threads_; }

 private:
  void project();
  void bin();
  void scatter_pairs(const std::vector<BinJob>& jobs);
  TileLists lists() const;
  int tiles() const { return view_.tiles_x * view_.tiles_y; }

  const Kernels& kernels_;
  int threads_;
  View view_{};
  Scene scene_{};
  std::size_t visible_ = 0, pair_count_ = 0;
  Buffer<Splat> splats_;
  Buffer<DepthKey> order_, spare_order_;
  std::vector<Buffer<Pair>> job_pairs_;    // per thread
  Buffer<std::uint32_t> job_tile_counts_;  // per thread and tile
  Buffer<std::uint32_t> splat_counts_;
  Buffer<Pair> pairs_;
  Buffer<std::uint64_t> tile_begins_;
  Buffer<std::uint64_t> cursors_;  // per thread and tile: where its next pair goes
};

}  // namespace gscompress::raster
