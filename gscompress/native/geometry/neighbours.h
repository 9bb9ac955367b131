// The reference of each Gaussian in coding order: who predicts it, known to both sides.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gscompress {

// For each position the nearest (squared integer distance) of those coded before it that are close
// to it on the Morton curve: the `window` positions before it in its level, and of the earlier
// levels together `window` / 2 on either side of it. The first position refers to itself.
// `levels` holds the end of each level; `distance` is the squared distance to the reference.
void nearest_before(const uint32_t* positions, const std::vector<size_t>& levels, size_t window,
                    int threads, int32_t* references, uint64_t* distance);

// values[i] = residuals[i] (+ values[references[i]] where trusted), 0 where not used; modulo 2^32.
void resolve_references(const int32_t* residuals, const int32_t* references, const bool* trusted,
                        const bool* used, size_t count, int32_t* values);

}  // namespace gscompress
