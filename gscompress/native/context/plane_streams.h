// Planes of integers, each of which has a stream of its own in the coder `rans` (entropy/coder.h).
#pragma once
#include <vector>

#include "plane_model.h"

namespace gscompress {

// Decodes the planes side by side, some Gaussians at a time, so that what the model knows of these
// stays in the cache. `parts` are the bytes of each level of `side`: the size of each plane's
// stream (uint32 little-endian), then the streams. `rows`, one of each plane, hold zeros. Throws
// entropy::CorruptStream.
void decode_plane_streams(const PlaneSide& side, const std::vector<PlaneSpec>& specs,
                          const std::vector<Bytes>& parts,
                          const std::vector<PlaneRow<int32_t>>& rows);

}  // namespace gscompress
