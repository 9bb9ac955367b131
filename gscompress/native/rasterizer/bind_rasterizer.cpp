// Python's view of the rasterizer: arrays in and out without copies, the GIL released.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "rasterizer.h"

namespace nb = nanobind;

namespace gscompress::raster {
namespace {

using Input1 = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Input2 = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Input3 = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::shape<4, 4>, nb::c_contig, nb::device::cpu>;
using Output1 = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Doubles = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Output2 = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Output3 = nb::ndarray<float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Focal = std::array<double, 4>;  // fx, fy, cx, cy

void require(bool ok, const char* message) {
  if (!ok) throw std::invalid_argument(message);
}

Scene make_scene(const Input2& means, const Input2& quats, const Input2& scales,
                 const Input1& opacities, const Input3& sh) {
  const std::size_t n = means.shape(0);
  require(means.shape(1) == 3, "means: expected shape [n, 3]");
  require(quats.shape(0) == n && quats.shape(1) == 4, "quats: expected shape [n, 4]");
  require(scales.shape(0) == n && scales.shape(1) == 3, "scales: expected shape [n, 3]");
  require(opacities.shape(0) == n, "opacities: expected shape [n]");
  const std::size_t k = sh.shape(1);
  require(sh.shape(0) == n && sh.shape(2) == 3, "sh: expected shape [n, k, 3]");
  require(k == 1 || k == 4 || k == 9 || k == 16 || k == 25, "sh: k must be 1, 4, 9, 16 or 25");
  require(n < (std::size_t{1} << 32), "means: more than 2^32 - 1 Gaussians");
  return {means.data(), quats.data(), scales.data(), opacities.data(), sh.data(), n};
}

View make_view(const Matrix& viewmat, const Focal& focal, float blur, const Output3& image,
               const std::array<float, 3>& background, bool antialiased, std::size_t bases) {
  constexpr std::size_t kMaxSide = 1 << 20;
  require(image.shape(0) > 0 && image.shape(1) > 0 && image.shape(0) <= kMaxSide &&
              image.shape(1) <= kMaxSide,
          "image: expected 1 to 2^20 pixels a side");
  const int height = static_cast<int>(image.shape(0)), width = static_cast<int>(image.shape(1));
  const auto [fx, fy, cx, cy] = focal;
  require(fx > 0 && fy > 0, "fx, fy: expected positive focal lengths");
  require(blur >= 0, "blur: expected 0 or more");
  View v{};
  for (std::size_t i = 0; i < 3; ++i) {
    double position = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      v.rotation[3 * i + j] = static_cast<float>(viewmat(i, j));
      position -= viewmat(j, i) * viewmat(j, 3);
    }
    v.translation[i] = static_cast<float>(viewmat(i, 3));
    v.position[i] = static_cast<float>(position);
    v.background[i] = background[i];
  }
  v.fx = static_cast<float>(fx);
  v.fy = static_cast<float>(fy);
  v.cx = static_cast<float>(cx);
  v.cy = static_cast<float>(cy);
  v.blur = blur;
  const double margin_x = kFrustumMargin * 0.5 * width / fx;
  const double margin_y = kFrustumMargin * 0.5 * height / fy;
  v.min_x = static_cast<float>(-cx / fx - margin_x);
  v.max_x = static_cast<float>((width - cx) / fx + margin_x);
  v.min_y = static_cast<float>(-cy / fy - margin_y);
  v.max_y = static_cast<float>((height - cy) / fy + margin_y);
  v.width = width;
  v.height = height;
  v.tiles_x = (width + kTile - 1) / kTile;
  v.tiles_y = (height + kTile - 1) / kTile;
  v.bases = static_cast<int>(bases);
  v.antialiased = antialiased;
  return v;
}

Image make_image(const Output3& image, const Output2& alpha, const View& view) {
  const auto w = static_cast<std::size_t>(view.width), h = static_cast<std::size_t>(view.height);
  require(image.shape(0) == h && image.shape(1) == w && image.shape(2) == 3,
          "image: expected shape [height, width, 3]");
  require(alpha.shape(0) == h && alpha.shape(1) == w, "alpha: expected shape [height, width]");
  return {image.data(), alpha.data()};
}

Rasterizer* make_rasterizer(int threads, const std::optional<std::string>& simd) {
  require(threads >= 1 && threads <= 1024, "threads: expected 1 to 1024");
  const Kernels* kernels = find_kernels(simd ? simd->c_str() : nullptr);
  require(kernels != nullptr, "simd: this machine or this build has no such level");
  return new Rasterizer(*kernels, threads);
}

void forward(Rasterizer& self, const Input2& means, const Input2& quats, const Input2& scales,
             const Input1& opacities, const Input3& sh, const Matrix& viewmat, const Focal& focal,
             float blur, const std::array<float, 3>& background, bool antialiased,
             const Output3& image, const Output2& alpha) {
  const Scene scene = make_scene(means, quats, scales, opacities, sh);
  const View view = make_view(viewmat, focal, blur, image, background, antialiased, sh.shape(1));
  const Image out = make_image(image, alpha, view);
  nb::gil_scoped_release release;
  self.forward(view, scene, out);
}

// Pointer to an array that may be absent.
template <class Array>
auto optional_data(const std::optional<Array>& array, std::initializer_list<std::size_t> shape,
                   const char* message) -> decltype(array->data()) {
  if (!array) return nullptr;
  bool same = array->ndim() == shape.size();
  std::size_t axis = 0;
  for (const std::size_t size : shape) {
    same = same && array->shape(axis++) == size;
  }
  require(same, message);
  return array->data();
}

void backward(Rasterizer& self, const Input2& means, const Input2& quats, const Input2& scales,
              const Input1& opacities, const Input3& sh, const Input3& image, const Input2& alpha,
              const Input3& image_gradient, const std::optional<Input2>& alpha_gradient,
              const std::optional<Output2>& by_means, const std::optional<Output2>& by_quats,
              const std::optional<Output2>& by_scales, const std::optional<Output1>& by_opacities,
              const Output3& by_sh, const std::optional<Output2>& by_means2d) {
  const Scene scene = make_scene(means, quats, scales, opacities, sh);
  const View& view = self.view();
  const auto w = static_cast<std::size_t>(view.width), h = static_cast<std::size_t>(view.height);
  const auto bases = static_cast<std::size_t>(view.bases);
  const std::size_t n = scene.size;
  require(n == self.scene_size() && sh.shape(1) == bases, "expected the scene of forward()");
  require(image.shape(0) == h && image.shape(1) == w && image.shape(2) == 3 &&
              alpha.shape(0) == h && alpha.shape(1) == w,
          "image, alpha: expected those of forward()");
  require(
      image_gradient.shape(0) == h && image_gradient.shape(1) == w && image_gradient.shape(2) == 3,
      "image_gradient: expected shape [height, width, 3]");
  const ImageGradient gradient{
      image_gradient.data(),
      optional_data(alpha_gradient, {h, w}, "alpha_gradient: expected shape [height, width]")};
  require(by_sh.shape(0) == n && by_sh.shape(1) == bases && by_sh.shape(2) == 3,
          "by_sh: expected the shape of sh");
  const SceneGradient out{optional_data(by_means, {n, 3}, "by_means: expected shape [n, 3]"),
                          optional_data(by_quats, {n, 4}, "by_quats: expected shape [n, 4]"),
                          optional_data(by_scales, {n, 3}, "by_scales: expected shape [n, 3]"),
                          optional_data(by_opacities, {n}, "by_opacities: expected shape [n]"),
                          by_sh.data(),
                          optional_data(by_means2d, {n, 2}, "by_means2d: expected shape [n, 2]")};
  const int given = by_means.has_value() + by_quats.has_value() + by_scales.has_value() +
                    by_opacities.has_value();
  require(given == 0 || given == 4, "gradients of the geometry: expected all or none");
  require(given == 4 || !by_means2d, "by_means2d: needs the gradients of the geometry");
  nb::gil_scoped_release release;
  self.backward(scene, {image.data(), alpha.data()}, gradient, out);
}

void scores(Rasterizer& self, const Input2& means, const Input2& quats, const Input2& scales,
            const Input1& opacities, const Input3& sh, const Matrix& viewmat, const Focal& focal,
            float blur, const std::array<float, 3>& background, bool antialiased,
            const Output3& image, const Output2& alpha, const Doubles& weight_sum,
            const Doubles& weight_sq_sum, const Output1& weight_max, const Counts& hits,
            const std::optional<Doubles>& removal_effect,
            const std::optional<Doubles>& transmittance_sum,
            const std::optional<Counts>& dominated) {
  const Scene scene = make_scene(means, quats, scales, opacities, sh);
  const View view = make_view(viewmat, focal, blur, image, background, antialiased, sh.shape(1));
  const Image out = make_image(image, alpha, view);
  const std::size_t n = scene.size;
  require(weight_sum.shape(0) == n && weight_sq_sum.shape(0) == n && weight_max.shape(0) == n &&
              hits.shape(0) == n,
          "scores: expected shape [n]");
  require(transmittance_sum.has_value() == dominated.has_value(),
          "transmittance_sum and dominated: expected both or none");
  const ScoreSums sums{
      weight_sum.data(),
      weight_sq_sum.data(),
      weight_max.data(),
      hits.data(),
      optional_data(removal_effect, {n}, "removal_effect: expected shape [n]"),
      optional_data(transmittance_sum, {n}, "transmittance_sum: expected shape [n]"),
      optional_data(dominated, {n}, "dominated: expected shape [n]")};
  nb::gil_scoped_release release;
  self.scores(view, scene, out, sums);
}

std::vector<std::string> levels() {
  std::vector<std::string> names;
  for (const char* const* name = simd_levels(); *name; ++name) names.emplace_back(*name);
  return names;
}

}  // namespace

