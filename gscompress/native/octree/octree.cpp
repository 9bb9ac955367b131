#include "octree.h"

#include <algorithm>
#include <array>
#include <bit>

#include "../context/binary_coder.h"
#include "../context/mixer.h"
#include "../context/plane_math.h"

namespace gscompress {
namespace {

constexpr int kAround = 27;  // a node and those around it, x fastest
constexpr int kSelf = 13;
constexpr int kModelSize = 4096;  // contexts of each model
constexpr int kMixers = 64;
constexpr int kLeafBits = 16;  // bits of a cell's count that have models of their own

// The nodes of one level in Morton order.
struct Level {
  std::vector<uint64_t> codes;
  std::vector<int32_t> parents;  // which node of the level above
  std::vector<uint8_t> masks;    // which children are there; known once coded
  std::vector<int32_t> firsts;   // index of the first child
  std::vector<int32_t> rows;     // row of `around`, or -1: there is nothing around
  std::vector<std::array<int32_t, kAround>> around;  // nodes around, or -1

  size_t size() const { return codes.size(); }
};

int axis_bit(int child, int axis) { return (child >> axis) & 1; }  // Morton: x is the lowest bit

// Adaptive models of the bits of an octree, and the mixer over them.
template <class CodeBit>
class BitCoder {
 public:
  explicit BitCoder(CodeBit code)
      : models_(static_cast<size_t>(kInputs) * kModelSize, kFreshModel),
        weights_(static_cast<size_t>(kMixers) * kInputs, kUnitWeight * 3 / (2 * kInputs)),
        code_(code) {}

  int operator()(int bit, const int (&contexts)[kInputs], int mixer) {
    int32_t base[kInputs];
    for (int m = 0; m < kInputs; ++m) base[m] = m * kModelSize + contexts[m];
    int32_t* weights = weights_.data() + static_cast<ptrdiff_t>(mixer) * kInputs;
    const Prediction prediction = predict(models_.data(), base, 0, weights, Logistic::tables());
    bit = code_(bit, prediction.p1);
    learn(prediction, bit, models_.data(), base, 0, weights, Logistic::tables());
    return bit;
  }

 private:
  std::vector<uint32_t> models_;
  std::vector<int32_t> weights_;
  CodeBit code_;
};

// What the children of one node are predicted from.
class NodeContexts {
 public:
  NodeContexts(const Level& level, const Level* above, const Level* far_above, size_t node,
               int depth)
      : level_(level), node_(static_cast<int32_t>(node)), depth_(std::min(depth, 20)) {
    const int32_t row = level.rows[node];
    around_ = row >= 0 ? &level.around[static_cast<size_t>(row)] : nullptr;
    int others = 0;
    if (around_) {
      for (const int32_t other : *around_) others += other >= 0;
      --others;
    }
    crowd_ = std::min(bucket(static_cast<uint32_t>(others)), 5);
    if (above) {
      const auto parent = static_cast<size_t>(level.parents[node]);
      siblings_ = std::popcount(above->masks[parent]) - 1;
      if (far_above) {
        cousins_ = std::popcount(far_above->masks[static_cast<size_t>(above->parents[parent])]) - 1;
      }
    }
  }

  // For child `child`, when `mask` of those before it are there.
  void fill(int child, int mask, int (&contexts)[kInputs], int& mixer) const {
    const int before = std::popcount(static_cast<unsigned>(mask));
    const int some = std::min(before, 2);
    const int alone = crowd_ == 0;
    contexts[0] = (((1 << child) | mask) * 2 + alone) * 2 + (siblings_ > 0);  // below 1024
    contexts[1] = ((outside(child, 0) * 4 + outside(child, 1)) * 4 + outside(child, 2)) * 24 +
                  some * 8 + child;                                          // below 1536
    contexts[2] = ((crowd_ * 21 + depth_) * 3 + some) * 8 + child;           // below 3024
    contexts[3] = (((siblings_ * 8 + cousins_) * 3 + some) * 8) + child;     // below 1536
    mixer = (std::min(depth_ / 3, 3) * 3 + some) * 4 + std::min(crowd_, 3);  // below 48
  }

  // Whether the node has a single child.
  void fill_single(int (&contexts)[kInputs]) const {
    contexts[0] = depth_;
    contexts[1] = siblings_ * 8 + cousins_;
    contexts[2] = depth_ * 2 + (siblings_ > 0);
    contexts[3] = (depth_ * 8 + siblings_) * 2 + (cousins_ > 0);
  }

  int crowd() const { return crowd_; }
  int siblings() const { return siblings_; }
  int cousins() const { return cousins_; }

