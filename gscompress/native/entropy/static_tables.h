// The head of a static stream: token scheme, which contexts share a table, and the tables.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bytes.h"
#include "freq_table.h"
#include "tokens.h"

namespace gscompress::entropy {

inline constexpr std::size_t kMaxContexts = 1u << 16;
inline constexpr std::size_t kMaxTables = 256;

struct StaticTables {
  TokenScheme scheme;
  std::vector<std::uint8_t> table_of;  // [contexts] index into freqs
  std::vector<Freqs> freqs;            // [tables]
};

// Merges the contexts whose tables cost more than they gain, quantises the tables by cost, and
// writes them. `counts` is [contexts]; returns what the decoder will read.
StaticTables write_tables(Bytes& out, const TokenScheme& scheme, std::span<const Counts> counts);

StaticTables read_tables(std::span<const std::uint8_t> head);

}  // namespace gscompress::entropy
