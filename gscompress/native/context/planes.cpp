#include "planes.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "plane_kernel.h"

namespace gscompress {
namespace {

// Runs `code` over all planes; `values` [specs, count] is read by encoders, written by decoders.
template <class Code>
void for_each_plane(const PlaneSide& side, const std::vector<PlaneSpec>& specs, int32_t* values,
                    Code code) {
  std::vector<uint32_t> models(kModelCount);
  std::vector<int32_t> weights(kWeightCount);
  std::vector<uint16_t> disagreement(side.count, 0), energy(side.count, 0);
  std::vector<std::vector<int32_t>> residuals(specs.size());
  for (size_t c = 0; c < specs.size(); ++c) {
    const PlaneSpec& spec = specs[c];
    std::fill(models.begin(), models.end(), kFreshModel);
    std::fill(weights.begin(), weights.end(), kUnitWeight * 3 / (2 * kInputs));
    residuals[c].resize(side.count);
    code(PlaneJob{
        side.count,
        values + c * side.count,
        side.references,
        side.nearness,
        side.classes,
        spec.gate >= 0 ? values + static_cast<size_t>(spec.gate) * side.count : nullptr,
        spec.partner >= 0 ? residuals[static_cast<size_t>(spec.partner)].data() : nullptr,
        spec.trust,
        residuals[c].data(),
        disagreement.data(),
        energy.data(),
        models.data(),
        weights.data(),
    });
  }
}

}  // namespace

BinaryEncoder::~BinaryEncoder() { std::free(bytes_); }

void BinaryEncoder::grow(size_t bytes) {
  const size_t capacity = std::max(2 * capacity_, size_ + bytes);
  auto* memory = static_cast<uint8_t*>(std::realloc(bytes_, capacity));
  if (memory == nullptr) throw std::bad_alloc();
  bytes_ = memory;
  capacity_ = capacity;
}

std::vector<uint8_t> encode_planes(const PlaneSide& side, const std::vector<PlaneSpec>& specs,
                                   const int32_t* planes) {
  BinaryEncoder coder;
  std::vector<int32_t> values(planes, planes + specs.size() * side.count);
  for_each_plane(side, specs, values.data(),
                 [&](const PlaneJob& job) { encode_plane(job, coder); });
  coder.finish();
  return {coder.data(), coder.data() + coder.size()};
}

void decode_planes(const PlaneSide& side, const std::vector<PlaneSpec>& specs, const uint8_t* bytes,
                   size_t size, int32_t* planes) {
  BinaryDecoder coder(bytes, size);
  std::fill_n(planes, specs.size() * side.count, 0);
  for_each_plane(side, specs, planes, [&](const PlaneJob& job) {
    if (!decode_plane(job, coder)) throw BrokenStream("a stream that makes no sense");
  });
  if (!coder.complete()) throw BrokenStream("a stream longer or shorter than its content");
}

}  // namespace gscompress
