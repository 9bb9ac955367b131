// Cells of an octree, level by level, coded with mixed context models.
//
// A node's eight children are coded as occupied or not, in Morton order, in the contexts of: the
// children of the same node before; the cells outside of the node that touch the child, as far as
// they are known; how many nodes are around; how many children the node's parent and its parent
// have. After the last level, how many points lie in each cell.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace gscompress {

class BrokenOctree : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// `codes`: ascending Morton codes of 3 * depth bits; repeated ones are points in one cell.
std::vector<uint8_t> encode_octree(const uint64_t* codes, size_t count, int depth);

// Throws BrokenOctree if the bytes are not what an encoder would have written.
void decode_octree(const uint8_t* bytes, size_t size, size_t count, int depth, uint64_t* codes);

}  // namespace gscompress
