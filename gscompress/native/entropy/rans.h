// Interleaved rANS (J. Duda, arXiv:1311.2540): 32-bit states, 16-bit words, 14-bit probabilities.
//
// Symbol i belongs to lane i mod Lanes. The encoder runs backwards and writes words from the end,
// so that the decoder runs forwards. A token that leaves bits to be stored is followed, in its
// lane, by these bits, at most 14 at a time. All states begin and end at kStateFloor, which the
// decoder checks.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "bytes.h"
#include "freq_table.h"
#include "tokens.h"

namespace gscompress::entropy {

inline constexpr std::uint32_t kStateFloor = 1u << 16;
inline constexpr int kRawChunk = 14;  // bits stored at a time

// --- decoding

struct WordReader {
  const std::uint8_t* next;
  const std::uint8_t* end;

  // Takes a word if the state fell below its floor. Unchecked: the caller knows of enough words.
  template <bool Checked>
  void refill(std::uint32_t& x) {
    if constexpr (Checked) {
      if (x >= kStateFloor) return;
      if (end - next < 2) throw CorruptStream("stream is truncated");
    }
    const std::uint32_t word = next[0] | static_cast<std::uint32_t>(next[1]) << 8;
    const bool need = x < kStateFloor;
    x = need ? x << 16 | word : x;
    next += need ? 2 : 0;
  }
};

template <bool Checked>
std::uint32_t read_raw(std::uint32_t& x, WordReader& words, int bits) {
  std::uint32_t value = 0;
  for (int done = 0; done < bits; done += kRawChunk) {
    const int count = bits - done < kRawChunk ? bits - done : kRawChunk;
    value |= (x & ((1u << count) - 1)) << done;
    x >>= count;
    words.refill<Checked>(x);
  }
  return value;
}

// One value. Model: `const DecodeTable& table(i)`, and `learn(i, line)` after each token.
// Inlined, so that the states of all lanes stay in registers.
template <bool Checked, class Model>
[[gnu::always_inline]] inline std::int32_t decode_one(std::uint32_t& x, WordReader& words,
                                                      Model& model, std::size_t i,
                                                      const TokenScheme& scheme) {
  const DecodeTable& table = model.table(i);
  const std::uint32_t slot = x & (kProbScale - 1);
  const DecodeEntry* line = &table.lines[table.first[slot >> DecodeTable::kBlockBits]];
  std::uint32_t within = slot - line->start;
  while (within >= line->freq) {
    ++line;
    within = slot - line->start;
  }
  x = line->freq * (x >> kProbBits) + within;
  words.refill<Checked>(x);
  std::uint32_t code = line->code;
  model.learn(i, line - table.lines.data());
  if (code >= kEscape) [[unlikely]] {
    const std::uint32_t token = code - kEscape;
    const int bits = scheme.raw_bits(token);
    code = scheme.join(token, bits, read_raw<Checked>(x, words, bits));
  }
  return scheme.value(code);
}

// The states of a stream, from which values are read piece by piece.
template <int Lanes>
class LaneReader {
 public:
  explicit LaneReader(ByteReader& in) {
    for (auto& state : states_) {
      if constexpr (Lanes == 1) {
        const std::uint32_t above = in.varint();
        if (above > 0xffffffffu - kStateFloor) throw CorruptStream("a state is out of range");
        state = above + kStateFloor;
      } else {
        const auto b = in.take(4);
        state = b[0] | b[1] << 8 | b[2] << 16 | static_cast<std::uint32_t>(b[3]) << 24;
        if (state < kStateFloor) throw CorruptStream("a state is out of range");
      }
    }
    const auto payload = in.rest();
    words_ = {payload.data(), payload.data() + payload.size()};
  }

  // The next values; the model counts them from 0.
  template <class Model>
  void read(Model& model, const TokenScheme& scheme, std::span<std::int32_t> out) {
    // A value takes three words at most; while there are enough for a round, none is checked.
    constexpr std::ptrdiff_t kRound = std::ptrdiff_t{2} * 3 * Lanes;
    std::size_t i = 0;
    for (; i < out.size() && next_ % Lanes != 0; ++i) read_checked(model, scheme, i, out);
    auto x = states_;  // copies that the compiler may keep in registers
    WordReader words = words_;
    const std::size_t before = i;
    for (; i + Lanes <= out.size() && words.end - words.next >= kRound; i += Lanes) {
      for (int lane = 0; lane < Lanes; ++lane) {
        out[i + lane] = decode_one<false>(x[lane], words, model, i + lane, scheme);
      }
    }
    states_ = x;
    words_ = words;
    next_ += i - before;
    for (; i < out.size(); ++i) read_checked(model, scheme, i, out);
  }

