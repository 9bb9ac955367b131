#include "attributes.h"

#include <cmath>

#include "../rasterizer/threads.h"

namespace gscompress {
namespace {

constexpr double kLn2 = 0.6931471805599453;

// Calls visit(i) for every i of 0 .. count - 1, on several threads.
template <class Visit>
void for_each(size_t count, int threads, Visit visit) {
  raster::parallel(threads, [&](int thread) {
    const raster::Range range(count, thread, threads);
    for (size_t i = range.begin; i < range.end; ++i) visit(i);
  });
}

// Natural logarithm of a positive number, by operations that IEEE 754 fixes: the same bits as
// codecs/exact_math.py gives.
double portable_log(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < 2.0 / 3) {
    mantissa *= 2;
    --exponent;
  }
  const double t = (mantissa - 1) / (mantissa + 1), square = t * t;
  double total = 0;
  for (int k = 23; k > 0; k -= 2) total = total * square + 1.0 / k;
  return 2 * t * total + exponent * kLn2;
}

// The smaller one; NaN where either is.
double smaller(double a, double b) { return a < b || a != a ? a : b; }

}  // namespace

void positions_from_grid(const uint32_t* grid, size_t count, const Frame& frame, float* means,
                         int threads) {
  for_each(count, threads, [&](size_t i) {
    double u[3];
    for (int k = 0; k < 3; ++k) u[k] = grid[3 * i + k] * frame.step + frame.lower[k];
    const double r = std::sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2]);
    const double outside = r > 1.0 ? r : 1.0;
    const double factor = 1 / (2 - (outside < frame.limit ? outside : frame.limit));
    for (int k = 0; k < 3; ++k) {
      means[3 * i + k] =
          static_cast<float>(u[k] / outside * factor * frame.radius + frame.centre[k]);
    }
  });
}

void scale_planes(const int32_t* planes, const double* steps, size_t count, float* values,
                  int threads) {
  for_each(count, threads, [=](size_t i) {
    for (size_t k = 0; k < 3; ++k) {
      values[3 * i + k] = static_cast<float>(planes[k * count + i] * steps[i]);
    }
  });
}

void quats_from_planes(const int32_t* planes, const double* steps, size_t count, float* quats,
                       int threads) {
  for_each(count, threads, [=](size_t i) {
    const double x = planes[i] * steps[i], y = planes[count + i] * steps[i],
                 z = planes[2 * count + i] * steps[i];
    const double squared = x * x + y * y + z * z;
    // Rounding may leave the unit ball; such a quaternion is scaled back onto it.
    const double scale = squared > 1 ? 1 / std::sqrt(squared) : 1.0;
    float* q = quats + 4 * i;
    q[0] = static_cast<float>(std::sqrt(squared < 1 ? 1 - squared : 0.0));
    q[1] = static_cast<float>(x * scale);
    q[2] = static_cast<float>(y * scale);
    q[3] = static_cast<float>(z * scale);
  });
}

void guess_octaves(const float* means, const float* opacity_logits, const float* log_scales,
                   size_t count, const Guess& guess, double* octaves, int threads) {
  for_each(count, threads, [&](size_t i) {
    const double a = log_scales[3 * i], b = log_scales[3 * i + 1], c = log_scales[3 * i + 2];
    const double larger_two = a + b + c - smaller(smaller(a, b), c);
    const double x = means[3 * i] - guess.centre[0], y = means[3 * i + 1] - guess.centre[1],
                 z = means[3 * i + 2] - guess.centre[2];
    const double farness = portable_log(x * x + y * y + z * z + guess.spread);
    // ln(opacity) = -ln(1 + exp(-logit)) is near min(logit, 0), which is portable.
    const double faintness = smaller(opacity_logits[i], 0);
    octaves[i] = (2 * faintness + larger_two - farness) / kLn2;
  });
}

}  // namespace gscompress
