// Renders views of Gaussians: the stages in order, on several threads. Results do not depend, bit
// for bit, on the number of threads.
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

  // Renders. What lies where on the image is remembered for backward().
  void forward(const View& view, const Scene& scene, const Image& image);

  // Gradients of a loss, given those by the image that forward() made of the same scene; only by
  // the harmonics if out.means is null.
  void backward(const Scene& scene, const RenderedImage& image, const ImageGradient& gradient,
                const SceneGradient& out);

  // Renders, and adds the scores of this view to `sums`.
  void scores(const View& view, const Scene& scene, const Image& image, const ScoreSums& sums);

  const View& view() const { return view_; }
  std::size_t scene_size() const { return scene_.size; }
  std::size_t visible() const { return visible_; }
  std::size_t pairs() const { return pair_count_; }
  const Kernels& kernels() const { return kernels_; }
  int threads() const { return threads_; }

 private:
  void prepare(const View& view, const Scene& scene);
  void blend(const Image& image);
  void score(ScoreKernel* kernel, AddScoresKernel* add, int slot_size, const Image& image,
             const ScoreSums& sums);
  void project();
  void bin();
  void scatter_pairs(const std::vector<BinJob>& jobs);
  TileLists lists() const;
  Slots make_slots(int size);

  // Calls work(begin, end, first_id, end_id) on several threads: a range of splats, and the range
  // of Gaussians to which they belong.
  template <class Work>
  void for_each_range(const Work& work) const;

  int tiles() const { return view_.tiles_x * view_.tiles_y; }

  const Kernels& kernels_;
  int threads_;
  View view_{};
  Scene scene_{};
  std::size_t visible_ = 0, pair_count_ = 0;
  std::vector<std::size_t> made_;  // splats per range of the scene, one range per thread
  Buffer<Splat> splats_;           // every range at the place of its first Gaussian
  Buffer<DepthKey> order_, spare_order_;
  std::vector<Buffer<Pair>> job_pairs_;    // per thread
  Buffer<std::uint32_t> job_tile_counts_;  // per thread and tile
  Buffer<std::uint32_t> splat_counts_;
  Buffer<Pair> pairs_;
  Buffer<std::uint64_t> tile_begins_;
  Buffer<std::uint64_t> cursors_;  // per thread and tile: where its next pair goes
  Buffer<std::uint32_t> first_slot_;
  Buffer<float> slot_values_;
};

}  // namespace gscompress::raster
