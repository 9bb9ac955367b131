// The kernels of the rasterizer, compiled once per instruction set and chosen at run time.
//
// Units that implement them are compiled with flags of their own, so they use no inline function of
// the standard library: the linker could keep the AVX-512 copy of it for everybody.
#pragma once

#include "types.h"

namespace gscompress::raster {

// What bin() reads and writes.
struct BinJob {
  const View* view;
  const Splat* splats;
  const DepthKey* order;   // splats front to back
  size_t begin, end;       // range of `order` to do; begin advances
  Pair* pairs;             // output, in `order`; high() is the tile
  size_t count, capacity;  // pairs written, room for them
  uint32_t* tile_counts;   // [tiles] of this job, increased
  uint32_t* splat_counts;  // [splats] tiles touched by each
};

// Projects the Gaussians [begin, end). Returns how many are visible; writes their splats and keys
// (the splat's number counts from `first`), in the order of the scene.
using ProjectKernel = size_t(const View& view, const Scene& scene, size_t begin, size_t end,
                             size_t first, Splat* splats, DepthKey* keys);

// Lists the tiles of splats. Stops early when `pairs` may not hold those of the next splat, and
// then returns how many pairs that one may need; 0 when the range is done.
using BinKernel = size_t(BinJob& job);

// Blends one tile into the image.
using BlendKernel = void(const View& view, const TileLists& lists, int tile, const Image& image);

// Blends one tile and scores its splats; or scores, with removal effects, the tile of an image that
// is already there.
using ScoreKernel = void(const View& view, const TileLists& lists, int tile, const Image& image,
                         const Slots& slots);

// Adds up the scores of the splats [begin, end).
using AddScoresKernel = void(const Splat* splats, const Slots& slots, size_t begin, size_t end,
                             const ScoreSums& out);

// Gradients of the splats of one tile.
using BackwardKernel = void(const View& view, const TileLists& lists, int tile,
                            const RenderedImage& image, const ImageGradient& gradient,
                            const Slots& slots);

// Gradients of the Gaussians [first_id, end_id), of which the splats [begin, end) are visible.
using GradientKernel = void(const View& view, const Scene& scene, const Splat* splats,
                            const Slots& slots, size_t begin, size_t end, size_t first_id,
                            size_t end_id, const SceneGradient& out);

struct Kernels {
  const char* name;
  int score_slot, occlusion_slot, gradient_slot, color_slot;  // floats
  ProjectKernel* project;
  BinKernel* bin;
  BlendKernel* blend;
  ScoreKernel* score;
  ScoreKernel* removal;
  AddScoresKernel* add_scores;
  ScoreKernel* occlusion;
  AddScoresKernel* add_occlusion;
  BackwardKernel* backward;
  BackwardKernel* backward_color;
  GradientKernel* gradient;
};

// Null where this build has no code for the instruction set.
const Kernels* baseline_kernels();
const Kernels* avx2_kernels();
const Kernels* avx512_kernels();

// Names of the instruction sets that this build and this machine have, best first; null-terminated.
const char* const* simd_levels();

// The kernels for `level` (the best for null); null if there is no such level here.
const Kernels* find_kernels(const char* level);

}  // namespace gscompress::raster
