#include "cluster.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace gscompress::entropy {

namespace {

constexpr std::size_t kPairwise = 96;  // up to so many groups all pairs are looked at
constexpr std::int64_t kTableBits =
    6;  // a table's price: fixed part, and per token in quarter bits
constexpr std::int64_t kTokenQuarterBits = 11;

struct Group {
  Counts counts{};
  std::int64_t cost = 0;  // bits of its symbols and its table, in units of 2^-16
  std::vector<std::uint32_t> members;
};

std::int64_t cost(const Counts& counts) {
  const auto used = static_cast<std::int64_t>(
      std::count_if(counts.begin(), counts.end(), [](std::uint32_t c) { return c != 0; }));
  return static_cast<std::int64_t>(entropy_cost(counts)) + (kTableBits << kLogBits) +
         ((kTokenQuarterBits * used) << (kLogBits - 2));
}

Counts sum(const Counts& a, const Counts& b) {
  Counts both;
  for (int t = 0; t < kMaxTokens; ++t) both[t] = a[t] + b[t];
  return both;
}

std::int64_t gain(const Group& a, const Group& b) {
  return a.cost + b.cost - cost(sum(a.counts, b.counts));
}

void join(Group& into, const Group& from) {
  into.counts = sum(into.counts, from.counts);
  into.cost = cost(into.counts);
  into.members.insert(into.members.end(), from.members.begin(), from.members.end());
}

// Halves a long list: neighbours in the order of contexts are likely to be alike.
void join_neighbours(std::vector<Group>& groups) {
  std::vector<std::int64_t> gains(groups.size() - 1);
  for (std::size_t k = 0; k + 1 < groups.size(); ++k) gains[k] = gain(groups[k], groups[k + 1]);
  auto sorted = gains;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  std::vector<Group> kept;
  for (std::size_t k = 0; k < groups.size(); ++k) {
    kept.push_back(std::move(groups[k]));
    if (k < gains.size() && gains[k] >= *middle) {
      join(kept.back(), groups[k + 1]);
      ++k;
    }
  }
  groups = std::move(kept);
}

void join_pairs(std::vector<Group>& groups) {
  const std::size_t n = groups.size();
  std::vector<std::int64_t> gains(n * n, std::numeric_limits<std::int64_t>::min());
  std::vector<bool> alive(n, true);
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = a + 1; b < n; ++b) gains[a * n + b] = gain(groups[a], groups[b]);
  }
  while (true) {
    const auto best = std::max_element(gains.begin(), gains.end());
    if (best == gains.end() || *best <= 0) break;
    const auto at = static_cast<std::size_t>(best - gains.begin());
    const std::size_t a = at / n;
    const std::size_t b = at % n;
    join(groups[a], groups[b]);
    alive[b] = false;
    for (std::size_t k = 0; k < n; ++k) {
      gains[std::min(k, b) * n + std::max(k, b)] = std::numeric_limits<std::int64_t>::min();
      if (k != a && alive[k]) {
        gains[std::min(k, a) * n + std::max(k, a)] =
            gain(groups[std::min(k, a)], groups[std::max(k, a)]);
      }
    }
  }
  std::size_t kept = 0;
  for (std::size_t k = 0; k < n; ++k) {
    if (!alive[k]) continue;
    if (kept != k) groups[kept] = std::move(groups[k]);
    ++kept;
  }
  groups.resize(kept);
}

}  // namespace

Clusters cluster(std::span<const Counts> contexts) {
  std::vector<Group> groups;
  for (std::size_t c = 0; c < contexts.size(); ++c) {
    const auto& counts = contexts[c];
    if (std::all_of(counts.begin(), counts.end(), [](std::uint32_t x) { return x == 0; })) {
      continue;
    }
    groups.push_back({counts, cost(counts), {static_cast<std::uint32_t>(c)}});
  }
  while (groups.size() > kPairwise) join_neighbours(groups);
  join_pairs(groups);

  constexpr int kNone = -1;
  std::vector<int> group_of(contexts.size(), kNone);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const std::uint32_t c : groups[g].members) group_of[c] = static_cast<int>(g);
  }
  Clusters result;
  result.table_of.resize(contexts.size(), 0);
  std::vector<int> number(groups.size(), kNone);
  std::uint8_t last = 0;
  for (std::size_t c = 0; c < contexts.size(); ++c) {
    if (group_of[c] != kNone) {  // an unused context takes the table of the one before it
      int& table = number[static_cast<std::size_t>(group_of[c])];
      if (table == kNone) {
        table = static_cast<int>(result.counts.size());
        result.counts.push_back(groups[static_cast<std::size_t>(group_of[c])].counts);
      }
      last = static_cast<std::uint8_t>(table);
    }
    result.table_of[c] = last;
  }
  return result;
}

}  // namespace gscompress::entropy
