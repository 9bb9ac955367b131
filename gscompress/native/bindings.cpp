// The Python module gscompress._native: one bind_* function per component.
#include <nanobind/nanobind.h>

namespace gscompress {
void bind_context(nanobind::module_& m);
void bind_entropy(nanobind::module_& m);
void bind_geometry(nanobind::module_& m);
void bind_loss(nanobind::module_& m);
void bind_optimise(nanobind::module_& m);
void bind_octree(nanobind::module_& m);
void bind_temporal(nanobind::module_& m);
namespace raster {
void bind_rasterizer(nanobind::module_& m);
}
}  // namespace gscompress

NB_MODULE(_native, m) {
  m.doc() = "Native core of gscompress: the loops that are slow in numpy.";
  gscompress::bind_context(m);
  gscompress::bind_entropy(m);
  gscompress::bind_geometry(m);
  gscompress::bind_loss(m);
  gscompress::bind_optimise(m);
  gscompress::bind_octree(m);
  gscompress::bind_temporal(m);
  gscompress::raster::bind_rasterizer(m);
}
