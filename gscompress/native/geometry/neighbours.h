// The causal neighbour of each Gaussian in coding order: who predicts it, known to both sides.
#pragma once
#include <cstddef>
#include <cstdint>

namespace gscompress {

// For each position the nearest (squared integer distance) among the `window` positions coded
// before it; of equals the latest. The first position refers to itself.
void nearest_before(const uint32_t* positions, size_t count, size_t window, int32_t* reference);

}  // namespace gscompress
