// Fields of given widths packed into bytes, least significant bit first.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gscompress {

std::vector<uint8_t> pack_bits(const uint64_t* values, const uint8_t* widths, size_t count);

// False if the widths do not add up to the bytes given (padding bits must be zero).
bool unpack_bits(const uint8_t* bytes, size_t size, const uint8_t* widths, size_t count,
                 uint64_t* values);

// Sums of differences, each of which is given by its number of bits, 0 up to 63, and by the bits
// below its leading one, packed. False unless they take all the bytes.
bool unpack_sums(const uint8_t* bytes, size_t size, const int32_t* lengths, size_t count,
                 uint64_t* sums);

}  // namespace gscompress
