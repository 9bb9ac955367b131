#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <vector>

#include "../arrays.h"
#include "../rasterizer/threads.h"
#include "attributes.h"
#include "bits.h"
#include "colour.h"
#include "morton.h"
#include "neighbours.h"
#include "sh_search.h"

namespace nb = nanobind;

namespace gscompress {
namespace {

using Positions = nb::ndarray<const uint32_t, nb::shape<-1, 3>, nb::c_contig, nb::device::cpu>;
template <class T>
using Vector = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

auto encode(Positions positions) {
  const size_t n = positions.shape(0);
  auto codes = new_array<uint64_t>({n});
  {
    nb::gil_scoped_release release;
    const uint32_t* p = positions.data();
    for (size_t i = 0; i < n; ++i, p += 3) codes.data()[i] = morton_encode(p[0], p[1], p[2]);
  }
  return codes;
}

void require(bool ok, const char* what) {
  if (!ok) throw std::invalid_argument(what);
}

void require_threads(int threads) {
  require(threads >= 1 && threads <= 1024, "threads: expected 1 to 1024");
}

auto decode(Vector<uint64_t> codes, int threads) {
  require_threads(threads);
  const size_t n = codes.shape(0);
  auto positions = new_array<uint32_t>({n, 3});
  {
    nb::gil_scoped_release release;
    raster::parallel(threads, [&](int thread) {
      const raster::Range range(n, thread, threads);
      for (size_t i = range.begin; i < range.end; ++i) {
        morton_decode(codes.data()[i], positions.data() + 3 * i);
      }
    });
  }
  return positions;
}

auto neighbours(Positions positions, std::vector<size_t> levels, size_t window, int threads) {
  const size_t n = positions.shape(0);
  if (levels.empty() || levels.back() != n || !std::is_sorted(levels.begin(), levels.end())) {
    throw std::invalid_argument("levels do not ascend to the number of positions");
  }
  require_threads(threads);
  auto references = new_array<int32_t>({n});
  auto distance = new_array<uint64_t>({n});
  {
    nb::gil_scoped_release release;
    nearest_before(positions.data(), levels, window, threads, references.data(), distance.data());
  }
  return nb::make_tuple(references, distance);
}

auto resolve(Vector<int32_t> residuals, Vector<int32_t> references, Vector<bool> trusted,
             Vector<bool> used) {
  const size_t n = residuals.shape(0);
  if (references.shape(0) != n || trusted.shape(0) != n || used.shape(0) != n) {
    throw std::invalid_argument("residuals, references, trusted and used differ in length");
  }
  for (size_t i = 1; i < n; ++i) {
    if (references(i) < 0 || static_cast<size_t>(references(i)) >= i) {
      throw std::invalid_argument("a reference comes later");
    }
  }
  auto values = new_array<int32_t>({n});
  {
    nb::gil_scoped_release release;
    resolve_references(residuals.data(), references.data(), trusted.data(), used.data(), n,
                       values.data());
  }
  return values;
}

void check_widths(const Vector<uint8_t>& widths) {
  for (size_t i = 0; i < widths.shape(0); ++i) {
    if (widths.data()[i] > 64) throw std::invalid_argument("a width is over 64 bits");
  }
}

nb::bytes pack(Vector<uint64_t> values, Vector<uint8_t> widths) {
  if (values.shape(0) != widths.shape(0)) throw std::invalid_argument("values and widths differ");
  check_widths(widths);
  const auto out = pack_bits(values.data(), widths.data(), values.shape(0));
  return nb::bytes(reinterpret_cast<const char*>(out.data()), out.size());
}

auto unpack(nb::bytes data, Vector<uint8_t> widths) {
  check_widths(widths);
  auto values = new_array<uint64_t>({widths.shape(0)});
  bool ok = false;
  {
    nb::gil_scoped_release release;
    ok = unpack_bits(static_cast<const uint8_t*>(data.data()), data.size(), widths.data(),
                     widths.shape(0), values.data());
  }
  if (!ok) throw std::invalid_argument("the bytes do not hold fields of these widths");
  return values;
}

auto sums(nb::bytes data, Vector<int32_t> lengths) {
  auto out = new_array<uint64_t>({lengths.shape(0)});
  bool ok = false;
  {
    nb::gil_scoped_release release;
    ok = unpack_sums(static_cast<const uint8_t*>(data.data()), data.size(), lengths.data(),
                     lengths.shape(0), out.data());
  }
  if (!ok) throw std::invalid_argument("the bytes do not hold differences of these lengths");
  return out;
}

using Planes3 = nb::ndarray<const int32_t, nb::shape<3, -1>, nb::c_contig, nb::device::cpu>;
using Triples = nb::ndarray<const float, nb::shape<-1, 3>, nb::c_contig, nb::device::cpu>;
using Three = std::array<double, 3>;

auto from_grid(Positions grid, Three centre, double radius, Three lower, double step, double limit,
               int threads) {
  require_threads(threads);
  const size_t n = grid.shape(0);
  const Frame frame{
      {centre[0], centre[1], centre[2]}, radius, {lower[0], lower[1], lower[2]}, step, limit};
  auto means = new_array<float>({n, 3});
  {
    nb::gil_scoped_release release;
    positions_from_grid(grid.data(), n, frame, means.data(), threads);
  }
  return means;
}

template <size_t kWidth, auto kFunction>
auto from_planes(Planes3 planes, Vector<double> steps, int threads) {
  require_threads(threads);
  const size_t n = planes.shape(1);
  require(steps.shape(0) == n, "steps: expected [count]");
  auto values = new_array<float>({n, kWidth});
  {
    nb::gil_scoped_release release;
    kFunction(planes.data(), steps.data(), n, values.data(), threads);
  }
  return values;
}

auto guess(Triples means, Vector<float> opacity_logits, Triples log_scales, Three centre,
           double spread, int threads) {
  require_threads(threads);
  const size_t n = means.shape(0);
  require(opacity_logits.shape(0) == n && log_scales.shape(0) == n,
          "means, opacity_logits and log_scales differ in length");
  auto octaves = new_array<double>({n});
  {
    nb::gil_scoped_release release;
    guess_octaves(means.data(), opacity_logits.data(), log_scales.data(), n,
                  {{centre[0], centre[1], centre[2]}, spread}, octaves.data(), threads);
  }
  return octaves;
}

using Colours = nb::ndarray<const float, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;
using Plane = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using PlaneOut = nb::ndarray<int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class Integer>
using LevelsOut = nb::ndarray<Integer, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class Integer>
bool to_levels(Colours rgb, Vector<double> steps, double chroma_factor, size_t first,
               double rounding, LevelsOut<Integer> luma, LevelsOut<Integer> chroma) {
  const size_t n = rgb.shape(0), terms = std::max(luma.shape(0), chroma.shape(0) / 2);
  require(steps.shape(0) == n && first + terms <= rgb.shape(1),
          "steps: expected [count], or too many rows");
  require(luma.shape(1) == n && chroma.shape(1) == n, "planes: expected rows of [count]");
  require(chroma.shape(0) % 2 == 0 && (luma.shape(0) == 0 || luma.shape(0) == terms) &&
              (chroma.shape(0) == 0 || chroma.shape(0) == 2 * terms),
          "chroma: expected twice the rows of luma, or one of them without rows");
  nb::gil_scoped_release release;
  return quantize_ycocg(
      rgb.data(), n, rgb.shape(1), first, first + terms, {steps.data(), chroma_factor, rounding},
      luma.shape(0) ? luma.data() : nullptr, chroma.shape(0) ? chroma.data() : nullptr);
}

void from_levels(Plane luma, Plane chroma, Vector<double> steps, double chroma_factor, size_t first,
                 nb::ndarray<float, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu> rgb,
                 int threads) {
  const size_t n = rgb.shape(0), last = first + luma.shape(0);
  require(steps.shape(0) == n && last <= rgb.shape(1), "steps: expected [count], or too many rows");
  require(luma.shape(1) == n && chroma.shape(1) == n, "planes: expected rows of [count]");
  require(chroma.shape(0) == 2 * luma.shape(0), "chroma: expected twice the rows of luma");
  require_threads(threads);
  nb::gil_scoped_release release;
  dequantize_ycocg(luma.data(), chroma.data(), n, rgb.shape(1), first, last,
                   {steps.data(), chroma_factor, 0.0}, rgb.data(), threads);
}

void from_levels_in_place(
    nb::ndarray<float, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu> rgb,
    Vector<double> first_steps, Vector<double> higher_steps, double chroma_factor, int threads) {
  const size_t n = rgb.shape(0);
  require(rgb.shape(1) >= 1, "rgb: expected a term");
  require(first_steps.shape(0) == n && higher_steps.shape(0) == n, "steps: expected [count]");
  require_threads(threads);
  nb::gil_scoped_release release;
  dequantize_ycocg_in_place(rgb.data(), n, rgb.shape(1), {first_steps.data(), chroma_factor, 0.0},
                            {higher_steps.data(), chroma_factor, 0.0}, threads);
}

using Matrix = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Codes = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void search(Colours rgb, Vector<double> first_steps, Vector<double> higher_steps,
            double chroma_factor, Matrix means, Matrix eyes, Codes codes, Vector<float> weights,
            double damping, double bit_price, std::optional<Matrix> sizes,
            std::optional<Matrix> flags, PlaneOut first, PlaneOut luma, PlaneOut chroma,
            int threads) {
  const size_t n = rgb.shape(0), terms = rgb.shape(1), views = eyes.shape(0);
  require(terms == 1 || terms == 4 || terms == 9 || terms == 16 || terms == 25,
          "rgb: expected 1, 4, 9, 16 or 25 terms");
  require(first_steps.shape(0) == n && higher_steps.shape(0) == n, "steps: expected [count]");
  require(means.shape(0) == n && means.shape(1) == 3, "means: expected [count, 3]");
  require(eyes.shape(1) == 3, "eyes: expected [views, 3]");
  require(codes.shape(0) == n && codes.shape(1) == views, "codes: expected [count, views]");
  require(weights.shape(0) == 256, "weights: expected [256]");
  require(first.shape(0) == 3 && first.shape(1) == n, "first: expected [3, count]");
  require(luma.shape(0) == terms - 1 && luma.shape(1) == n, "luma: expected [terms - 1, count]");
  require(chroma.shape(0) == 2 * (terms - 1) && chroma.shape(1) == n,
          "chroma: expected [2 (terms - 1), count]");
  require(sizes.has_value() == flags.has_value(), "sizes and flags: expected both or none");
  require_threads(threads);
  ShBits bits{};
  if (sizes) {
    require(sizes->shape(0) == 3 * (terms - 1) && sizes->shape(1) == ShBits::kSizes,
            "sizes: expected [3 (terms - 1), 32]");
    require(flags->shape(0) == 3 && flags->shape(1) == 2, "flags: expected [3, 2]");
    bits = {sizes->data(), flags->data()};
  }
  nb::gil_scoped_release release;
  search_sh({rgb.data(), n, terms, first_steps.data(), higher_steps.data(), chroma_factor},
            {means.data(), eyes.data(), codes.data(), weights.data(), views},
            {damping, bit_price, sizes ? &bits : nullptr, threads},
            {first.data(), luma.data(), chroma.data()});
}

template <class Integer>
void bind_to_levels(nb::module_& m) {
  m.def("quantize_ycocg", &to_levels<Integer>, nb::arg("rgb"), nb::arg("steps"),
        nb::arg("chroma_factor"), nb::arg("first"), nb::arg("rounding"),
        nb::arg("luma").noconvert(), nb::arg("chroma").noconvert());
}

}  // namespace

void bind_geometry(nb::module_& m) {
  m.def("morton_encode", &encode, nb::arg("positions"));
  m.def("morton_decode", &decode, nb::arg("codes"), nb::arg("threads") = 1);
  m.def("nearest_before", &neighbours, nb::arg("positions"), nb::arg("levels"), nb::arg("window"),
        nb::arg("threads") = 1);
  m.def("resolve_references", &resolve, nb::arg("residuals"), nb::arg("references"),
        nb::arg("trusted"), nb::arg("used"));
  bind_to_levels<int16_t>(m);
  bind_to_levels<int32_t>(m);
  m.def("dequantize_ycocg", &from_levels, nb::arg("luma"), nb::arg("chroma"), nb::arg("steps"),
        nb::arg("chroma_factor"), nb::arg("first"), nb::arg("rgb").noconvert(), nb::arg("threads"));
  m.def("dequantize_ycocg_in_place", &from_levels_in_place, nb::arg("rgb").noconvert(),
        nb::arg("first_steps"), nb::arg("higher_steps"), nb::arg("chroma_factor"),
        nb::arg("threads"));
  m.def("search_sh", &search, nb::arg("rgb"), nb::arg("first_steps"), nb::arg("higher_steps"),
        nb::arg("chroma_factor"), nb::kw_only(), nb::arg("means"), nb::arg("eyes"),
        nb::arg("codes"), nb::arg("weights"), nb::arg("damping"), nb::arg("bit_price"),
        nb::arg("sizes").none(), nb::arg("flags").none(), nb::arg("first").noconvert(),
        nb::arg("luma").noconvert(), nb::arg("chroma").noconvert(), nb::arg("threads"));
  m.def("pack_bits", &pack, nb::arg("values"), nb::arg("widths"));
  m.def("unpack_bits", &unpack, nb::arg("data"), nb::arg("widths"));
  m.def("unpack_sums", &sums, nb::arg("data"), nb::arg("lengths"));
  m.def("positions_from_grid", &from_grid, nb::arg("grid"), nb::arg("centre"), nb::arg("radius"),
        nb::arg("lower"), nb::arg("step"), nb::arg("limit"), nb::arg("threads"));
  m.def("scale_planes", &from_planes<3, scale_planes>, nb::arg("planes"), nb::arg("steps"),
        nb::arg("threads"));
  m.def("quats_from_planes", &from_planes<4, quats_from_planes>, nb::arg("planes"),
        nb::arg("steps"), nb::arg("threads"));
  m.def("guess_octaves", &guess, nb::arg("means"), nb::arg("opacity_logits"), nb::arg("log_scales"),
        nb::arg("centre"), nb::arg("spread"), nb::arg("threads"));
}

}  // namespace gscompress
