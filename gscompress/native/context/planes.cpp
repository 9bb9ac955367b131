#include "planes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <memory>

#include "binary_coder.h"
#include "mixer.h"

namespace gscompress {
namespace {

constexpr int kModels = 6;
constexpr int kInputs = kModels + 1;
constexpr int kContexts = 128;  // contexts of each model
constexpr int kMaxExponent = 32;
constexpr int kUnaryNodes = 20;                       // exponents beyond share the last node
constexpr int kMantissaNodes = 8 * 8;                 // first mantissa bits of small exponents
constexpr int kNodes = 2 + kUnaryNodes + kMantissaNodes;
constexpr int32_t kRate = 6;
constexpr uint32_t kLimit = 250;
constexpr int kMixerSets = 8;

int bucket(uint32_t x) {  // 0, 1, 2, 3-4, 5-8, 9-16, ...: at most 7
  return x < 3 ? static_cast<int>(x) : std::min(7, static_cast<int>(std::bit_width(x - 1)) + 1);
}

// What the models of one value see.
struct Contexts {
  std::array<int, kModels> index;
  int mixer_set;
};

// The bits of one value, through one coder; `Coder` is an Encoder or a Decoder below.
template <class Coder>
class PlaneCoder {
 public:
  PlaneCoder(Coder& coder) : coder_(coder), tables_(Logistic::tables()) {
    models_.resize(static_cast<size_t>(kModels) * kContexts * kNodes);
    mixers_.resize(static_cast<size_t>(kMixerSets) * kNodes);
  }

  int32_t code(const Contexts& contexts, int32_t residual) {
    contexts_ = &contexts;
    if (!bit(0, residual != 0)) return 0;
    const bool negative = bit(1, residual < 0);
    const uint32_t magnitude = residual < 0 ? 0u - static_cast<uint32_t>(residual)
                                            : static_cast<uint32_t>(residual);
    const uint32_t value = magnitude_bits(magnitude);
    return static_cast<int32_t>(negative ? 0u - value : value);
  }

 private:
  // Exp-Golomb of magnitude >= 1: the exponent in unary, then the bits below the leading one.
  uint32_t magnitude_bits(uint32_t magnitude) {
    const int wanted = static_cast<int>(std::bit_width(magnitude)) - 1;
    int exponent = 0;
    while (bit(2 + std::min(exponent, kUnaryNodes - 1), wanted > exponent)) {
      if (++exponent >= kMaxExponent) throw BrokenStream("a magnitude is over 32 bits");
    }
    uint32_t value = 1;
    for (int k = exponent - 1; k >= 0; --k) {
      const int depth = exponent - 1 - k;
      const bool b = (magnitude >> k) & 1;
      const bool modelled = depth < 3 && exponent <= 8;
      const int node = 2 + kUnaryNodes + (exponent - 1) * 8 + ((1 << depth) - 1) +
                       static_cast<int>(value & ((1u << depth) - 1));
      value = value << 1 | static_cast<uint32_t>(modelled ? bit(node, b) : coder_.code(b, 32768));
    }
    return value;
  }

  int bit(int node, int b) {
    std::array<int32_t, kInputs> inputs;
    std::array<BitModel*, kModels> used;
    for (int m = 0; m < kModels; ++m) {
      used[m] = &models_[(static_cast<size_t>(m) * kContexts + contexts_->index[m]) * kNodes + node];
      inputs[m] = tables_.stretch[used[m]->probability() >> 10];
    }
    inputs[kModels] = 256;
    auto& mixer = mixers_[static_cast<size_t>(contexts_->mixer_set) * kNodes + node];
    const uint32_t p = mixer.mix(inputs, tables_);
    b = coder_.code(b, p);
    mixer.update(inputs, b, p, kRate);
    for (int m = 0; m < kModels; ++m) used[m]->update(b, kLimit, tables_);
    return b;
  }

