// Bytes in and out: bounded reading, varints, and the error that hostile bytes cause.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

namespace gscompress::entropy {

// The bytes are not what an encoder would have written.
struct CorruptStream : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Bytes = std::vector<std::uint8_t>;

// Little-endian base 128: seven bits a byte, the top bit says that more follow.
inline void put_varint(Bytes& out, std::uint32_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::uint8_t>(value));
}

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> data) : data_(data) {}

  std::uint8_t byte() {
    if (data_.empty()) throw CorruptStream("stream is truncated");
    const std::uint8_t value = data_.front();
    data_ = data_.subspan(1);
    return value;
  }

  std::uint32_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const std::uint8_t next = byte();
      value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
      if (next < 0x80) {
        if (value > 0xffffffffu) break;
        return static_cast<std::uint32_t>(value);
      }
    }
    throw CorruptStream("a number is too long");
  }

  std::span<const std::uint8_t> take(std::size_t size) {
    if (size > data_.size()) throw CorruptStream("stream is truncated");
    const auto part = data_.first(size);
    data_ = data_.subspan(size);
    return part;
  }

  std::span<const std::uint8_t> rest() const { return data_; }

 private:
  std::span<const std::uint8_t> data_;
};

}  // namespace gscompress::entropy
