#include "sh_search.h"

#include <algorithm>
#include <array>
#include <cmath>

#define GSC_SIMD scalar
#include "../rasterizer/sh.h"
#include "../rasterizer/threads.h"

namespace gscompress {
namespace {

constexpr size_t kMaxTerms = 25;
constexpr double kLargest = 1073741824.0;

using Vector = std::array<double, kMaxTerms>;
using Integers = std::array<int32_t, kMaxTerms>;

// G = sum of weight * Y(direction) Y(direction)^T: the squared error of the images is e^T G e.
class Gram {
 public:
  // Sets it for Gaussian i; false if no camera sees it.
  template <size_t K>
  bool observe(const ShScene& scene, const Sightings& sightings, double damping, size_t i) {
    float sum[K][K] = {};
    const float* mean = scene.means + 3 * i;
    const float* weights = sightings.weights + sightings.views * i;
    for (size_t v = 0; v < sightings.views; ++v) {
      if (!(weights[v] > 0)) continue;
      const float* eye = sightings.eyes + 3 * v;
      const float x = mean[0] - eye[0], y = mean[1] - eye[1], z = mean[2] - eye[2];
      const float length = std::sqrt(x * x + y * y + z * z);
      if (!(length > 0)) continue;
      float basis[K];
      raster::scalar::sh_basis<float>(K, x / length, y / length, z / length, basis);
      for (size_t a = 0; a < K; ++a) {
        const float scaled = weights[v] * basis[a];
        for (size_t b = 0; b < K; ++b) sum[a][b] += scaled * basis[b];
      }
    }
    double trace = 0;
    for (size_t a = 0; a < K; ++a) trace += sum[a][a];
    if (!(trace > 0) || !std::isfinite(trace)) return false;
    for (size_t a = 0; a < K; ++a) {
      for (size_t b = 0; b <= a; ++b) lower_[a][b] = sum[a][b];
      lower_[a][a] += damping * trace / K;
    }
    decompose(K);
    return true;
  }

  // e^T G e = sum over k of pivot(k) * (e_k + feedback(k, e))^2, which looks at e_j, j > k, only.
  double pivot(size_t k) const { return pivot_[k]; }
  double feedback(size_t k, size_t terms, const Vector& error) const {
    double sum = 0;
    for (size_t j = k + 1; j < terms; ++j) sum += lower_[j][k] * error[j];
    return sum;
  }

 private:
  void decompose(size_t terms) {  // G = L D L^T, in place
    for (size_t k = 0; k < terms; ++k) {
      pivot_[k] = std::max(lower_[k][k], 1e-300);
      for (size_t j = k + 1; j < terms; ++j) {
        const double factor = lower_[j][k] / pivot_[k];
        for (size_t m = k + 1; m <= j; ++m) lower_[j][m] -= factor * lower_[m][k];
      }
      for (size_t j = k + 1; j < terms; ++j) lower_[j][k] /= pivot_[k];
    }
  }

