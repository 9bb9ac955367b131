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

View make_view(const Matrix& viewmat, const Focal& focal, int width, int height,
               const std::array<float, 3>& background, bool antialiased, std::size_t bases) {
  require(width > 0 && height > 0 && width <= 1 << 20 && height <= 1 << 20,
          "width, height: expected 1 to 2^20 pixels");
  const auto [fx, fy, cx, cy] = focal;
  require(fx > 0 && fy > 0, "fx, fy: expected positive focal lengths");
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
             const std::array<float, 3>& background, bool antialiased, const Output3& image,
             const Output2& alpha) {
  const Scene scene = make_scene(means, quats, scales, opacities, sh);
  require(image.shape(0) <= 1 << 20 && image.shape(1) <= 1 << 20, "image: too large");
  const View view =
      make_view(viewmat, focal, static_cast<int>(image.shape(1)), static_cast<int>(image.shape(0)),
                background, antialiased, sh.shape(1));
  const Image out = make_image(image, alpha, view);
  nb::gil_scoped_release release;
  self.forward(view, scene, out);
}

std::vector<std::string> levels() {
  std::vector<std::string> names;
  for (const char* const* name = simd_levels(); *name; ++name) names.emplace_back(*name);
  return names;
}

}  // namespace

void bind_rasterizer(nb::module_& m) {
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
           nb::kw_only(), nb::arg("background"), nb::arg("antialiased"),
           nb::arg("image").noconvert(), nb::arg("alpha").noconvert());
}

}  // namespace gscompress::raster
