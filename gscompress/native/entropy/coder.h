// The coder `rans`: integers with contexts to bytes and back.
//
// Stream: one byte (bits 0-2 the model, bit 3 set for four lanes instead of one, the rest 0), the
// number of values as a varint, then what the model needs. See the file of each model.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bytes.h"
#include "cluster.h"
#include "tokens.h"

namespace gscompress::entropy {

enum class Model : std::uint8_t {
  kConstant = 0,
  kStatic = 1,
  kAdaptive = 2,
  kBinary = 3,
  // Never in a stream: what the encoder may choose from.
  kSmallest = 6,  // all
  kAuto = 7,      // static, or a slower one that saves 1/256 at least: adaptive, and binary where
                  // values take few decisions or are few
};

// `contexts` is empty (one context) or has one entry for each value.
struct Input {
  std::span<const std::int32_t> values;
  std::span<const std::uint16_t> contexts;
};

Bytes encode(const Input& input, Model model);

// The number of values that the stream says it holds.
std::size_t stored_count(std::span<const std::uint8_t> data);

// A stream that is read piece by piece; it throws CorruptStream where the bytes are not what an
// encoder would have written.
class ValueReader {
 public:
  virtual ~ValueReader() = default;

  // The next out.size() values. `contexts` is empty or has one entry for each.
  virtual void read(std::span<const std::uint16_t> contexts, std::span<std::int32_t> out) = 0;

  // To be called when all values have been read.
  virtual void finish() = 0;
};

// A reader of the stored_count(data) values of a stream; `data` must outlive it.
std::unique_ptr<ValueReader> open_stream(std::span<const std::uint8_t> data);

// Fills `out`; throws CorruptStream unless the stream is one of out.size() values in these
// contexts.
void decode(std::span<const std::uint8_t> data, std::span<const std::uint16_t> contexts,
            std::span<std::int32_t> out);

// What static and adaptive models share: the tokens, and which contexts share a table.
struct Tokens {
  TokenScheme scheme;
  Clusters clusters;
};

// The models. Encoders append to `out` and return the number of lanes they used; the adaptive one
// returns 0, and `out` is of no use, once it knows that it would take more than `limit` bytes.
int encode_static(Bytes& out, const Input& input, const Tokens& tokens);
int encode_adaptive(Bytes& out, const Input& input, const Tokens& tokens, std::size_t limit);
void encode_binary(Bytes& out, const Input& input);
std::unique_ptr<ValueReader> open_static(ByteReader in, int lanes);
std::unique_ptr<ValueReader> open_adaptive(ByteReader in, int lanes);
std::unique_ptr<ValueReader> open_binary(ByteReader in);

}  // namespace gscompress::entropy
