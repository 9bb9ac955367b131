#include "bits.h"

namespace gscompress {

std::vector<uint8_t> pack_bits(const uint64_t* values, const uint8_t* widths, size_t count) {
  std::vector<uint8_t> out;
  unsigned __int128 pending = 0;  // at most 7 + 64 bits
  unsigned held = 0;
  for (size_t i = 0; i < count; ++i) {
    const unsigned width = widths[i];
    const uint64_t mask = width >= 64 ? ~0ULL : (1ULL << width) - 1;
    pending |= static_cast<unsigned __int128>(values[i] & mask) << held;
    held += width;
    for (; held >= 8; held -= 8, pending >>= 8) out.push_back(static_cast<uint8_t>(pending));
  }
  if (held > 0) out.push_back(static_cast<uint8_t>(pending));
  return out;
}

bool unpack_bits(const uint8_t* bytes, size_t size, const uint8_t* widths, size_t count,
                 uint64_t* values) {
  uint64_t total = 0;
  for (size_t i = 0; i < count; ++i) total += widths[i];
  if ((total + 7) / 8 != size) return false;
  unsigned __int128 pending = 0;
  unsigned held = 0;
  size_t next = 0;
  for (size_t i = 0; i < count; ++i) {
    const unsigned width = widths[i];
    for (; held < width; held += 8) {
      pending |= static_cast<unsigned __int128>(bytes[next++]) << held;
    }
    const uint64_t mask = width >= 64 ? ~0ULL : (1ULL << width) - 1;
    values[i] = static_cast<uint64_t>(pending) & mask;
    pending >>= width;
    held -= width;
  }
  return pending == 0;
}

bool unpack_sums(const uint8_t* bytes, size_t size, const int32_t* lengths, size_t count,
                 uint64_t* sums) {
  uint64_t total = 0;
  for (size_t i = 0; i < count; ++i) {
    if (lengths[i] < 0 || lengths[i] > 63) return false;
    total += lengths[i] > 1 ? static_cast<uint64_t>(lengths[i]) - 1 : 0;
  }
  if ((total + 7) / 8 != size) return false;
  unsigned __int128 pending = 0;  // at most 63 + 7 bits
  unsigned held = 0;
  size_t next = 0;
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    if (lengths[i] > 0) {
      const auto width = static_cast<unsigned>(lengths[i]) - 1;
      for (; held < width; held += 8) {
        pending |= static_cast<unsigned __int128>(bytes[next++]) << held;
      }
      const uint64_t leading = uint64_t{1} << width;
      sum += leading | (static_cast<uint64_t>(pending) & (leading - 1));
      pending >>= width;
      held -= width;
    }
    sums[i] = sum;
  }
  return pending == 0;
}

}  // namespace gscompress
