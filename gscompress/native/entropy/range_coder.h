// Adaptive binary range coder: 32-bit range, byte renormalisation, carries propagated.
//
// A 32-bit interval is split in proportion to a 16-bit probability of a one; the encoder keeps its
// lower end, the decoder the distance of the coded number from it. Bytes past the end read as zero,
// so that trailing zeros need not be stored.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "bytes.h"

namespace gscompress::entropy {

inline constexpr std::uint32_t kRangeBottom = 1u << 24;
inline constexpr int kRawBits = 8;  // equally likely bits coded at a time

// P(one) as the mean of two exponential averages: a fast one that follows, a slow one that is
// exact.
template <int Fast, int Slow>
struct BitModel {
  std::uint16_t fast = 0x8000;
  std::uint16_t slow = 0x8000;

  std::uint32_t p_one() const { return (static_cast<std::uint32_t>(fast) + slow + 1) >> 1; }

  void learn(bool bit) {
    if (bit) {
      fast = static_cast<std::uint16_t>(fast + ((0x10000 - fast) >> Fast));
      slow = static_cast<std::uint16_t>(slow + ((0x10000 - slow) >> Slow));
    } else {
      fast = static_cast<std::uint16_t>(fast - (fast >> Fast));
      slow = static_cast<std::uint16_t>(slow - (slow >> Slow));
    }
  }
};

class RangeEncoder {
 public:
  static constexpr bool kEncodes = true;

  // Codes `bit` and returns it (so that encoder and decoder share their syntax functions).
  template <class Model>
  bool bit(Model& model, bool bit) {
    split(bit, (range_ >> 16) * model.p_one());
    model.learn(bit);
    return bit;
  }

  // `count` <= 32 equally likely bits, most significant first.
  std::uint32_t raw(int count, std::uint32_t value) {
    for (int left = count; left > 0;) {
      const int bits = std::min(left, kRawBits);
      left -= bits;
      range_ >>= bits;
      low_ += std::uint64_t{range_} * ((value >> left) & ((1u << bits) - 1));
      settle();
    }
    return value;
  }

  // The coded bytes: the number of the interval with the most trailing zero bits, zeros dropped.
  Bytes finish() {
    const std::uint64_t top = low_ + range_ - 1;
    const int keep = 64 - std::countl_zero(low_ ^ top);  // bits that may be chosen freely
    if (low_ != 0) {
      const std::uint64_t unit = std::uint64_t{1} << (keep > 0 ? keep - 1 : 0);
      low_ = (low_ + unit - 1) / unit * unit;
    }
    for (int k = 0; k < 5; ++k) shift_low();
    int dropped = 0;
    while (dropped < 4 && !out_.empty() && out_.back() == 0) {
      out_.pop_back();
      ++dropped;
    }
    return std::move(out_);
  }

 private:
  void split(bool bit, std::uint32_t bound) {
    if (bit) {
      range_ = bound;
    } else {
      low_ += bound;
      range_ -= bound;
    }
    settle();
  }

  void settle() {
    while (range_ < kRangeBottom) {
      shift_low();
      range_ <<= 8;
    }
  }

  void shift_low() {
    if (low_ < 0xff000000u || low_ > 0xffffffffu) {
      const auto carry = static_cast<std::uint8_t>(low_ >> 32);
      if (started_) out_.push_back(static_cast<std::uint8_t>(pending_ + carry));
      started_ = true;
      for (; waiting_ > 0; --waiting_) out_.push_back(static_cast<std::uint8_t>(0xff + carry));
      pending_ = static_cast<std::uint8_t>(low_ >> 24);
    } else {
      ++waiting_;
    }
    low_ = (low_ << 8) & 0xffffffffu;
  }

  std::uint64_t low_ = 0;
  std::uint32_t range_ = 0xffffffffu;
  std::uint64_t waiting_ = 0;  // bytes 0xff that a carry may still change
  std::uint8_t pending_ = 0;   // the byte before them
  bool started_ = false;
  Bytes out_;
};

class RangeDecoder {
 public:
  static constexpr bool kEncodes = false;

  explicit RangeDecoder(std::span<const std::uint8_t> data) : data_(data) {
    for (int k = 0; k < 4; ++k) code_ = code_ << 8 | next();
  }

  template <class Model>
  bool bit(Model& model, bool /*unused*/ = false) {
    const bool bit = split((range_ >> 16) * model.p_one());
    model.learn(bit);
    return bit;
  }

  std::uint32_t raw(int count, std::uint32_t /*unused*/ = 0) {
    std::uint32_t value = 0;
    for (int left = count; left > 0;) {
      const int bits = std::min(left, kRawBits);
      left -= bits;
      range_ >>= bits;
      const std::uint32_t part = std::min(code_ / range_, (1u << bits) - 1);
      code_ -= part * range_;
      value = value << bits | part;
      settle();
    }
    return value;
  }

  // All bytes were needed, and not many more than there are.
  void finish() const {
    if (position_ < data_.size()) throw CorruptStream("bytes are left over");
    check_overrun();
  }

  void check_overrun() const {
    if (position_ > data_.size() + 4) throw CorruptStream("stream is truncated");
  }

 private:
  std::uint32_t next() {
    const std::uint32_t value = position_ < data_.size() ? data_[position_] : 0u;
    ++position_;
    return value;
  }

  bool split(std::uint32_t bound) {
    const bool bit = code_ < bound;
    if (bit) {
      range_ = bound;
    } else {
      code_ -= bound;
      range_ -= bound;
    }
    settle();
    return bit;
  }

  void settle() {
    while (range_ < kRangeBottom) {
      code_ = code_ << 8 | next();
      range_ <<= 8;
    }
  }

  std::span<const std::uint8_t> data_;
  std::size_t position_ = 0;
  std::uint32_t range_ = 0xffffffffu;
  std::uint32_t code_ = 0;
};

// --- numbers on top of bits; `Coder` is RangeEncoder or RangeDecoder

// An unsigned number: unary count of its bits (adaptive), then the bits below the leading one.
template <class Bit>
class GolombModel {
 public:
  template <class Coder>
  std::uint32_t code(Coder& coder, std::uint32_t value = 0) {
    // value + 1 has `bits` bits below its leading one.
    const std::uint64_t shifted = static_cast<std::uint64_t>(value) + 1;
    const int wanted = Coder::kEncodes ? 63 - std::countl_zero(shifted) : 0;
    int bits = 0;
    while (bits < 32 && coder.bit(more_[bits], bits < wanted)) ++bits;
    std::uint64_t mantissa = 0;
    if (bits > 0) {
      const auto top = static_cast<std::uint32_t>(shifted >> (bits - 1)) & 1u;
      mantissa = coder.bit(top_[bits - 1], top != 0) ? 1u : 0u;
      const std::uint64_t low = shifted & ((std::uint64_t{1} << (bits - 1)) - 1);
      mantissa = mantissa << (bits - 1) | coder.raw(bits - 1, static_cast<std::uint32_t>(low));
    }
    const std::uint64_t result = (std::uint64_t{1} << bits) + mantissa - 1;
    if (result > 0xffffffffu) throw CorruptStream("a number is too long");
    return static_cast<std::uint32_t>(result);
  }

 private:
  std::array<Bit, 32> more_{};
  std::array<Bit, 32> top_{};
};

}  // namespace gscompress::entropy