void bind_rasterizer(nb::module_& m) {
  // Autograd graphs that are alive when Python ends hold rasterizers: no leak worth a warning.
  nb::set_leak_warnings(false);
  m.def("simd_levels", &levels,
        "Instruction sets that the rasterizer can use on this machine, best first.");
  nb::class_<Rasterizer>(m, "Rasterizer",
                         "Renders views of Gaussians on the CPU; keeps its memory between views.")
      .def(nb::new_(&make_rasterizer), nb::kw_only(), nb::arg("threads"),
           nb::arg("simd") = nb::none())
      .def_prop_ro("simd", [](const Rasterizer& r) { return r.kernels().name; })
      .def_prop_ro("threads", &Rasterizer::threads)
      .def_prop_ro("visible", &Rasterizer::visible)
      .def_prop_ro("pairs", &Rasterizer::pairs)
      .def("forward", &forward, nb::arg("means"), nb::arg("quats"), nb::arg("scales"),
           nb::arg("opacities"), nb::arg("sh"), nb::arg("viewmat"), nb::arg("focal"),
           nb::arg("blur") = kBlur, nb::kw_only(), nb::arg("background"), nb::arg("antialiased"),
           nb::arg("image").noconvert(), nb::arg("alpha").noconvert())
      .def("backward", &backward, nb::arg("means"), nb::arg("quats"), nb::arg("scales"),
           nb::arg("opacities"), nb::arg("sh"), nb::arg("image"), nb::arg("alpha"),
           nb::arg("image_gradient"), nb::arg("alpha_gradient").none(), nb::kw_only(),
           nb::arg("by_means").noconvert().none(), nb::arg("by_quats").noconvert().none(),
           nb::arg("by_scales").noconvert().none(), nb::arg("by_opacities").noconvert().none(),
           nb::arg("by_sh").noconvert(), nb::arg("by_means2d").noconvert().none())
      .def("scores", &scores, nb::arg("means"), nb::arg("quats"), nb::arg("scales"),
           nb::arg("opacities"), nb::arg("sh"), nb::arg("viewmat"), nb::arg("focal"),
           nb::arg("blur") = kBlur, nb::kw_only(), nb::arg("background"), nb::arg("antialiased"),
           nb::arg("image").noconvert(), nb::arg("alpha").noconvert(),
           nb::arg("weight_sum").noconvert(), nb::arg("weight_sq_sum").noconvert(),
           nb::arg("weight_max").noconvert(), nb::arg("hits").noconvert(),
           nb::arg("removal_effect").noconvert().none(),
           nb::arg("transmittance_sum").noconvert().none() = nb::none(),
           nb::arg("dominated").noconvert().none() = nb::none());
}

}  // namespace gscompress::raster