  void finish() const {
    for (const std::uint32_t state : states_) {
      if (state != kStateFloor) throw CorruptStream("the final state is wrong");
    }
    if (words_.next != words_.end) throw CorruptStream("bytes are left over");
  }

 private:
  template <class Model>
  void read_checked(Model& model, const TokenScheme& scheme, std::size_t i,
                    std::span<std::int32_t> out) {
    out[i] = decode_one<true>(states_[next_++ % Lanes], words_, model, i, scheme);
  }

  std::array<std::uint32_t, Lanes> states_;
  WordReader words_{nullptr, nullptr};
  std::size_t next_ = 0;  // values read so far
};

// --- encoding

// Words written from the end of a buffer towards its beginning.
class WordWriter {
 public:
  explicit WordWriter(std::size_t capacity)
      : buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(2 * capacity)),
        end_(buffer_.get() + 2 * capacity),
        next_(end_) {}

  // Moves the low word of `x` out if x >= limit. Needs room for one more word even if it does not.
  void spill(std::uint32_t& x, std::uint64_t limit) {
    next_[-2] = static_cast<std::uint8_t>(x);
    next_[-1] = static_cast<std::uint8_t>(x >> 8);
    const bool need = x >= limit;
    x = need ? x >> 16 : x;
    next_ -= need ? 2 : 0;
  }

  std::span<const std::uint8_t> words() const { return {next_, end_}; }

 private:
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::uint8_t* end_;
  std::uint8_t* next_;
};

inline void write_raw(std::uint32_t& x, WordWriter& words, int bits, std::uint32_t value) {
  const int chunks = (bits + kRawChunk - 1) / kRawChunk;
  for (int chunk = chunks - 1; chunk >= 0; --chunk) {
    const int done = chunk * kRawChunk;
    const int count = bits - done < kRawChunk ? bits - done : kRawChunk;
    words.spill(x, std::uint64_t{1} << (32 - count));
    x = x << count | ((value >> done) & ((1u << count) - 1));
  }
}

// Model: `EncodeEntry entry(i, token)`.
template <int Lanes, class Model>
void encode_values(Bytes& out, const Model& model, const TokenScheme& scheme,
                   std::span<const std::int32_t> values) {
  std::array<std::uint32_t, Lanes> x;
  x.fill(kStateFloor);
  WordWriter words(3 * values.size() + 1);
  const auto encode_one = [&](std::uint32_t& state, std::size_t i) {
    const std::uint32_t u = scheme.folded(values[i]);
    std::uint32_t token = u;
    if (u >= scheme.direct()) [[unlikely]] {
      token = scheme.token(u);
      const int bits = scheme.raw_bits(token);
      write_raw(state, words, bits, scheme.raw(u, bits));
    }
    const EncodeEntry& entry = model.entry(i, token);
    words.spill(state, std::uint64_t{entry.freq} << (32 - kProbBits));
    const auto quotient =
        static_cast<std::uint32_t>((state * entry.reciprocal) >> kReciprocalShift);
    state += entry.start + quotient * (kProbScale - entry.freq);
  };
  std::size_t i = values.size();
  while (i % Lanes != 0) {
    --i;
    encode_one(x[i % Lanes], i);
  }
  while (i > 0) {
    i -= Lanes;
    for (int lane = Lanes - 1; lane >= 0; --lane) encode_one(x[lane], i + lane);
  }
  for (const std::uint32_t state : x) {
    if constexpr (Lanes == 1) {
      put_varint(out, state - kStateFloor);
    } else {
      for (int k = 0; k < 4; ++k) out.push_back(static_cast<std::uint8_t>(state >> (8 * k)));
    }
  }
  const auto payload = words.words();
  out.insert(out.end(), payload.begin(), payload.end());
}

}  // namespace gscompress::entropy
