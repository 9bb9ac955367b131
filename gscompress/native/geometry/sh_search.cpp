#include "sh_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#define GSC_SIMD scalar
#include "../rasterizer/sh.h"
#include "../rasterizer/threads.h"

namespace gscompress {
namespace {

constexpr double kLargest = 1073741824.0;

int32_t nearest(double x) {
  const auto size = static_cast<int32_t>(std::min(std::abs(x) + 0.5, kLargest));
  return x < 0 ? -size : size;
}

// Adds weight * basis basis^T to the lower triangle of `sum`, whose rows are filled up to fours.
template <size_t K, size_t P, size_t... A>
void add_view(float weight, const float* basis, float (&sum)[K][P], std::index_sequence<A...>) {
  const auto add_row = [&]<size_t R>(std::integral_constant<size_t, R>) {
    const float scaled = weight * basis[R];
    for (size_t b = 0; b < (R | 3) + 1; ++b) sum[R][b] += scaled * basis[b];
  };
  (add_row(std::integral_constant<size_t, A>{}), ...);
}

// The metric of one Gaussian: errors e of its K coefficients change the images by e^T G e in
// squared error, G = sum over views of weight * Y Y^T with Y the harmonics in the direction of the
// view.
template <size_t K>
class Metric {
 public:
  // False if no camera sees Gaussian i.
  bool observe(const Sightings& sightings, double damping, size_t i) {
    constexpr size_t kPadded = (K + 3) / 4 * 4;
    float sum[K][kPadded] = {};
    float basis[kPadded] = {};
    double total = 0, squared = 0;
    const float* mean = sightings.means + 3 * i;
    const uint8_t* codes = sightings.codes + sightings.views * i;
    for (size_t v = 0; v < sightings.views; ++v) {
      const float weight = sightings.weights[codes[v]];
      if (!(weight > 0)) continue;
      const float* eye = sightings.eyes + 3 * v;
      const float x = mean[0] - eye[0], y = mean[1] - eye[1], z = mean[2] - eye[2];
      const float length = std::sqrt(x * x + y * y + z * z);
      if (!(length > 0)) continue;
      total += weight;
      squared += static_cast<double>(weight) * weight;
      raster::scalar::sh_basis<float>(K, x / length, y / length, z / length, basis);
      add_view<K>(weight, basis, sum, std::make_index_sequence<K>{});
    }
    if (!(total > 0) || !std::isfinite(squared)) return false;
    // A view from everywhere: the mean of Y Y^T over the sphere is the identity / 4 pi.
    const double everywhere = damping * squared / total / (4 * std::numbers::pi);
    for (size_t a = 0; a < K; ++a) {
      std::copy(sum[a], sum[a] + a + 1, lower_[a]);
      lower_[a][a] += everywhere;
    }
    decompose();
    return true;
  }

  // e^T G e = sum over k of pivot(k) * (e_k + carried_k)^2, where carried_k is the sum over j > k
  // of row(j)[k] * e_j.
  double pivot(size_t k) const { return pivot_[k]; }
  const double* row(size_t j) const { return lower_[j]; }

 private:
  void decompose() {  // G = L D L^T, in place
    for (size_t k = 0; k < K; ++k) {
      // Without damping, few views leave directions that nobody looks along.
      const double pivot = pivot_[k] = std::max(lower_[k][k], 0.0);
      const double inverse = pivot > 0 ? 1 / pivot : 0.0;
      double column[K];
      for (size_t j = k + 1; j < K; ++j) column[j] = lower_[j][k];
      for (size_t j = k + 1; j < K; ++j) {
        const double factor = lower_[j][k] = column[j] * inverse;
        for (size_t m = k + 1; m <= j; ++m) lower_[j][m] -= factor * column[m];
      }
    }
  }

