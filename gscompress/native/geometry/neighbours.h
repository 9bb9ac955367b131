// The causal neighbours of each Gaussian in coding order: who predicts it, known to both sides.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gscompress {

// For each position the two nearest (squared integer distance) among the `window` positions coded
// before it, nearest first; of equals the latest. A position without two refers to the first.
// `distance` is the squared distance to the nearest (0 for the first position).
void nearest_before(const uint32_t* positions, size_t count, size_t window, int32_t* references,
                    uint64_t* distance);

// values[i] = residuals[i] (+ values[references[2 i]] where trusted), 0 where not used; modulo
// 2^32.
void resolve_references(const int32_t* residuals, const int32_t* references, const bool* trusted,
                        const bool* used, size_t count, int32_t* values);

}  // namespace gscompress