 private:
  // The cell beyond the node's face that touches the child: 0 nothing there, 1 not known yet,
  // 2 known to be empty, 3 occupied.
  int outside(int child, int axis) const {
    static constexpr int kStride[3] = {1, 3, 9};
    if (!around_) return 0;
    const int direction = axis_bit(child, axis) ? kStride[axis] : -kStride[axis];
    const int32_t other = (*around_)[static_cast<size_t>(kSelf + direction)];
    if (other < 0) return 0;
    if (other >= node_) return 1;
    const int cell = child ^ (1 << axis);
    return (level_.masks[static_cast<size_t>(other)] >> cell) & 1 ? 3 : 2;
  }

  const Level& level_;
  int32_t node_;
  int depth_;
  const std::array<int32_t, kAround>* around_ = nullptr;
  int crowd_ = 0, siblings_ = 0, cousins_ = 0;
};

// The nodes around a child, by way of those around its parent. False if there are none.
bool find_around(const Level& above, int32_t parent, int child, int32_t self,
                 std::array<int32_t, kAround>& out) {
  const int32_t row = above.rows[static_cast<size_t>(parent)];
  if (row < 0 && std::has_single_bit(above.masks[static_cast<size_t>(parent)])) return false;
  bool found = false;
  for (int k = 0; k < kAround; ++k) {
    const int offset[3] = {k % 3 - 1, k / 3 % 3 - 1, k / 9 - 1};
    static constexpr int kStride[3] = {1, 3, 9};
    int neighbour = kSelf, cell = 0;
    for (int axis = 0; axis < 3; ++axis) {
      const int at = axis_bit(child, axis) + offset[axis];  // -1..2 in cells of the parent
      if (at < 0) neighbour -= kStride[axis];
      if (at > 1) neighbour += kStride[axis];
      cell |= (at & 1) << axis;
    }
    out[static_cast<size_t>(k)] = -1;
    const int32_t node =
        neighbour == kSelf ? parent
        : row < 0          ? -1
                           : above.around[static_cast<size_t>(row)][static_cast<size_t>(neighbour)];
    if (node < 0) continue;
    const unsigned mask = above.masks[static_cast<size_t>(node)];
    if (!((mask >> cell) & 1)) continue;
    const unsigned lower = mask & ((1u << cell) - 1);
    const int32_t index = above.firsts[static_cast<size_t>(node)] + std::popcount(lower);
    out[static_cast<size_t>(k)] = index;
    found |= index != self;
  }
  return found;
}

// The level below, whose nodes are the children in `above.masks`.
Level children_of(Level& above) {
  Level below;
  above.firsts.resize(above.size());
  for (size_t i = 0; i < above.size(); ++i) {
    above.firsts[i] = static_cast<int32_t>(below.codes.size());
    for (int child = 0; child < 8; ++child) {
      if (!((above.masks[i] >> child) & 1)) continue;
      below.codes.push_back(above.codes[i] << 3 | static_cast<uint64_t>(child));
      below.parents.push_back(static_cast<int32_t>(i));
    }
  }
  below.masks.assign(below.size(), 0);
  below.rows.assign(below.size(), -1);
  std::array<int32_t, kAround> around;
  for (size_t i = 0; i < below.size(); ++i) {
    const int child = static_cast<int>(below.codes[i] & 7);
    if (find_around(above, below.parents[i], child, static_cast<int32_t>(i), around)) {
      below.rows[i] = static_cast<int32_t>(below.around.size());
      below.around.push_back(around);
    }
  }
  return below;
}

Level root() {
  Level level;
  level.codes = {0};
  level.parents = {0};
  level.masks = {0};
  level.rows = {-1};
  return level;
}

// Codes which children each node of a level has. `children_there(code)` says it to an encoder.
template <class CodeBit, class ChildrenThere, class Check>
class LevelCoder {
 public:
  LevelCoder(CodeBit code, ChildrenThere children_there, Check check)
      : children_(code),
        single_(code),
        code_(code),
        children_there_(children_there),
        check_(check) {}

  void operator()(Level& level, const Level* above, const Level* far_above, int depth) {
    size_t found = 0;
    for (size_t i = 0; i < level.size(); ++i) {
      if (i % 256 == 0) check_(found);
      const NodeContexts node(level, above, far_above, i, depth);
      const int there = children_there_(level.codes[i]);
      const int mask = node.crowd() == 0 ? code_lonely(node, there) : code_all(node, there);
      level.masks[i] = static_cast<uint8_t>(mask);
      found += static_cast<size_t>(std::popcount(static_cast<unsigned>(mask)));
    }
    check_(found);
  }

 private:
  // A node with nothing around mostly holds one point, which may be anywhere.
  int code_lonely(const NodeContexts& node, int there) {
    int contexts[kInputs];
    node.fill_single(contexts);
    const bool is_single = std::has_single_bit(static_cast<unsigned>(there));
    if (!single_(is_single, contexts, 0)) return code_all(node, there);
    const int place = std::countr_zero(static_cast<unsigned>(there) | 256u);
    int child = 0;
    for (int axis = 2; axis >= 0; --axis) child |= code_((place >> axis) & 1, 32768) << axis;
    return 1 << child;
  }

