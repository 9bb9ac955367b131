// The inner loop over one plane.
#pragma once
#include <cstddef>
#include <cstdint>

#include "binary_coder.h"
#include "mixer.h"

namespace gscompress {

constexpr int kContexts = 128;  // contexts of each model
constexpr int kMaxExponent = 32;
constexpr int kUnaryNodes = 20;     // larger exponents share the last node
constexpr int kMantissaNodes = 10;  // the bit below the leading one, by exponent
constexpr int kNodes = 2 + kUnaryNodes + kMantissaNodes;
constexpr int kMixerSets = 8;
constexpr size_t kModelCount = static_cast<size_t>(kInputs) * kContexts * kNodes;
constexpr size_t kWeightCount = static_cast<size_t>(kMixerSets) * kNodes * kInputs;
constexpr size_t kBytesPerValue = 2 * (2 + kMaxExponent + kMaxExponent);

// One plane of `count` values, and what both sides know of them.
struct PlaneJob {
  size_t count;
  int32_t* values;            // written by a decoder, only read by an encoder
  const int32_t* references;  // [count], each before its Gaussian
  const uint8_t* nearness;    // 0..3
  const uint8_t* classes;     // 0..15
  const uint8_t* gate;        // or null; where 0 the value is 0 and not coded
  const uint8_t* partner;     // or null; what `tilts` became for another plane
  int32_t trust;              // disagreement up to which the reference predicts
  uint8_t* tilts;             // written: sign and size of each residual, as tilt_of gives them
  uint16_t* disagreement;     // decayed sum of misses of the planes so far, times 4; updated
  uint16_t* energy;           // decayed sum of magnitudes of the planes so far, times 4; updated
  uint32_t* models;           // kModelCount, fresh
  int32_t* weights;           // kWeightCount, fresh
};

// Values `begin` up to `end`; those before must have been coded.
void encode_plane(const PlaneJob& job, size_t begin, size_t end, BinaryEncoder& coder);

// False if the stream is broken.
bool decode_plane(const PlaneJob& job, size_t begin, size_t end, BinaryDecoder& coder);

}  // namespace gscompress
