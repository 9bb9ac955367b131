#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "adam.h"

namespace nb = nanobind;

namespace gscompress {
namespace {

template <class T>
using Rows = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Rates = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void step(Rows<float> values, Rows<const float> gradients, Rows<float> first, Rows<float> second,
          Rates rates, float beta1, float beta2, float epsilon, float damping, int threads) {
  const size_t rows = values.shape(0), columns = values.shape(1);
  const auto fits = [&](const auto& array) {
    return array.shape(0) == rows && array.shape(1) == columns;
  };
  if (!fits(gradients) || !fits(first) || !fits(second)) {
    throw std::invalid_argument("gradients, first, second: expected the shape of values");
  }
  if (rates.shape(0) != columns) throw std::invalid_argument("rates: expected one per column");
  if (threads < 1 || threads > 1024) throw std::invalid_argument("threads: expected 1 to 1024");
  nb::gil_scoped_release release;
  adam_step(
      {values.data(), first.data(), second.data(), gradients.data(), rates.data(), rows, columns},
      beta1, beta2, epsilon, damping, threads);
}

}  // namespace

void bind_optimise(nb::module_& m) {
  m.def("adam_step", &step, nb::arg("values"), nb::arg("gradients"), nb::arg("first"),
        nb::arg("second"), nb::arg("rates"), nb::arg("beta1"), nb::arg("beta2"), nb::arg("epsilon"),
        nb::arg("damping"), nb::arg("threads"));
}

}  // namespace gscompress
