#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <stdexcept>

#include "../arrays.h"
#include "plane_model.h"
#include "planes.h"

namespace nb = nanobind;

namespace gscompress {
namespace {

using Planes = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Plane = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Specs = nb::ndarray<const int32_t, nb::shape<-1, 3>, nb::c_contig, nb::device::cpu>;
using References = nb::ndarray<const int32_t, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::vector<PlaneSpec> read_specs(const Specs& specs) {
  std::vector<PlaneSpec> out(specs.shape(0));
  for (size_t c = 0; c < out.size(); ++c) {
    out[c] = {specs(c, 0), specs(c, 1), specs(c, 2)};
    if (std::max(out[c].partner, out[c].gate) >= static_cast<int32_t>(c)) {
      throw std::invalid_argument("a partner or gate comes later");
    }
  }
  return out;
}

PlaneSide read_side(const References& references, const Bytes& nearness, const Bytes& classes) {
  const size_t n = references.shape(0);
  if (nearness.shape(0) != n || classes.shape(0) != n) {
    throw std::invalid_argument("references, nearness and classes differ in length");
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < 2; ++k) {
      const int32_t r = references(i, k);
      if (r < 0 || (i > 0 && static_cast<size_t>(r) >= i))
        throw std::invalid_argument("a reference comes later");
    }
    if (nearness(i) > 3 || classes(i) > 15)
      throw std::invalid_argument("nearness over 3 or class over 15");
  }
  return {n, references.data(), nearness.data(), classes.data()};
}

nb::bytes encode(Planes planes, Specs specs, References references, Bytes nearness, Bytes classes) {
  const auto side = read_side(references, nearness, classes);
  const auto spec = read_specs(specs);
  if (planes.shape(0) != spec.size() || planes.shape(1) != side.count) {
    throw std::invalid_argument("planes is not [specs, count]");
  }
  std::vector<uint8_t> out;
  {
    nb::gil_scoped_release release;
    out = encode_planes(side, spec, planes.data());
  }
  return nb::bytes(reinterpret_cast<const char*>(out.data()), out.size());
}

auto decode(nb::bytes data, Specs specs, References references, Bytes nearness, Bytes classes) {
  const auto side = read_side(references, nearness, classes);
  const auto spec = read_specs(specs);
  auto planes = new_array<int32_t>({spec.size(), side.count});
  {
    nb::gil_scoped_release release;
    decode_planes(side, spec, static_cast<const uint8_t*>(data.data()), data.size(), planes.data());
  }
  return planes;
}

// Keeps the arrays alive that a PlaneModel looks at.
class BoundPlaneModel {
 public:
  BoundPlaneModel(Specs specs, References references, Bytes nearness, Bytes classes)
      : references_(references),
        nearness_(nearness),
        classes_(classes),
        model_(read_side(references, nearness, classes), read_specs(specs)) {}

  auto contexts() {
    require_plane();
    std::vector<uint16_t> out(model_.count());
    size_t used = 0;
    {
      nb::gil_scoped_release release;
      used = model_.contexts(out.data());
    }
    auto array = new_array<uint16_t>({used});
    std::copy_n(out.data(), used, array.data());
    return array;
  }

  auto residuals(Plane values) {
    require_plane();
    if (values.shape(0) != model_.count()) throw std::invalid_argument("values is not [count]");
    std::vector<int32_t> out(model_.count());
    size_t used = 0;
    {
      nb::gil_scoped_release release;
      used = model_.residuals(values.data(), out.data());
    }
    ++next_;
    auto array = new_array<int32_t>({used});
    std::copy_n(out.data(), used, array.data());
    return array;
  }

  // `residuals` as many as contexts() gave.
  auto values(Plane residuals) {
    require_plane();
    if (model_.used() != residuals.shape(0)) {
      throw std::invalid_argument("not as many residuals as are coded");
    }
    auto out = new_array<int32_t>({model_.count()});
    {
      nb::gil_scoped_release release;
      model_.values(residuals.data(), out.data());
    }
    ++next_;
    return out;
  }

 private:
  void require_plane() const {
    if (next_ >= model_.planes()) throw std::out_of_range("there is no further plane");
  }

  References references_;
  Bytes nearness_, classes_;
  PlaneModel model_;
  size_t next_ = 0;
};

}  // namespace

void bind_context(nb::module_& m) {
  nb::class_<BoundPlaneModel>(m, "PlaneModel")
      .def(nb::init<Specs, References, Bytes, Bytes>(), nb::arg("specs"), nb::arg("references"),
           nb::arg("nearness"), nb::arg("classes"))
      .def("contexts", &BoundPlaneModel::contexts)
      .def("residuals", &BoundPlaneModel::residuals, nb::arg("values"))
      .def("values", &BoundPlaneModel::values, nb::arg("residuals"));
  nb::exception<BrokenStream>(m, "BrokenStream");
  m.def("encode_planes", &encode, nb::arg("planes"), nb::arg("specs"), nb::arg("references"),
        nb::arg("nearness"), nb::arg("classes"));
  m.def("decode_planes", &decode, nb::arg("data"), nb::arg("specs"), nb::arg("references"),
        nb::arg("nearness"), nb::arg("classes"));
}

}  // namespace gscompress
