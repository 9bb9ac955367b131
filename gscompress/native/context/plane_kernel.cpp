#include "plane_kernel.h"

#include "plane_math.h"

namespace gscompress {
namespace {

// Fine near 0, then in steps of eight: 0..30.
int level_of(int32_t a) {
  const uint32_t m = magnitude_of(a);
  const int size = static_cast<int>(m < 8 ? m : m < 64 ? 7 + m / 8 : 15);
  return a < 0 ? 15 - size : 15 + size;
}

struct EncodeBit {
  BinaryEncoder& coder;
  int operator()(int bit, uint32_t p1) {
    coder.encode(bit, p1);
    return bit;
  }
};

struct DecodeBit {
  BinaryDecoder& coder;
  int operator()(int, uint32_t p1) { return coder.decode(p1); }
};

// The bits of one value: zero flag, sign, exponent in unary, bits below the leading one.
template <class CodeBit>
class ValueCoder {
 public:
  ValueCoder(const PlaneJob& job, CodeBit code)
      : models_(job.models), weights_(job.weights), tables_(Logistic::tables()), code_(code) {}

  int32_t base[kInputs];  // first node of each model in its context
  int32_t mixer_set = 0;
  bool broken = false;

  int32_t operator()(int32_t value) {
    if (!bit(0, value != 0)) return 0;
    const int negative = bit(1, value < 0);
    const uint32_t magnitude = code_magnitude(magnitude_of(value));
    return static_cast<int32_t>(negative ? 0u - magnitude : magnitude);
  }

 private:
  uint32_t code_magnitude(uint32_t magnitude) {
    const int wanted = bit_width(magnitude) - 1;
    int exponent = 0;
    while (bit(2 + (exponent < kUnaryNodes ? exponent : kUnaryNodes - 1), wanted > exponent)) {
      if (++exponent == kMaxExponent) {
        broken = true;
        return 1;
      }
    }
    uint32_t value = 1;
    for (int k = exponent - 1; k >= 0; --k) {
      const int b = (magnitude >> k) & 1;
      const bool second = k == exponent - 1;  // only the bit below the leading one is modelled
      value = value << 1 | static_cast<uint32_t>(second && exponent <= kMantissaNodes
                                                     ? bit(1 + kUnaryNodes + exponent, b)
                                                     : code_(b, 32768));
    }
    return value;
  }

  int bit(int node, int b) {
    int32_t* weights = weights_ + (mixer_set * kNodes + node) * kInputs;
    const Prediction prediction = predict(models_, base, node, weights, tables_);
    b = code_(b, prediction.p1);
    learn(prediction, b, models_, base, node, weights, tables_);
    return b;
  }

  uint32_t* models_;
  int32_t* weights_;
  const Logistic& tables_;
  CodeBit code_;
};

// What the models of value i look at, whose reference holds `a`.
template <class CodeBit>
void set_contexts(const PlaneJob& job, size_t i, int32_t a, ValueCoder<CodeBit>& coder) {
  const int off = bucket(job.disagreement[i] >> 2);
  const int loud = bucket(job.energy[i] >> 2);
  const int tilt = job.partner ? job.partner[i] : tilt_of(0);
  const int contexts[kInputs] = {
      off * 4 + job.nearness[i],
      level_of(a) * 4 + (off < 3 ? off : 3),
      job.classes[i] * 8 + loud,
      loud * 15 + tilt,
  };
  for (int m = 0; m < kInputs; ++m) coder.base[m] = (m * kContexts + contexts[m]) * kNodes;
  coder.mixer_set = off;
}

template <class CodeBit, class Check>
bool code_plane(const PlaneJob& job, size_t begin, size_t end, CodeBit code_bit, Check check) {
  ValueCoder<CodeBit> coder(job, code_bit);
  for (size_t i = begin; i < end; ++i) {
    if ((i - begin) % 1024 == 0 && !check()) return false;
    if (job.gate && job.gate[i] == 0) {
      job.values[i] = 0;
      job.tilts[i] = tilt_of(0);
      continue;
    }
    const int32_t a = i ? job.values[job.references[i]] : 0;
    set_contexts(job, i, a, coder);
    const int32_t predicted = (job.disagreement[i] >> 2) <= job.trust ? a : 0;
    const int32_t residual = coder(wrapped_difference(job.values[i], predicted));
    if (coder.broken) return false;
    job.tilts[i] = tilt_of(residual);
    job.values[i] = wrapped_sum(predicted, residual);
    job.energy[i] = fade(job.energy[i], magnitude_of(job.values[i]));
    job.disagreement[i] = fade(job.disagreement[i], distance(job.values[i], a));
  }
  return true;
}

}  // namespace

void encode_plane(const PlaneJob& job, size_t begin, size_t end, BinaryEncoder& coder) {
  code_plane(job, begin, end, EncodeBit{coder}, [&] {
    coder.reserve(1024 * kBytesPerValue);
    return true;
  });
}

bool decode_plane(const PlaneJob& job, size_t begin, size_t end, BinaryDecoder& coder) {
  return code_plane(job, begin, end, DecodeBit{coder}, [&] { return !coder.exhausted(); });
}

}  // namespace gscompress
