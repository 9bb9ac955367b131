// The nodes of an octree, and which of them are around each other.

import { bucketOf } from "./plane_math.js";

export const AROUND = 27; // a node and those around it, x fastest
export const SELF = 13;
const STRIDES = [1, 3, 9];

export const POPCOUNT = new Uint8Array(256);
for (let mask = 1; mask < 256; ++mask) POPCOUNT[mask] = POPCOUNT[mask >> 1] + (mask & 1);

// For each child, where those around it are: in which node around its parent, and which child.
const NODE_AROUND = new Uint8Array(8 * AROUND);
const CELL_AROUND = new Uint8Array(8 * AROUND);
for (let child = 0; child < 8; ++child) {
  for (let k = 0; k < AROUND; ++k) {
    let node = SELF;
    let cell = 0;
    for (let axis = 0; axis < 3; ++axis) {
      // -1 to 2, in cells of the parent
      const at = ((child >> axis) & 1) + (Math.trunc(k / STRIDES[axis]) % 3) - 1;
      if (at < 0) node -= STRIDES[axis];
      if (at > 1) node += STRIDES[axis];
      cell |= (at & 1) << axis;
    }
    NODE_AROUND[child * AROUND + k] = node;
    CELL_AROUND[child * AROUND + k] = cell;
  }
}

// The nodes of one level in Morton order.
export class Level {
  constructor(size) {
    this.size = size;
    this.grid = new Uint32Array(3 * size); // where each is
    this.parents = new Int32Array(size); // which node of the level above
    this.masks = new Uint8Array(size); // which children are there
    this.rows = new Int32Array(size).fill(-1); // row of `around`, or -1: there is nothing around
    this.crowds = new Uint8Array(size); // about how many nodes are around
    this.around = new Int32Array(0); // nodes around [rows][27], or -1
  }
}

// The level below, whose nodes are the children in `above.masks`.
export function childrenOf(above) {
  const firsts = new Int32Array(above.size);
  let size = 0;
  for (let i = 0; i < above.size; ++i) {
    firsts[i] = size;
    size += POPCOUNT[above.masks[i]];
  }
  const below = new Level(size);
  let around = new Int32Array(AROUND * Math.min(size, 1024));
  let row = 0;
  for (let i = 0, self = 0; i < above.size; ++i) {
    for (let child = 0; child < 8; ++child) {
      if (!((above.masks[i] >> child) & 1)) continue;
      below.parents[self] = i;
      for (let axis = 0; axis < 3; ++axis) {
        below.grid[3 * self + axis] = above.grid[3 * i + axis] * 2 + ((child >> axis) & 1);
      }
      if (AROUND * (row + 1) > around.length) around = longer(around, AROUND * size);
      const others = findAround(above, firsts, i, child, around, AROUND * row);
      if (others > 0) {
        below.crowds[self] = Math.min(bucketOf(others), 5);
        below.rows[self] = row++;
      }
      ++self;
    }
  }
  below.around = around;
  above.around = null; // it is no longer looked at, and large
  return below;
}

// Writes the nodes around a child, by way of those around its parent; how many there are.
function findAround(above, firsts, parent, child, out, at) {
  const row = above.rows[parent] * AROUND;
  const { around, masks } = above;
  if (row < 0 && POPCOUNT[masks[parent]] === 1) return 0;
  let found = -1; // not the child itself
  for (let k = 0; k < AROUND; ++k) {
    const neighbour = NODE_AROUND[child * AROUND + k];
    const node = neighbour === SELF ? parent : row < 0 ? -1 : around[row + neighbour];
    let index = -1;
    if (node >= 0) {
      const mask = masks[node];
      const cell = CELL_AROUND[child * AROUND + k];
      if ((mask >> cell) & 1) {
        index = firsts[node] + POPCOUNT[mask & ((1 << cell) - 1)];
        ++found;
      }
    }
    out[at + k] = index;
  }
  return found;
}

function longer(array, most) {
  const out = new Int32Array(Math.min(2 * array.length, most));
  out.set(array);
  return out;
}
