#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "photo_loss.h"

namespace nb = nanobind;

namespace gscompress {
namespace {

template <class T>
using Picture = nb::ndarray<T, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;

double loss(Picture<const float> image, Picture<const float> target, float ssim_share,
            float softness, Picture<float> gradient, int threads) {
  const size_t height = image.shape(0), width = image.shape(1);
  for (size_t axis = 0; axis < 2; ++axis) {
    if (target.shape(axis) != image.shape(axis) || gradient.shape(axis) != image.shape(axis)) {
      throw std::invalid_argument("image, target, gradient: expected the same shape");
    }
  }
  if (height < 11 || width < 11) throw std::invalid_argument("image: expected at least 11 x 11");
  if (!(ssim_share >= 0 && ssim_share <= 1)) throw std::invalid_argument("ssim_share: not 0 to 1");
  if (!(softness >= 0)) throw std::invalid_argument("softness: expected 0 or more");
  if (threads < 1 || threads > 1024) throw std::invalid_argument("threads: expected 1 to 1024");
  nb::gil_scoped_release release;
  return photo_loss({image.data(), target.data(), height, width}, {ssim_share, softness},
                    gradient.data(), threads);
}

}  // namespace

void bind_loss(nb::module_& m) {
  m.def("photo_loss", &loss, nb::arg("image"), nb::arg("target"), nb::arg("ssim_share"),
        nb::arg("softness"), nb::arg("gradient"), nb::arg("threads"));
}

}  // namespace gscompress
