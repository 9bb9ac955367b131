#include "photo_loss.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "../rasterizer/threads.h"

namespace gscompress {
namespace {

constexpr size_t kWindow = 11, kReach = kWindow - 1, kChannels = 3;
constexpr size_t kMargin = kReach * kChannels;  // floats beside a row of windows
constexpr size_t kBlock = 32;  // rows taken at a time, however many threads there are
constexpr float kC1 = 0.01f * 0.01f, kC2 = 0.03f * 0.03f;

// Loops that are compiled for wide vectors as well; the results have the same bits.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define GSC_WIDE __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define GSC_WIDE
#endif

using Row = std::vector<float>;

std::array<float, kWindow> make_window() {
  std::array<double, kWindow> weights{};
  double total = 0;
  for (size_t i = 0; i < kWindow; ++i) {
    const double offset = static_cast<double>(i) - kReach / 2.0;
    total += weights[i] = std::exp(-offset * offset / (2 * 1.5 * 1.5));
  }
  std::array<float, kWindow> window{};
  for (size_t i = 0; i < kWindow; ++i) window[i] = static_cast<float>(weights[i] / total);
  return window;
}

const std::array<float, kWindow> kWeights = make_window();

// Weighted sums of taps that lie `stride` floats apart. The window is symmetric.
GSC_WIDE void blur(const float* __restrict in, size_t stride, size_t count, float* __restrict out) {
  const std::array<float, kWindow>& window = kWeights;
  const float w0 = window[0], w1 = window[1], w2 = window[2], w3 = window[3], w4 = window[4],
              w5 = window[5];
  for (size_t j = 0; j < count; ++j) {
    const float* p = in + j;
    out[j] = w0 * (p[0] + p[10 * stride]) + w1 * (p[stride] + p[9 * stride]) +
             w2 * (p[2 * stride] + p[8 * stride]) + w3 * (p[3 * stride] + p[7 * stride]) +
             w4 * (p[4 * stride] + p[6 * stride]) + w5 * p[5 * stride];
  }
}

// A map over all windows with a border of zeros, so that blurring it gives a map over all pixels.
class Map {
 public:
  Map(size_t rows, size_t row) : pitch_(row + 2 * kMargin), data_((rows + 2 * kReach) * pitch_) {}

  float* row(size_t i) { return data_.data() + (i + kReach) * pitch_ + kMargin; }

  // Row i of the map over pixels; `flat` is scratch.
  void spread(size_t i, Row& flat, Row& out) const {
    blur(data_.data() + i * pitch_, pitch_, pitch_, flat.data());
    blur(flat.data(), kChannels, pitch_ - kMargin, out.data());
  }

  size_t pitch() const { return pitch_; }

 private:
  size_t pitch_;
  std::vector<float> data_;
};

class Similarity {
 public:
  explicit Similarity(const Pictures& pictures)
      : pictures_(pictures),
        rows_(pictures.height - kReach),
        row_(pictures.width * kChannels - kMargin),
        by_mean_(rows_, row_),
        by_square_(rows_, row_),
        by_product_(rows_, row_) {}

  // Sum of the similarities of all windows; keeps what they change by.
  double sum(int threads) {
    const size_t blocks = (rows_ + kBlock - 1) / kBlock;
    std::vector<double> sums(blocks);
    raster::parallel_each(threads, static_cast<int>(blocks), [&](int b) {
      const size_t begin = static_cast<size_t>(b) * kBlock;
      sums[static_cast<size_t>(b)] = compare(begin, std::min(begin + kBlock, rows_));
    });
    double total = 0;
    for (double part : sums) total += part;
    return total;
  }

  // Scratch of `add_gradient`.
  struct Scratch {
    Row flat, mean, square, product;
    explicit Scratch(const Similarity& s)
        : flat(s.by_mean_.pitch()), mean(flat.size()), square(flat.size()), product(flat.size()) {}
  };

  // Adds `weight` times the derivative of the sum by row i of the image.
  void add_gradient(size_t i, float weight, Scratch& scratch, float* gradient) const {
    by_mean_.spread(i, scratch.flat, scratch.mean);
    by_square_.spread(i, scratch.flat, scratch.square);
    by_product_.spread(i, scratch.flat, scratch.product);
    const size_t full = row_ + kMargin;
    const float* x = pictures_.image + i * full;
    const float* y = pictures_.target + i * full;
    for (size_t j = 0; j < full; ++j) {
      gradient[j] +=
          weight * (scratch.mean[j] + 2 * x[j] * scratch.square[j] + y[j] * scratch.product[j]);
    }
  }

