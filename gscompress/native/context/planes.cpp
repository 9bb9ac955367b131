#include "planes.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "plane_kernel.h"

namespace gscompress {
namespace {

// A byte per Gaussian of each plane so far, as long as a later plane looks at it.
class Remembered {
 public:
  Remembered(const std::vector<PlaneSpec>& specs, int32_t PlaneSpec::* field, size_t count)
      : last_use_(specs.size(), 0), planes_(specs.size()), count_(count) {
    for (size_t c = 0; c < specs.size(); ++c) {
      if (specs[c].*field >= 0) last_use_[static_cast<size_t>(specs[c].*field)] = c;
    }
  }
  bool wanted(size_t c) const { return last_use_[c] > c; }
  uint8_t* start(size_t c) {
    planes_[c].resize(count_);
    return planes_[c].data();
  }
  const uint8_t* of(int32_t plane) const {
    return plane >= 0 ? planes_[static_cast<size_t>(plane)].data() : nullptr;
  }
  void finish(size_t c) {
    for (size_t k = 0; k <= c; ++k) {
      if (last_use_[k] <= c) std::vector<uint8_t>().swap(planes_[k]);
    }
  }

 private:
  std::vector<size_t> last_use_;
  std::vector<std::vector<uint8_t>> planes_;
  size_t count_;
};

// Runs `code(job)` for each plane; `values_of(c)` is where the values of plane c are read by an
// encoder or written by a decoder.
template <class ValuesOf, class Code>
void for_each_plane(const PlaneSide& side, const std::vector<PlaneSpec>& specs, ValuesOf values_of,
                    Code code) {
  std::vector<uint32_t> models(kModelCount);
  std::vector<int32_t> weights(kWeightCount);
  std::vector<uint16_t> disagreement(side.count, 0), energy(side.count, 0);
  Remembered tilts(specs, &PlaneSpec::partner, side.count);
  Remembered gates(specs, &PlaneSpec::gate, side.count);
  for (size_t c = 0; c < specs.size(); ++c) {
    const PlaneSpec& spec = specs[c];
    std::fill(models.begin(), models.end(), kFreshModel);
    std::fill(weights.begin(), weights.end(), kUnitWeight * 3 / (2 * kInputs));
    int32_t* values = values_of(c);
    code(PlaneJob{
        side.count,
        values,
        side.references,
        side.nearness,
        side.classes,
        gates.of(spec.gate),
        tilts.of(spec.partner),
        spec.trust,
        tilts.start(c),
        disagreement.data(),
        energy.data(),
        models.data(),
        weights.data(),
    });
    if (gates.wanted(c)) {
      std::transform(values, values + side.count, gates.start(c), [](int32_t v) { return v != 0; });
    }
    tilts.finish(c);
    gates.finish(c);
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

template <class Integer>
std::vector<std::vector<uint8_t>> encode_planes(const PlaneSide& side,
                                                const std::vector<PlaneSpec>& specs,
                                                const Integer* planes) {
  std::vector<BinaryEncoder> coders(side.levels.size());
  std::vector<int32_t> values(side.count);  // the kernel writes what it codes
  for_each_plane(
      side, specs,
      [&](size_t c) {
        std::copy_n(planes + c * side.count, side.count, values.data());
        return values.data();
      },
      [&](const PlaneJob& job) {
        size_t begin = 0;
        for (size_t k = 0; k < coders.size(); ++k) {
          encode_plane(job, begin, side.levels[k], coders[k]);
          begin = side.levels[k];
        }
      });
  std::vector<std::vector<uint8_t>> parts;
  for (BinaryEncoder& coder : coders) {
    coder.finish();
    parts.emplace_back(coder.data(), coder.data() + coder.size());
  }
  return parts;
}

template std::vector<std::vector<uint8_t>> encode_planes(const PlaneSide&,
                                                         const std::vector<PlaneSpec>&,
                                                         const int16_t*);
template std::vector<std::vector<uint8_t>> encode_planes(const PlaneSide&,
                                                         const std::vector<PlaneSpec>&,
                                                         const int32_t*);

void decode_planes(const PlaneSide& side, const std::vector<PlaneSpec>& specs,
                   const std::vector<Bytes>& parts, int32_t* planes) {
  std::vector<BinaryDecoder> coders;
  for (const Bytes& part : parts) coders.emplace_back(part.data, part.size);
  for_each_plane(
      side, specs, [&](size_t c) { return planes + c * side.count; },
      [&](const PlaneJob& job) {
        size_t begin = 0;
        for (size_t k = 0; k < coders.size(); ++k) {
          if (!decode_plane(job, begin, side.levels[k], coders[k])) {
            throw BrokenStream("a stream that makes no sense");
          }
          begin = side.levels[k];
        }
      });
  for (const BinaryDecoder& coder : coders) {
    if (!coder.complete()) throw BrokenStream("a stream longer or shorter than its content");
  }
}

}  // namespace gscompress
