#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <limits>
#include <optional>
#include <span>
#include <stdexcept>

#include "../arrays.h"
#include "coder.h"

namespace nb = nanobind;

namespace gscompress {
namespace {

template <class T>
using Vector = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Contexts = std::optional<Vector<uint16_t>>;

std::span<const uint16_t> checked(const Contexts& contexts, size_t count) {
  if (!contexts) return {};
  if (contexts->shape(0) != count) throw std::invalid_argument("contexts and values differ");
  return {contexts->data(), count};
}

nb::bytes encode(Vector<int32_t> values, const Contexts& contexts, int model) {
  const size_t count = values.shape(0);
  if (count > std::numeric_limits<int32_t>::max()) throw std::invalid_argument("too many values");
  const entropy::Input input{{values.data(), count}, checked(contexts, count)};
  entropy::Bytes out;
  {
    nb::gil_scoped_release release;
    out = entropy::encode(input, static_cast<entropy::Model>(model));
  }
  return nb::bytes(out.data(), out.size());
}

auto decode(nb::bytes data, size_t count, const Contexts& contexts) {
  const auto classes = checked(contexts, count);
  const std::span<const uint8_t> bytes{static_cast<const uint8_t*>(data.data()), data.size()};
  if (entropy::stored_count(bytes) != count) {  // before anything is allocated
    throw entropy::CorruptStream("the number of values differs");
  }
  auto out = new_array<int32_t>({count});
  {
    nb::gil_scoped_release release;
    entropy::decode(bytes, classes, {out.data(), count});
  }
  return out;
}

}  // namespace

void bind_entropy(nb::module_& m) {
  nb::exception<entropy::CorruptStream>(m, "CorruptStream");
  // model: a value of entropy::Model.
  m.def("rans_encode", &encode, nb::arg("values"), nb::arg("contexts").none(), nb::arg("model"));
  m.def("rans_decode", &decode, nb::arg("data"), nb::arg("count"), nb::arg("contexts").none());
}

}  // namespace gscompress
