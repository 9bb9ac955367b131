// Stage 2: splats by depth.
#pragma once

#include "buffer.h"
#include "types.h"

namespace gscompress::raster {

// Sorts `size` keys by depth; equal depths keep their order. `keys` and `spare` may be swapped.
void sort_by_depth(Buffer<DepthKey>& keys, Buffer<DepthKey>& spare, std::size_t size);

}  // namespace gscompress::raster
