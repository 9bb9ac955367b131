// Carry-less binary arithmetic coder: 32-bit interval, 16-bit probabilities, integers only.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gscompress {

class BinaryEncoder {
 public:
  // `p1` in 1..65535 is the probability of a one, times 65536.
  void encode(int bit, uint32_t p1) {
    const uint32_t middle = split(low_, high_, p1);
    if (bit) {
      high_ = middle;
    } else {
      low_ = middle + 1;
    }
    for (; ((low_ ^ high_) & 0xff000000) == 0; low_ <<= 8, high_ = high_ << 8 | 255) {
      bytes_.push_back(static_cast<uint8_t>(high_ >> 24));
    }
  }

  // One byte suffices to name a number within the interval: its end is far above 24 zero bits.
  std::vector<uint8_t> finish() {
    bytes_.push_back(static_cast<uint8_t>(high_ >> 24));
    return std::move(bytes_);
  }

  static uint32_t split(uint32_t low, uint32_t high, uint32_t p1) {
    const uint32_t range = high - low;
    return low + static_cast<uint32_t>((static_cast<uint64_t>(range) * p1) >> 16);
  }

 private:
  uint32_t low_ = 0, high_ = 0xffffffff;
  std::vector<uint8_t> bytes_;
};

// Reads zeros past the end; `overrun` tells how far, so that callers can refuse short streams.
class BinaryDecoder {
 public:
  BinaryDecoder(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {
    for (int i = 0; i < 4; ++i) code_ = code_ << 8 | next_byte();
  }

  int decode(uint32_t p1) {
    const uint32_t middle = BinaryEncoder::split(low_, high_, p1);
    const int bit = code_ <= middle;
    if (bit) {
      high_ = middle;
    } else {
      low_ = middle + 1;
    }
    for (; ((low_ ^ high_) & 0xff000000) == 0; low_ <<= 8, high_ = high_ << 8 | 255) {
      code_ = code_ << 8 | next_byte();
    }
    return bit;
  }

  // The decoder holds four bytes in advance, of which the encoder wrote one at least.
  bool exhausted() const { return position_ > size_ + 3; }
  bool complete() const { return position_ == size_ + 3; }

 private:
  uint8_t next_byte() {
    const uint8_t byte = position_ < size_ ? bytes_[position_] : 0;
    ++position_;
    return byte;
  }

  const uint8_t* bytes_;
  size_t size_, position_ = 0;
  uint32_t low_ = 0, high_ = 0xffffffff, code_ = 0;
};

}  // namespace gscompress
