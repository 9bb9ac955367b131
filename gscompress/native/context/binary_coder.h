// Carry-less binary arithmetic coder: 32-bit interval, 16-bit probabilities, integers only.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gscompress {

// The part of [low, high] that stands for a one of probability p1 / 65536, p1 in 1..65535.
inline uint32_t split_interval(uint32_t low, uint32_t high, uint32_t p1) {
  return low + static_cast<uint32_t>((static_cast<uint64_t>(high - low) * p1) >> 16);
}

class BinaryEncoder {
 public:
  BinaryEncoder() = default;
  BinaryEncoder(const BinaryEncoder&) = delete;
  BinaryEncoder& operator=(const BinaryEncoder&) = delete;
  ~BinaryEncoder();

  // Room for `bytes` more; to be called before as many are encoded (a bit takes two at most).
  void reserve(size_t bytes) {
    if (capacity_ - size_ < bytes) grow(bytes);
  }

  void encode(int bit, uint32_t p1) {
    const uint32_t middle = split_interval(low_, high_, p1);
    if (bit) {
      high_ = middle;
    } else {
      low_ = middle + 1;
    }
    for (; ((low_ ^ high_) & 0xff000000) == 0; low_ <<= 8, high_ = high_ << 8 | 255) {
      bytes_[size_++] = static_cast<uint8_t>(high_ >> 24);
    }
  }

  // Any number in the interval ends the stream; the decoder reads zeros behind the last byte, and
  // the first byte of `high_` followed by zeros lies within.
  void finish() {
    reserve(1);
    bytes_[size_++] = static_cast<uint8_t>(high_ >> 24);
  }

  const uint8_t* data() const { return bytes_; }
  size_t size() const { return size_; }

 private:
  void grow(size_t bytes);

  uint32_t low_ = 0, high_ = 0xffffffff;
  uint8_t* bytes_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

// Reads zeros past the end and counts them, so that callers can refuse streams of a wrong length.
class BinaryDecoder {
 public:
  BinaryDecoder(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {
    for (int i = 0; i < 4; ++i) code_ = code_ << 8 | next_byte();
  }

  int decode(uint32_t p1) {
    const uint32_t middle = split_interval(low_, high_, p1);
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

  // The decoder holds four bytes in advance, of which the encoder has written one.
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
