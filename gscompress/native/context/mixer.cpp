#include "mixer.h"

namespace gscompress {
namespace {

// exp(x) for |x| <= 9: a Taylor series at x / 256, squared eight times.
double exponential(double x) {
  const double r = x / 256.0;
  double term = 1.0, sum = 1.0;
  for (int k = 1; k < 12; ++k) {
    term = term * r / k;
    sum += term;
  }
  for (int k = 0; k < 8; ++k) sum *= sum;
  return sum;
}

}  // namespace

Logistic::Logistic() {
  for (int i = 0; i < 4096; ++i) {
    const double p = 65536.0 / (1.0 + exponential(-(i - 2048) / 256.0));
    squash[i] = p < 32.0 ? 32 : p > 65504.0 ? 65504 : static_cast<int32_t>(p + 0.5);
  }
  // stretch is the inverse of squash: the first x whose squash reaches p.
  int x = -2047;
  for (int i = 0; i < 4096; ++i) {
    const double p = (i + 0.5) * 16.0;
    while (x < 2047 && 65536.0 / (1.0 + exponential(-x / 256.0)) < p) ++x;
    stretch[i] = x;
  }
  for (int n = 0; n < 256; ++n) step[n] = static_cast<int32_t>(8192.0 / (n + 1.5));
}

const Logistic& Logistic::tables() {
  static const Logistic instance;
  return instance;
}

}  // namespace gscompress
