// Sharing tables: which contexts are too alike, or too rare, to pay for a table of their own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "freq_table.h"

namespace gscompress::entropy {

struct Clusters {
  std::vector<std::uint8_t> table_of;  // [contexts]; tables are numbered by first appearance
  std::vector<Counts> counts;          // [tables], 1..256 of them
};

// Joins the pair that saves most bits, its table included, until no pair saves any.
Clusters cluster(std::span<const Counts> contexts);

}  // namespace gscompress::entropy
