#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "../arrays.h"
#include "plane_model.h"
#include "plane_streams.h"
#include "planes.h"

namespace nb = nanobind;

namespace gscompress {
namespace {

template <class Integer>
using Planes = nb::ndarray<const Integer, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Plane = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using PlaneOut = nb::ndarray<int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Specs = nb::ndarray<const int32_t, nb::shape<-1, 3>, nb::c_contig, nb::device::cpu>;
using Labels = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

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

PlaneSide read_side(const Plane& references, const Labels& nearness, const Labels& classes,
                    std::vector<size_t> levels) {
  const size_t n = references.shape(0);
  if (nearness.shape(0) != n || classes.shape(0) != n) {
    throw std::invalid_argument("references, nearness and classes differ in length");
  }
  if (levels.empty() || levels.back() != n || !std::is_sorted(levels.begin(), levels.end())) {
    throw std::invalid_argument("levels do not ascend to the number of references");
  }
  for (size_t i = 0; i < n; ++i) {
    const int32_t r = references(i);
    if (r < 0 || (i > 0 && static_cast<size_t>(r) >= i))
      throw std::invalid_argument("a reference comes later");
    if (nearness(i) > 3 || classes(i) > 15)
      throw std::invalid_argument("nearness over 3 or class over 15");
  }
  return {n, references.data(), nearness.data(), classes.data(), std::move(levels)};
}

std::vector<Bytes> bytes_of(const std::vector<nb::bytes>& parts) {
  std::vector<Bytes> data;
  for (const nb::bytes& part : parts) {
    data.push_back({static_cast<const uint8_t*>(part.data()), part.size()});
  }
  return data;
}

template <class Integer>
nb::list encode(Planes<Integer> planes, Specs specs, Plane references, Labels nearness,
                Labels classes, std::vector<size_t> levels) {
  const auto side = read_side(references, nearness, classes, std::move(levels));
  const auto spec = read_specs(specs);
  if (planes.shape(0) != spec.size() || planes.shape(1) != side.count) {
    throw std::invalid_argument("planes is not [specs, count]");
  }
  std::vector<std::vector<uint8_t>> parts;
  {
    nb::gil_scoped_release release;
    parts = encode_planes(side, spec, planes.data());
  }
  nb::list out;
  for (const auto& part : parts) {
    out.append(nb::bytes(reinterpret_cast<const char*>(part.data()), part.size()));
  }
  return out;
}

auto decode(std::vector<nb::bytes> parts, Specs specs, Plane references, Labels nearness,
            Labels classes, std::vector<size_t> levels) {
  const auto side = read_side(references, nearness, classes, std::move(levels));
  const auto spec = read_specs(specs);
  if (parts.size() != side.levels.size()) throw std::invalid_argument("not a part for each level");
  const auto data = bytes_of(parts);
  auto planes = new_array<int32_t>({spec.size(), side.count});
  {
    nb::gil_scoped_release release;
    decode_planes(side, spec, data, planes.data());
  }
  return planes;
}

// Rows that hold zeros, each of [count] with any stride.
using Row = nb::ndarray<int32_t, nb::ndim<1>, nb::device::cpu>;

void decode_streams(std::vector<nb::bytes> parts, Specs specs, Plane references, Labels nearness,
                    Labels classes, std::vector<size_t> levels, std::vector<Row> rows) {
  const auto side = read_side(references, nearness, classes, std::move(levels));
  const auto spec = read_specs(specs);
  if (parts.size() != side.levels.size()) throw std::invalid_argument("not a part for each level");
  if (rows.size() != spec.size()) throw std::invalid_argument("not a row for each plane");
  std::vector<PlaneRow<int32_t>> out;
  for (const Row& row : rows) {
    if (row.shape(0) != side.count) throw std::invalid_argument("a row is not [count]");
    out.push_back({row.data(), row.stride(0)});
  }
  const auto data = bytes_of(parts);
  nb::gil_scoped_release release;
  decode_plane_streams(side, spec, data, out);
}

// Keeps the arrays alive that a PlaneModel looks at.
class BoundPlaneModel {
 public:
  BoundPlaneModel(Specs specs, Plane references, Labels nearness, Labels classes)
      : references_(references),
        nearness_(nearness),
        classes_(classes),
        side_(read_side(references, nearness, classes, {references.shape(0)})),
        specs_(read_specs(specs)),
        model_(side_, specs_, 0, side_.count) {}

  auto contexts() {
    require_plane();
    auto out = new_array<uint16_t>({model_.used(side_.count)});
    {
      nb::gil_scoped_release release;
      model_.contexts(out.data());
    }
    return out;
  }

  size_t used(size_t count) const {
    require_plane();
    if (count > side_.count) throw std::out_of_range("more values than there are");
    return model_.used(count);
  }

  auto residuals(Plane values) {
    require_plane();
    if (values.shape(0) != side_.count) throw std::invalid_argument("values is not [count]");
    auto out = new_array<int32_t>({model_.used(side_.count)});
    {
      nb::gil_scoped_release release;
      model_.residuals(values.data(), out.data());
    }
    ++next_;
    return out;
  }

  // `residuals` as many as contexts() gave; `out` [count] holds zeros.
  void values(Plane residuals, PlaneOut out) {
    require_plane();
    if (model_.used(side_.count) != residuals.shape(0) || out.shape(0) != side_.count) {
      throw std::invalid_argument("not as many residuals as are coded, or out is not [count]");
    }
    {
      nb::gil_scoped_release release;
      model_.values(residuals.data(), {out.data()});
    }
    ++next_;
  }

 private:
  void require_plane() const {
    if (next_ >= model_.planes()) throw std::out_of_range("there is no further plane");
  }

  Plane references_;
  Labels nearness_, classes_;
  PlaneSide side_;
  std::vector<PlaneSpec> specs_;
  PlaneModel model_;
  size_t next_ = 0;
};

}  // namespace

void bind_context(nb::module_& m) {
  nb::class_<BoundPlaneModel>(m, "PlaneModel")
      .def(nb::init<Specs, Plane, Labels, Labels>(), nb::arg("specs"), nb::arg("references"),
           nb::arg("nearness"), nb::arg("classes"))
      .def("used", &BoundPlaneModel::used, nb::arg("count"))
      .def("contexts", &BoundPlaneModel::contexts)
      .def("residuals", &BoundPlaneModel::residuals, nb::arg("values"))
      .def("values", &BoundPlaneModel::values, nb::arg("residuals"), nb::arg("out").noconvert());
  nb::exception<BrokenStream>(m, "BrokenStream");
  m.def("encode_planes", &encode<int16_t>, nb::arg("planes").noconvert(), nb::arg("specs"),
        nb::arg("references"), nb::arg("nearness"), nb::arg("classes"), nb::arg("levels"));
  m.def("encode_planes", &encode<int32_t>, nb::arg("planes"), nb::arg("specs"),
        nb::arg("references"), nb::arg("nearness"), nb::arg("classes"), nb::arg("levels"));
  m.def("decode_planes", &decode, nb::arg("parts"), nb::arg("specs"), nb::arg("references"),
        nb::arg("nearness"), nb::arg("classes"), nb::arg("levels"));
  m.def("decode_plane_streams", &decode_streams, nb::arg("parts"), nb::arg("specs"),
        nb::arg("references"), nb::arg("nearness"), nb::arg("classes"), nb::arg("levels"),
        nb::arg("rows").noconvert());
}

}  // namespace gscompress
