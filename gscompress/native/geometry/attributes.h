// Attributes from the integers that are coded; the same bits on every machine.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gscompress {

// The ball that `Morton` contracts space to, and the grid in it.
struct Frame {
  double centre[3];
  double radius;
  double lower[3];  // corner of the grid, in contracted space
  double step;
  double limit;  // of the distance from the centre in contracted space, below 2
};

// Grid positions [count, 3] -> positions [count, 3].
void positions_from_grid(const uint32_t* grid, size_t count, const Frame& frame, float* means,
                         int threads);

// Planes [3, count] times the steps [count] -> values [count, 3].
void scale_planes(const int32_t* planes, const double* steps, size_t count, float* values,
                  int threads);

// Planes of x, y and z [3, count] times the steps [count] -> unit quaternions wxyz [count, 4], w
// not negative.
void quats_from_planes(const int32_t* planes, const double* steps, size_t count, float* quats,
                       int threads);

// Where importance is guessed from: log2 of opacity^2 times the product of the two larger scales
// over the squared distance from `centre` plus `spread`.
struct Guess {
  double centre[3];
  double spread;
};

void guess_octaves(const float* means, const float* opacity_logits, const float* log_scales,
                   size_t count, const Guess& guess, double* octaves, int threads);

}  // namespace gscompress