  Coder& coder_;
  const Logistic& tables_;
  std::vector<BitModel> models_;
  std::vector<Mixer<kInputs>> mixers_;
  const Contexts* contexts_ = nullptr;
};

struct Encoder {
  BinaryEncoder binary;
  int code(int b, uint32_t p) {
    binary.encode(b, p);
    return b;
  }
  void check() const {}
};

struct Decoder {
  BinaryDecoder binary;
  void check() const {
    if (binary.exhausted()) throw BrokenStream("the stream ends too early");
  }
  int code(int, uint32_t p) { return binary.decode(p); }
};

// Runs over all planes; `values` are read by an encoder and written by a decoder.
template <class Coder, class Values>
void code_planes(const PlaneSide& side, const std::vector<PlaneSpec>& specs, Coder& coder,
                 Values* values) {
  std::vector<uint16_t> disagreement(side.count, 0);  // decayed sum of |residuals|, times 4
  std::vector<std::vector<int32_t>> residuals(specs.size());
  for (size_t c = 0; c < specs.size(); ++c) {
    coder.check();
    auto models = std::make_unique<PlaneCoder<Coder>>(coder);
    auto& residual = residuals[c];
    residual.resize(side.count);
    Values* plane = values + c * side.count;
    const int32_t* partner =
        specs[c].partner >= 0 ? residuals[static_cast<size_t>(specs[c].partner)].data() : nullptr;
    const Values* gate =
        specs[c].gate >= 0 ? values + static_cast<size_t>(specs[c].gate) * side.count : nullptr;
    for (size_t i = 0; i < side.count; ++i) {
      if (gate && gate[i] == 0) continue;
      const int32_t a = i ? plane[side.references[2 * i]] : 0;
      const int32_t b = i ? plane[side.references[2 * i + 1]] : 0;
      const int off = bucket(disagreement[i] >> 2);
      const bool trusted = static_cast<int32_t>(disagreement[i] >> 2) <= specs[c].trust;
      const int32_t predicted = trusted ? a : 0;
      const int spread = bucket(static_cast<uint32_t>(std::abs(static_cast<int64_t>(a) - b)));
      const int32_t q = partner ? partner[i] : 0;
      const int tilt = std::clamp(q, -1, 1) + 1 + 3 * std::min(4, bucket(static_cast<uint32_t>(std::abs(q))));
      const int level = std::clamp(a, -15, 16) + 15;
      const int coarse = std::clamp(a / 8, -7, 8) + 7;
      const int cls = side.classes[i], near = side.nearness[i];
      Contexts contexts;
      contexts.index = {off * 4 + near,           level * 4 + std::min(off, 3),
                        spread * 8 + off,         tilt * 8 + off,
                        cls * 8 + off,            coarse * 8 + std::min(off, 7)};
      contexts.mixer_set = off;
      if (i % 4096 == 0) coder.check();
      const int32_t r = models->code(contexts, static_cast<int32_t>(
                                                   static_cast<uint32_t>(plane[i]) -
                                                   static_cast<uint32_t>(predicted)));
      residual[i] = r;
      if constexpr (!std::is_const_v<Values>) {
        plane[i] = static_cast<int32_t>(static_cast<uint32_t>(predicted) + static_cast<uint32_t>(r));
      }
      const uint32_t miss = std::min<uint32_t>(static_cast<uint32_t>(std::abs(static_cast<int64_t>(plane[i]) - a)), 255);
      disagreement[i] = static_cast<uint16_t>(std::min<uint32_t>(disagreement[i] - disagreement[i] / 4 + miss * 4, 65535));
    }
  }
}

}  // namespace

std::vector<uint8_t> encode_planes(const PlaneSide& side, const std::vector<PlaneSpec>& specs,
                                   const int32_t* planes) {
  Encoder coder;
  code_planes(side, specs, coder, planes);
  return coder.binary.finish();
}

void decode_planes(const PlaneSide& side, const std::vector<PlaneSpec>& specs, const uint8_t* bytes,
                   size_t size, int32_t* planes) {
  Decoder coder{BinaryDecoder(bytes, size)};
  std::fill(planes, planes + specs.size() * side.count, 0);
  code_planes(side, specs, coder, planes);
  if (!coder.binary.complete()) throw BrokenStream("the stream has not the length of its content");
}

}  // namespace gscompress
