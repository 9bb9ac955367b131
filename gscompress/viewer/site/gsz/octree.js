// Cells of an octree, level by level, coded with mixed context models
// (gscompress/native/octree/octree.cpp).

import { BinaryDecoder } from "./binary_decoder.js";
import { GszError } from "./errors.js";
import {
  FRESH_MODEL, INPUTS, SQUASH, STRETCH, UNIT_WEIGHT, WEIGHT_LIMIT, learnt,
} from "./logistic.js";
import { AROUND, Level, POPCOUNT, SELF, childrenOf } from "./octree_levels.js";

const MODEL = 4096; // contexts of each model
const MIXERS = 64;
const LEAF_BITS = 16; // bits of a cell's count that have models of their own
const MOST_DEPTH = 20; // that contexts tell apart
const EVEN = 32768;

// Integer positions [count][3] of `depth` bits, in Morton order.
export function decodeOctree(bytes, count, depth) {
  if (count === 0) {
    if (bytes.length > 0) throw new GszError("stream", "bytes without points");
    return new Uint32Array(0);
  }
  const coder = new BinaryDecoder(bytes);
  const check = (found) => {
    if (coder.exhausted) throw new GszError("stream", "one that ends too early");
    if (found > count) throw new GszError("stream", "more cells than points");
  };
  const levels = new LevelDecoder(coder, check);
  let farAbove = null;
  let above = null;
  let level = new Level(1);
  for (let d = 0; d < depth; ++d) {
    levels.decode(level, new Node(level, above, farAbove, d));
    farAbove = above;
    above = level;
    level = childrenOf(above);
  }
  const grid = decodeCounts(coder, check, level, new Node(level, above, farAbove, depth), count);
  if (!coder.complete) throw new GszError("stream", "one longer or shorter than its content");
  return grid;
}

// Adaptive models of the bits of an octree, and the mixer over them.
class BitModels {
  constructor(coder) {
    this.coder = coder;
    this.models = new Int32Array(INPUTS * MODEL).fill(FRESH_MODEL);
    this.weights = new Int32Array(MIXERS * INPUTS)
      .fill(Math.trunc((UNIT_WEIGHT * 3) / (2 * INPUTS)));
  }

  // A bit in one context of each model.
  decode(m0, c1, c2, c3, mixer) {
    const { models, weights } = this;
    const m1 = MODEL + c1;
    const m2 = 2 * MODEL + c2;
    const m3 = 3 * MODEL + c3;
    const s0 = models[m0];
    const s1 = models[m1];
    const s2 = models[m2];
    const s3 = models[m3];
    const i0 = STRETCH[s0 >>> 20];
    const i1 = STRETCH[s1 >>> 20];
    const i2 = STRETCH[s2 >>> 20];
    const i3 = STRETCH[s3 >>> 20];
    const w = mixer * INPUTS;
    const x = (Math.imul(weights[w], i0) + Math.imul(weights[w + 1], i1) +
      Math.imul(weights[w + 2], i2) + Math.imul(weights[w + 3], i3)) >> 14;
    const p1 = SQUASH[(x < -2047 ? -2047 : x > 2047 ? 2047 : x) + 2048];
    const bit = this.coder.decode(p1);
    const error = Math.imul((bit << 16) - p1, 7);
    weights[w] = moved(weights[w], i0, error);
    weights[w + 1] = moved(weights[w + 1], i1, error);
    weights[w + 2] = moved(weights[w + 2], i2, error);
    weights[w + 3] = moved(weights[w + 3], i3, error);
    const target = bit ? 4194303 : 0;
    models[m0] = learnt(s0, target);
    models[m1] = learnt(s1, target);
    models[m2] = learnt(s2, target);
    models[m3] = learnt(s3, target);
    return bit;
  }
}

function moved(weight, input, error) {
  const w = weight + ((Math.imul(input, error) + 262144) >> 19);
  return w < -WEIGHT_LIMIT ? -WEIGHT_LIMIT : w > WEIGHT_LIMIT ? WEIGHT_LIMIT : w;
}

// What is known of one node of a level before its children, or its points, are decoded.
class Node {
  constructor(level, above, farAbove, depth) {
    this.level = level;
    this.above = above;
    this.farAbove = farAbove;
    this.depth = Math.min(depth, MOST_DEPTH);
    this.index = 0;
    this.row = -1; // where its row of `around` begins
    this.crowd = 0;
    this.siblings = 0;
    this.cousins = 0;
  }