  int code_all(const NodeContexts& node, int there) {
    int contexts[kInputs], mixer = 0, mask = 0;
    for (int child = 0; child < 8; ++child) {
      if (child == 7 && mask == 0) return 128;  // a node has a child
      node.fill(child, mask, contexts, mixer);
      mask |= children_((there >> child) & 1, contexts, mixer) << child;
    }
    return mask;
  }

  BitCoder<CodeBit> children_, single_;
  CodeBit code_;
  ChildrenThere children_there_;
  Check check_;
};

// Codes how many points a cell holds, at least one.
template <class CodeBit>
uint64_t code_count(BitCoder<CodeBit>& coder, const NodeContexts& node, uint64_t count,
                    uint64_t most) {
  uint64_t k = 1;
  for (; k <= most; ++k) {
    const int capped = static_cast<int>(std::min<uint64_t>(k, kLeafBits)) - 1;
    const int contexts[kInputs] = {capped, capped * 8 + node.crowd(), capped * 8 + node.siblings(),
                                   capped * 8 + node.cousins()};
    if (!coder(count > k, contexts, 0)) break;
  }
  return k;
}

// Runs over all levels and cells; `count_of(cell)` tells an encoder how many points a cell holds,
// `done(code, count)` is called for each.
template <class CodeBit, class ChildrenThere, class CountOf, class Check, class Done>
void code_octree(int depth, size_t most, CodeBit code_bit, ChildrenThere children_there,
                 CountOf count_of, Check check, Done done) {
  LevelCoder code_level(code_bit, children_there, check);
  Level far_above, above, level = root();
  for (int d = 0; d < depth; ++d) {
    code_level(level, d > 0 ? &above : nullptr, d > 1 ? &far_above : nullptr, d);
    far_above = std::move(above);
    above = std::move(level);
    level = children_of(above);
  }
  BitCoder<CodeBit> counts(code_bit);
  for (size_t i = 0; i < level.size(); ++i) {
    if (i % 256 == 0) check(level.size());
    const NodeContexts cell(level, &above, depth > 1 ? &far_above : nullptr, i, depth);
    done(level.codes[i], code_count(counts, cell, count_of(i), most));
  }
}

struct Encode {
  BinaryEncoder& coder;
  int operator()(int bit, uint32_t p1) {
    coder.reserve(8);
    coder.encode(bit, p1);
    return bit;
  }
};

struct Decode {
  BinaryDecoder& coder;
  int operator()(int, uint32_t p1) { return coder.decode(p1); }
};

}  // namespace

std::vector<uint8_t> encode_octree(const uint64_t* codes, size_t count, int depth) {
  if (count == 0) return {};
  std::vector<uint64_t> cells, counts;
  for (size_t i = 0; i < count; ++i) {
    if (i == 0 || codes[i] != codes[i - 1]) {
      cells.push_back(codes[i]);
      counts.push_back(0);
    }
    ++counts.back();
  }
  BinaryEncoder coder;
  size_t next = cells.size();  // nodes are asked for in ascending order, level by level
  int shift = 3 * depth;
  const auto children_there = [&](uint64_t code) {
    if (next == cells.size()) {
      next = 0;
      shift -= 3;
    }
    int there = 0;
    for (; next < cells.size() && cells[next] >> shift >> 3 == code; ++next) {
      there |= 1 << ((cells[next] >> shift) & 7);
    }
    return there;
  };
  code_octree(
      depth, count, Encode{coder}, children_there, [&](size_t cell) { return counts[cell]; },
      [](uint64_t) {}, [](uint64_t, uint64_t) {});
  coder.finish();
  return {coder.data(), coder.data() + coder.size()};
}

void decode_octree(const uint8_t* bytes, size_t size, size_t count, int depth, uint64_t* codes) {
  if (count == 0) {
    if (size != 0) throw BrokenOctree("bytes without points");
    return;
  }
  BinaryDecoder coder(bytes, size);
  const auto check = [&](uint64_t found) {
    if (coder.exhausted()) throw BrokenOctree("a stream that ends too early");
    if (found > count) throw BrokenOctree("more cells than points");
  };
  size_t written = 0;
  const auto done = [&](uint64_t code, uint64_t copies) {
    if (copies > count - written) throw BrokenOctree("more points than there are");
    std::fill_n(codes + written, copies, code);
    written += copies;
  };
  code_octree(
      depth, count, Decode{coder}, [](uint64_t) { return 0; }, [](size_t) { return uint64_t{0}; },
      check, done);
  if (!coder.complete()) throw BrokenOctree("a stream longer or shorter than its content");
  if (written != count) throw BrokenOctree("fewer points than there are");
}

}  // namespace gscompress