 private:
  // Windows that begin in rows begin to end: means along rows, then across them.
  double compare(size_t begin, size_t end) {
    const size_t full = row_ + kMargin, height = end - begin + kReach;
    Row squares(full), products(full), similarity(row_);
    std::array<Row, 4> means, flat;
    for (auto& map : flat) map.resize(height * row_);
    for (auto& map : means) map.resize(row_);
    for (size_t i = 0; i < height; ++i) {
      const float* x = pictures_.image + (begin + i) * full;
      const float* y = pictures_.target + (begin + i) * full;
      for (size_t j = 0; j < full; ++j) {
        squares[j] = x[j] * x[j] + y[j] * y[j];
        products[j] = x[j] * y[j];
      }
      const std::array<const float*, 4> rows{x, y, squares.data(), products.data()};
      for (size_t m = 0; m < 4; ++m) blur(rows[m], kChannels, row_, flat[m].data() + i * row_);
    }
    double total = 0;
    for (size_t i = begin; i < end; ++i) {
      for (size_t m = 0; m < 4; ++m) {
        blur(flat[m].data() + (i - begin) * row_, row_, row_, means[m].data());
      }
      differentiate(means, i, similarity);
      for (float value : similarity) total += value;
    }
    return total;
  }

  // SSIM (Wang et al. 2004, eq. 13) of a row of windows, and its derivatives by the means of x, of
  // x^2 and of x y.
  void differentiate(const std::array<Row, 4>& means, size_t i, Row& similarity) {
    const float *mean_x = means[0].data(), *mean_y = means[1].data();
    const float *squares = means[2].data(), *products = means[3].data();
    float *by_mean = by_mean_.row(i), *by_square = by_square_.row(i),
          *by_product = by_product_.row(i), *out = similarity.data();
    for (size_t j = 0; j < row_; ++j) {
      const float x = mean_x[j], y = mean_y[j];
      const float both = x * y, power = x * x + y * y;
      const float luminance = 2 * both + kC1, structure = 2 * (products[j] - both) + kC2;
      const float light = power + kC1, contrast = squares[j] - power + kC2;
      const float scale = 1 / (light * contrast);
      const float value = luminance * structure * scale;
      const float square = -value * scale * light, product = 2 * luminance * scale;
      by_square[j] = square;
      by_product[j] = product;
      by_mean[j] =
          2 * (y * structure - x * value * contrast) * scale - y * product - 2 * x * square;
      out[j] = value;
    }
  }

  Pictures pictures_;
  size_t rows_, row_;  // windows; row_ counts all three channels
  Map by_mean_, by_square_, by_product_;
};

// Sum of the softened absolute differences of a row; writes `weight` times its derivative.
double absolute(const float* x, const float* y, size_t count, float softness, float weight,
                float* gradient) {
  double total = 0;
  for (size_t j = 0; j < count; ++j) {
    const float difference = x[j] - y[j];
    const float size = std::sqrt(difference * difference + softness * softness);
    if (size > 0) total += difference * difference / (size + softness);
    gradient[j] = size > 0 ? weight * difference / size : 0.0f;
  }
  return total;
}

}  // namespace

double photo_loss(const Pictures& pictures, const LossWeights& weights, float* gradient,
                  int threads) {
  const float ssim_share = weights.ssim_share;
  const size_t full = pictures.width * kChannels, height = pictures.height;
  const double values = static_cast<double>(full * height);
  const float weight = static_cast<float>((1.0 - ssim_share) / values);
  std::vector<double> rows(height);
  const auto absolute_row = [&](size_t i) {
    rows[i] = absolute(pictures.image + i * full, pictures.target + i * full, full,
                       weights.softness, weight, gradient + i * full);
  };
  double similar = 0;
  if (ssim_share > 0) {
    const double windows = static_cast<double>((full - kMargin) * (height - kReach));
    const float share = static_cast<float>(-ssim_share / windows);
    Similarity similarity(pictures);
    similar = similarity.sum(threads) / windows;
    raster::parallel(threads, [&](int t) {
      Similarity::Scratch scratch(similarity);
      const raster::Range range(height, t, threads);
      for (size_t i = range.begin; i < range.end; ++i) {
        absolute_row(i);
        similarity.add_gradient(i, share, scratch, gradient + i * full);
      }
    });
  } else {
    for (size_t i = 0; i < height; ++i) absolute_row(i);
  }
  double total = 0;
  for (double row : rows) total += row;
  return (1 - ssim_share) * total / values + ssim_share * (1 - similar);
}

}  // namespace gscompress