  moveTo(index) {
    const { level, above, farAbove } = this;
    this.index = index;
    this.row = level.rows[index] * AROUND;
    this.crowd = level.crowds[index];
    if (above === null) return;
    const parent = level.parents[index];
    this.siblings = POPCOUNT[above.masks[parent]] - 1;
    if (farAbove !== null) this.cousins = POPCOUNT[farAbove.masks[above.parents[parent]]] - 1;
  }

  // The cell beyond the node's face that touches the child: 0 nothing there, 1 not known yet,
  // 2 known to be empty, 3 occupied.
  outside(child, axis, stride) {
    const { level, index, row } = this;
    if (row < 0) return 0;
    const other = level.around[row + SELF + ((child >> axis) & 1 ? stride : -stride)];
    if (other < 0) return 0;
    if (other >= index) return 1;
    return (level.masks[other] >> (child ^ (1 << axis))) & 1 ? 3 : 2;
  }
}

// Decodes which children each node of a level has.
class LevelDecoder {
  constructor(coder, check) {
    this.coder = coder;
    this.check = check;
    this.children = new BitModels(coder);
    this.single = new BitModels(coder);
  }

  decode(level, node) {
    let found = 0;
    for (let i = 0; i < level.size; ++i) {
      if ((i & 255) === 0) this.check(found);
      node.moveTo(i);
      const mask = node.crowd === 0 ? this.#lonely(node) : this.#all(node);
      level.masks[i] = mask;
      found += POPCOUNT[mask];
    }
    this.check(found);
  }

  // A node with nothing around mostly holds one point, which may be anywhere.
  #lonely(node) {
    const { depth, siblings, cousins } = node;
    const single = this.single.decode(
      depth, siblings * 8 + cousins, depth * 2 + (siblings > 0 ? 1 : 0),
      (depth * 8 + siblings) * 2 + (cousins > 0 ? 1 : 0), 0);
    if (!single) return this.#all(node);
    let child = 0;
    for (let axis = 2; axis >= 0; --axis) child |= this.coder.decode(EVEN) << axis;
    return 1 << child;
  }

  #all(node) {
    const { depth, crowd, siblings, cousins } = node;
    const kind = (crowd === 0 ? 2 : 0) + (siblings > 0 ? 1 : 0);
    const place = (crowd * 21 + depth) * 3;
    const family = (siblings * 8 + cousins) * 3;
    const mixer = Math.min(Math.trunc(depth / 3), 3) * 3;
    const near = Math.min(crowd, 3);
    let mask = 0;
    for (let child = 0; child < 8; ++child) {
      if (child === 7 && mask === 0) return 128; // a node has a child
      const some = Math.min(POPCOUNT[mask], 2);
      const touching = (node.outside(child, 0, 1) * 4 + node.outside(child, 1, 3)) * 4 +
        node.outside(child, 2, 9);
      mask |= this.children.decode(
        ((1 << child) | mask) * 4 + kind, touching * 24 + some * 8 + child,
        (place + some) * 8 + child, (family + some) * 8 + child,
        (mixer + some) * 4 + near) << child;
    }
    return mask;
  }
}

// How many points each cell holds, at least one: the positions of all points.
function decodeCounts(coder, check, cells, node, count) {
  const models = new BitModels(coder);
  const grid = new Uint32Array(3 * count);
  let written = 0;
  for (let i = 0; i < cells.size; ++i) {
    if ((i & 255) === 0) check(cells.size);
    node.moveTo(i);
    const { crowd, siblings, cousins } = node;
    for (let points = 1; ; ++points) {
      if (written === count) throw new GszError("stream", "more points than there are");
      for (let axis = 0; axis < 3; ++axis) grid[3 * written + axis] = cells.grid[3 * i + axis];
      ++written;
      const capped = Math.min(points, LEAF_BITS) - 1;
      const at = capped * 8;
      if (!models.decode(capped, at + crowd, at + siblings, at + cousins, 0)) break;
      if ((points & 255) === 0) check(cells.size);
    }
  }
  if (written !== count) throw new GszError("stream", "fewer points than there are");
  return grid;
}