  double lower_[kMaxTerms][kMaxTerms];
  double pivot_[kMaxTerms];
};

int32_t nearest(double x) {
  const double size = std::min(std::floor(std::abs(x) + 0.5), kLargest);
  return static_cast<int32_t>(x < 0 ? -size : size);
}

// One channel of one Gaussian.
struct Channel {
  size_t terms;
  double weight;       // squared error of an image per squared error of this channel
  double first, step;  // of the constant term, of the others
  double lambda;
  const float* sizes;  // bits of the first higher term by magnitude, or null
  size_t stride;       // from a term's bits to the next one's
};

struct Choice {
  Integers integers;
  Vector error;
  double cost;
};

double bits(const Channel& channel, size_t k, int32_t value) {
  const size_t size = static_cast<size_t>(std::abs(value)), last = ShRates::kSizes - 1;
  const float* row = channel.sizes + (k - 1) * channel.stride;
  return row[std::min(size, last)] +
         (size > last ? 2 * std::log2(static_cast<double>(size) / last) : 0.0);
}

// Integers from the highest term down to the constant one, each of which makes up for what those
// above it have lost.
Choice choose(const Channel& channel, const Gram& gram, const Vector& target, bool empty) {
  Choice choice;
  choice.cost = 0;
  for (size_t k = channel.terms; k-- > 0;) {
    const double step = k == 0 ? channel.first : channel.step;
    const double aim = (target[k] - gram.feedback(k, channel.terms, choice.error)) / step;
    const double scale = channel.weight * gram.pivot(k) * step * step;
    const auto cost = [&](int32_t value) {
      const double rate = k > 0 && channel.sizes && !empty ? bits(channel, k, value) : 0.0;
      return scale * (value - aim) * (value - aim) + channel.lambda * rate;
    };
    int32_t best = k > 0 && empty ? 0 : nearest(aim);
    double least = cost(best);
    if (k > 0 && !empty && channel.sizes && best != 0) {
      const int32_t smaller = best > 0 ? best - 1 : best + 1;
      for (const int32_t other : {smaller, 0}) {
        const double c = cost(other);
        if (c < least) {
          least = c;
          best = other;
        }
      }
    }
    choice.integers[k] = best;
    choice.error[k] = best * step - target[k];
    choice.cost += least;
  }
  return choice;
}

Choice choose_channel(const Channel& channel, const Gram& gram, const Vector& target,
                      const float* flags) {
  Choice full = choose(channel, gram, target, false);
  if (channel.terms == 1 || !flags) return full;
  bool any = false;
  for (size_t k = 1; k < channel.terms; ++k) any = any || full.integers[k] != 0;
  Choice empty = choose(channel, gram, target, true);
  empty.cost += channel.lambda * flags[0];
  full.cost += channel.lambda * flags[1];
  return !any || empty.cost <= full.cost ? empty : full;
}

}  // namespace

void search_sh(const ShScene& scene, const Sightings& sightings, const ShSearch& search,
               int32_t* first, int32_t* higher) {
  const size_t n = scene.count, terms = scene.terms;
  raster::parallel(search.threads, [&](int thread) {
    Gram gram;
    const raster::Range range(n, thread, search.threads);
    for (size_t i = range.begin; i < range.end; ++i) {
      bool seen = false;
      switch (terms) {
        case 1: seen = gram.observe<1>(scene, sightings, search.damping, i); break;
        case 4: seen = gram.observe<4>(scene, sightings, search.damping, i); break;
        case 9: seen = gram.observe<9>(scene, sightings, search.damping, i); break;
        case 16: seen = gram.observe<16>(scene, sightings, search.damping, i); break;
        default: seen = gram.observe<25>(scene, sightings, search.damping, i); break;
      }
      (void)seen;
      if (!seen) continue;
      Vector luma, co, cg;
      for (size_t k = 0; k < terms; ++k) {
        const float* c = scene.rgb + (i * terms + k) * 3;
        co[k] = static_cast<double>(c[0]) - c[2];
        const double middle = c[2] + co[k] / 2;
        cg[k] = c[1] - middle;
        luma[k] = middle + cg[k] / 2;
      }
      const size_t stride = ShRates::kClasses * ShRates::kSizes;
      const size_t cls = search.rates ? search.rates->classes[i] : 0;
      const auto run = [&](size_t plane, double weight, const Vector& target) {
        const double chroma = plane == 0 ? 1.0 : scene.chroma;
        const float* sizes = nullptr;
        const float* flags = nullptr;
        if (search.rates) {
          sizes = search.rates->sizes + plane * (terms - 1) * stride + cls * ShRates::kSizes;
          flags = search.rates->flags + (plane * ShRates::kClasses + cls) * 2;
        }
        const Channel channel{terms,         weight, scene.first[i] * chroma, scene.higher[i] * chroma,
                              search.lambda, sizes,  stride};
        const Choice c = choose_channel(channel, gram, target, flags);
        first[plane * n + i] = c.integers[0];
        for (size_t k = 1; k < terms; ++k) {
          higher[(plane * (terms - 1) + k - 1) * n + i] = c.integers[k];
        }
        return c.error;
      };
      run(1, 0.5, co);
      const Vector error = run(2, 2.0 / 3.0, cg);
      for (size_t k = 0; k < terms; ++k) luma[k] += error[k] / 6;
      run(0, 3.0, luma);
    }
  });
}

}  // namespace gscompress