  double lower_[K][K];
  double pivot_[K];
};

// One channel of one Gaussian.
struct Channel {
  double weight;       // squared error of an image per squared error of this channel
  double first, step;  // steps of the constant term and of the others
  double bit_price;
  const float* sizes;  // of the terms above the constant one, or null
  const float* flags;
};

double bits(const Channel& channel, size_t k, int32_t value) {
  const size_t size = static_cast<size_t>(std::abs(value)), last = ShBits::kSizes - 1;
  const double capped = channel.sizes[(k - 1) * ShBits::kSizes + std::min(size, last)];
  return size > last ? capped + 2 * std::log2(static_cast<double>(size) / last) : capped;
}

template <size_t K>
struct Choice {
  std::array<int32_t, K> integers;
  std::array<double, K> error;
  double cost;
};

// Integers from the highest term down to the constant one, each of which makes up for what those
// above it have lost; `last` is the highest term that may be other than 0.
template <size_t K>
Choice<K> choose(const Channel& channel, const Metric<K>& metric,
                 const std::array<double, K>& target, size_t last) {
  Choice<K> choice;
  choice.cost = 0;
  std::array<double, K> carried{};
  for (size_t k = K; k-- > 0;) {
    const bool priced = k > 0 && channel.sizes && last > 0;
    const double step = k == 0 ? channel.first : channel.step;
    const double aim = (target[k] - carried[k]) / step;
    const double scale = channel.weight * metric.pivot(k) * step * step;
    const auto cost = [&](int32_t value) {
      const double off = value - aim;
      return scale * off * off + (priced ? channel.bit_price * bits(channel, k, value) : 0.0);
    };
    int32_t best = k > last ? 0 : nearest(aim);
    double least = cost(best);
    if (priced && best != 0) {
      for (const int32_t other : {best > 0 ? best - 1 : best + 1, 0}) {
        const double c = cost(other);
        if (c < least) {
          least = c;
          best = other;
        }
      }
    }
    choice.integers[k] = best;
    const double error = choice.error[k] = best * step - target[k];
    const double* row = metric.row(k);
    for (size_t m = 0; m < k; ++m) carried[m] += row[m] * error;
    choice.cost += least;
  }
  return choice;
}

// With a price on bits, nothing above the constant term is one more thing to try.
template <size_t K>
Choice<K> choose(const Channel& channel, const Metric<K>& metric,
                 const std::array<double, K>& target) {
  const Choice<K> full = choose<K>(channel, metric, target, K - 1);
  if (K == 1 || !channel.sizes) return full;
  const Choice<K> empty = choose<K>(channel, metric, target, 0);
  const double full_cost = full.cost + channel.bit_price * channel.flags[1];
  const double empty_cost = empty.cost + channel.bit_price * channel.flags[0];
  return empty_cost <= full_cost ? empty : full;
}

template <size_t K>
class Searcher {
 public:
  Searcher(const ShValues& values, const ShSearch& search, const ShPlanes& planes)
      : values_(values), search_(search), planes_(planes) {}

  // YCoCg is not orthogonal: |rgb|^2 = 3 (y - cg / 6)^2 + co^2 / 2 + 2/3 cg^2. So luma comes last
  // and makes up for what Cg has lost.
  void run(const Metric<K>& metric, size_t i) const {
    std::array<double, K> luma, co, cg;
    for (size_t k = 0; k < K; ++k) {
      const float* c = values_.rgb + (i * K + k) * 3;
      co[k] = static_cast<double>(c[0]) - c[2];
      const double middle = c[2] + co[k] / 2;
      cg[k] = c[1] - middle;
      luma[k] = middle + cg[k] / 2;
    }
    code(metric, i, 1, 0.5, co);
    const auto lost = code(metric, i, 2, 2.0 / 3, cg);
    for (size_t k = 0; k < K; ++k) luma[k] += lost[k] / 6;
    code(metric, i, 0, 3.0, luma);
  }

 private:
  std::array<double, K> code(const Metric<K>& metric, size_t i, size_t plane, double weight,
                             const std::array<double, K>& target) const {
    const double chroma = plane == 0 ? 1.0 : values_.chroma;
    Channel channel{
        weight, values_.first[i] * chroma, values_.higher[i] * chroma, search_.bit_price, nullptr,
        nullptr};
    if (search_.bits) {
      channel.sizes = search_.bits->sizes + plane * (K - 1) * ShBits::kSizes;
      channel.flags = search_.bits->flags + 2 * plane;
    }
    const Choice<K> choice = choose<K>(channel, metric, target);
    const size_t n = values_.count;
    int32_t* higher = plane == 0 ? planes_.luma : planes_.chroma + (plane - 1) * (K - 1) * n;
    planes_.first[plane * n + i] = choice.integers[0];
    for (size_t k = 1; k < K; ++k) higher[(k - 1) * n + i] = choice.integers[k];
    return choice.error;
  }

  ShValues values_;
  ShSearch search_;
  ShPlanes planes_;
};

template <size_t K>
void search_terms(const ShValues& values, const Sightings& sightings, const ShSearch& search,
                  const ShPlanes& planes) {
  const Searcher<K> searcher(values, search, planes);
  raster::parallel(search.threads, [&](int thread) {
    Metric<K> metric;
    const raster::Range range(values.count, thread, search.threads);
    for (size_t i = range.begin; i < range.end; ++i) {
      if (metric.observe(sightings, search.damping, i)) searcher.run(metric, i);
    }
  });
}

}  // namespace

void search_sh(const ShValues& values, const Sightings& sightings, const ShSearch& search,
               const ShPlanes& planes) {
  switch (values.terms) {
    case 1:
      return search_terms<1>(values, sightings, search, planes);
    case 4:
      return search_terms<4>(values, sightings, search, planes);
    case 9:
      return search_terms<9>(values, sightings, search, planes);
    case 16:
      return search_terms<16>(values, sightings, search, planes);
    default:
      return search_terms<25>(values, sightings, search, planes);
  }
}

}  // namespace gscompress
