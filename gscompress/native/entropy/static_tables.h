// The head of a static stream: token scheme, which contexts share a table, and the tables.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bytes.h"
#include "cluster.h"
#include "freq_table.h"
#include "tokens.h"

namespace gscompress::entropy {

struct StaticTables {
  TokenScheme scheme;
  std::vector<std::uint8_t> table_of;  // [contexts] index into freqs
  std::vector<Freqs> freqs;            // [tables]
};

// Quantises the tables by cost and writes them; returns what the decoder will read.
StaticTables write_tables(Bytes& out, const TokenScheme& scheme, const Clusters& clusters);

StaticTables read_tables(std::span<const std::uint8_t> head);

}  // namespace gscompress::entropy
