#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "../arrays.h"
#include "slots.h"
#include "temporal_coder.h"

namespace nb = nanobind;

namespace gscompress {
namespace {

using References = nb::ndarray<const int32_t, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;
using Slots = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Classes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Reals = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

auto to_arrays(const Change& change, size_t channels) {
  auto slots = new_array<int32_t>({change.slots.size()});
  auto values = new_array<int32_t>({change.slots.size(), channels});
  std::copy(change.slots.begin(), change.slots.end(), slots.data());
  std::copy(change.values.begin(), change.values.end(), values.data());
  return std::pair(slots, values);
}

// Checks what Python gives.
class BoundTemporalCoder {
 public:
  BoundTemporalCoder(const std::vector<int>& widths, const std::vector<int>& sets)
      : coder_(checked(widths, sets), sets) {}

  void append(References references, Classes classes) {
    const size_t count = references.shape(0);
    if (classes.shape(0) != count) throw std::invalid_argument("not a class for each reference");
    if (count > std::numeric_limits<int32_t>::max() - coder_.slots()) {
      throw std::invalid_argument("too many slots");
    }
    std::vector<Reference> checked_references(count);
    for (size_t i = 0; i < count; ++i) {
      const Reference reference{references(i, 0), references(i, 1)};
      const auto slot = static_cast<int64_t>(coder_.slots() + i);
      if (std::min(reference.near, reference.other) < 0 ||
          std::max(reference.near, reference.other) > slot) {
        throw std::invalid_argument("a reference comes later");
      }
      if (classes(i) >= TemporalCoder::kClasses) throw std::invalid_argument("no such class");
      checked_references[i] = reference;
    }
    coder_.append(checked_references.data(), classes.data(), count);
  }

  void retire(Slots slots) {
    for (size_t k = 0; k < slots.shape(0); ++k) {
      if (slots(k) < 0 || static_cast<size_t>(slots(k)) >= coder_.slots()) {
        throw std::invalid_argument("no such slot");
      }
    }
    coder_.retire(slots.data(), slots.shape(0));
  }

  auto encode(Reals values, Reals weights, float price, int phase) {
    for (const Reals* array : {&values, &weights}) {
      if (array->shape(0) != coder_.slots() || array->shape(1) != coder_.channels()) {
        throw std::invalid_argument("values and weights are not [slots, channels]");
      }
    }
    check_phase(phase);
    const size_t total = coder_.slots() * coder_.channels();
    const auto codable = [](float x) { return std::fabs(x) <= TemporalCoder::kMaxValue; };
    const auto weight = [](float x) { return x >= 0; };
    if (!std::all_of(values.data(), values.data() + total, codable) ||
        !std::all_of(weights.data(), weights.data() + total, weight) || !(price >= 0)) {
      throw std::invalid_argument("values too large, or weights or price not at least 0");
    }
    Change change;
    std::vector<uint8_t> bytes;
    {
      nb::gil_scoped_release release;
      bytes = coder_.encode({values.data(), weights.data(), price}, phase, change);
    }
    auto [slots, changes] = to_arrays(change, coder_.channels());
    return nb::make_tuple(nb::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                          slots, changes);
  }

  auto decode(nb::bytes data, int phase) {
    check_phase(phase);
    Change change;
    {
      const auto* bytes = static_cast<const uint8_t*>(data.data());
      const size_t size = data.size();
      nb::gil_scoped_release release;
      coder_.decode(bytes, size, phase, change);
    }
    auto [slots, changes] = to_arrays(change, coder_.channels());
    return nb::make_tuple(slots, changes);
  }

  BoundTemporalCoder copy() const { return *this; }
  size_t slots() const { return coder_.slots(); }

 private:
  static const std::vector<int>& checked(const std::vector<int>& widths,
                                         const std::vector<int>& sets) {
    size_t channels = 0;
    for (const int width : widths) {
      if (width < 1 || width > 256) throw std::invalid_argument("a group of 1 to 256 channels");
      channels += static_cast<size_t>(width);
    }
    if (widths.empty() || widths.size() > TemporalCoder::kMaxGroups || channels != sets.size() ||
        !std::all_of(sets.begin(), sets.end(), [](int set) { return set >= 0 && set < 256; })) {
      throw std::invalid_argument("up to 7 groups and a model set for each channel");
    }
    return widths;
  }

  static void check_phase(int phase) {
    if (phase < 0 || phase >= TemporalCoder::kPhases) throw std::invalid_argument("no such phase");
  }

  TemporalCoder coder_;
};

using Sums = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Units = nb::ndarray<const double, nb::shape<-1, 6>, nb::c_contig, nb::device::cpu>;
template <class T>
using Attribute = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
template <class T>
using Attributes = std::array<Attribute<T>, 5>;

template <class T>
SlotValues<T> checked(const Attributes<T>& arrays, size_t slots, size_t harmonics) {
  const size_t widths[5] = {3, 4, 3, 1, 3 * harmonics};
  for (size_t k = 0; k < 5; ++k) {
    if (arrays[k].size() != slots * widths[k]) {
      throw std::invalid_argument("attributes do not fit the sums");
    }
  }
  return {arrays[0].data(), arrays[1].data(), arrays[2].data(), arrays[3].data(), arrays[4].data()};
}

void bound_update(Slots slots, Sums sums, Units units, Attributes<const float> key,
                  Attributes<float> now) {
  const size_t count = sums.shape(0);
  if (sums.shape(1) < 13 || (sums.shape(1) - 10) % 3 != 0 || units.shape(0) != count) {
    throw std::invalid_argument("sums is not [slots, 10 + 3 harmonics], or units not [slots, 6]");
  }
  for (size_t k = 0; k < slots.shape(0); ++k) {
    if (slots(k) < 0 || static_cast<size_t>(slots(k)) >= count) {
      throw std::invalid_argument("no such slot");
    }
  }
  const size_t harmonics = (sums.shape(1) - 10) / 3;
  const auto from = checked(key, count, harmonics);
  const auto to = checked(now, count, harmonics);
  nb::gil_scoped_release release;
  update_slots({sums.data(), units.data(), harmonics}, from, slots.data(), slots.shape(0), to);
}

}  // namespace

void bind_temporal(nb::module_& m) {
  nb::class_<BoundTemporalCoder>(m, "TemporalCoder")
      .def(nb::init<const std::vector<int>&, const std::vector<int>&>(), nb::arg("widths"),
           nb::arg("sets"))
      .def("append", &BoundTemporalCoder::append, nb::arg("references"), nb::arg("classes"))
      .def("retire", &BoundTemporalCoder::retire, nb::arg("slots"))
      .def("encode", &BoundTemporalCoder::encode, nb::arg("values"), nb::arg("weights"),
           nb::arg("price"), nb::arg("phase"))
      .def("decode", &BoundTemporalCoder::decode, nb::arg("data"), nb::arg("phase"))
      .def("copy", &BoundTemporalCoder::copy)
      .def_prop_ro("slots", &BoundTemporalCoder::slots);
  m.def("update_slots", &bound_update, nb::arg("slots"), nb::arg("sums"), nb::arg("units"),
        nb::arg("key"), nb::arg("now"));
}

}  // namespace gscompress
