#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <stdexcept>

#include "../arrays.h"
#include "octree.h"

namespace nb = nanobind;

namespace gscompress {
namespace {

using Codes = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr size_t kMaxPoints = size_t{1} << 30;

void require_depth(int depth, size_t count) {
  if (depth < 1 || depth > 21) throw std::invalid_argument("depth is not 1 to 21");
  if (count > kMaxPoints) throw std::invalid_argument("too many points");
}

nb::bytes encode(Codes codes, int depth) {
  const size_t count = codes.shape(0);
  require_depth(depth, count);
  if (!std::is_sorted(codes.data(), codes.data() + count)) {
    throw std::invalid_argument("codes do not ascend");
  }
  if (count > 0 && codes.data()[count - 1] >> (3 * depth) != 0) {
    throw std::invalid_argument("a code is outside of the tree");
  }
  std::vector<uint8_t> out;
  {
    nb::gil_scoped_release release;
    out = encode_octree(codes.data(), count, depth);
  }
  return nb::bytes(reinterpret_cast<const char*>(out.data()), out.size());
}

auto decode(nb::bytes data, size_t count, int depth) {
  require_depth(depth, count);
  auto codes = new_array<uint64_t>({count});
  {
    nb::gil_scoped_release release;
    decode_octree(static_cast<const uint8_t*>(data.data()), data.size(), count, depth,
                  codes.data());
  }
  return codes;
}

}  // namespace

void bind_octree(nb::module_& m) {
  nb::exception<BrokenOctree>(m, "BrokenOctree");
  m.def("encode_octree", &encode, nb::arg("codes"), nb::arg("depth"));
  m.def("decode_octree", &decode, nb::arg("data"), nb::arg("count"), nb::arg("depth"));
}

}  // namespace gscompress
