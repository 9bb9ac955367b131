// One step of Adam over rows of parameters.
#pragma once
#include <cstddef>

namespace gscompress {

struct AdamRows {
  float *values, *first, *second;  // [rows, columns] each
  const float* gradients;          // [rows, columns]
  const float* rates;              // [columns]: learning rates, bias correction included
  size_t rows, columns;
};

// Kingma and Ba 2015, algorithm 1, with `damping` times the mean denominator added to all of them.
// The same bits for any number of threads.
void adam_step(const AdamRows& state, float beta1, float beta2, float epsilon, float damping,
               int threads);

}  // namespace gscompress
