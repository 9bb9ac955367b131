// Which Gaussian predicts each one (gscompress/native/geometry/neighbours.cpp).

import { spread } from "./morton_code.js";

const WINDOW = 16; // how far back in coding order a reference is sought, and along the curve

// The nearest of the WINDOW positions before each one in its level, and of those of the earlier
// levels the WINDOW around it on the Morton curve.
export class References {
  constructor(count) {
    this.grid = new Uint32Array(3 * count);
    this.curve = { high: new Float64Array(0), low: new Uint32Array(0), index: new Uint32Array(0) };
    this.late = null; // the last level: it joins the curve when another one follows
  }

  // The next level: fills `references` from place `from` on; gives the squared distances.
  add(grid, from, references) {
    if (this.late !== null) this.curve = merged(this.curve, this.late);
    this.grid.set(grid, 3 * from);
    const size = grid.length / 3;
    const only = size === this.grid.length / 3; // then there is no curve
    const codes = only ? null : codesOf(grid);
    const distance = new Float64Array(size);
    for (let k = 0; k < size; ++k) {
      const i = from + k;
      const nearest = { index: 0, distance: Infinity };
      this.#offerBefore(i, from, nearest);
      if (from > 0) this.#offerAround(i, codes.high[k], codes.low[k], nearest);
      references[i] = nearest.index;
      distance[k] = i > 0 ? nearest.distance : 0;
    }
    this.late = only ? null : alongCurve(codes, from);
    return distance;
  }

  #offerBefore(i, begin, nearest) {
    const { grid } = this;
    const x = grid[3 * i];
    const y = grid[3 * i + 1];
    const z = grid[3 * i + 2];
    for (let j = i - 1, first = Math.max(i - WINDOW, begin); j >= first; --j) {
      const dx = x - grid[3 * j];
      const dy = y - grid[3 * j + 1];
      const dz = z - grid[3 * j + 2];
      const d = dx * dx + dy * dy + dz * dz;
      if (d < nearest.distance) {
        nearest.distance = d;
        nearest.index = j;
      }
    }
  }

  #offerAround(i, high, low, nearest) {
    const { grid, curve } = this;
    let middle = 0; // the first place on the curve that is not before this code
    for (let end = curve.index.length; middle < end; ) {
      const k = (middle + end) >> 1;
      const before = curve.high[k] < high || (curve.high[k] === high && curve.low[k] < low);
      if (before) middle = k + 1;
      else end = k;
    }
    const last = Math.min(middle + WINDOW / 2, curve.index.length);
    for (let k = Math.max(middle - WINDOW / 2, 0); k < last; ++k) {
      const j = curve.index[k];
      const dx = grid[3 * i] - grid[3 * j];
      const dy = grid[3 * i + 1] - grid[3 * j + 1];
      const dz = grid[3 * i + 2] - grid[3 * j + 2];
      const d = dx * dx + dy * dy + dz * dz;
      if (d < nearest.distance) {
        nearest.distance = d;
        nearest.index = j;
      }
    }
  }
}

// Morton codes, their upper 33 and lower 30 bits apart.
export function codesOf(grid) {
  const size = grid.length / 3;
  const codes = { high: new Float64Array(size), low: new Uint32Array(size) };
  for (let k = 0; k < size; ++k) {
    const x = grid[3 * k];
    const y = grid[3 * k + 1];
    const z = grid[3 * k + 2];
    const top = ((x >>> 20) & 1) | (((y >>> 20) & 1) << 1) | (((z >>> 20) & 1) << 2);
    codes.high[k] = spread(x >>> 10, y >>> 10, z >>> 10) + top * 2 ** 30;
    codes.low[k] = spread(x, y, z);
  }
  return codes;
}

// A level's codes in rising order, and the Gaussians that they belong to.
export function alongCurve({ high, low }, from) {
  const order = Uint32Array.from(low, (_, k) => k);
  const rising = order.every((k) => k === 0 || high[k - 1] < high[k] ||
    (high[k - 1] === high[k] && low[k - 1] <= low[k]));
  if (!rising) order.sort((a, b) => high[a] - high[b] || low[a] - low[b] || a - b);
  return {
    high: Float64Array.from(order, (k) => high[k]),
    low: Uint32Array.from(order, (k) => low[k]),
    index: order.map((k) => from + k),
  };
}

// Both along one curve; of equal codes those of `a` come first.
function merged(a, b) {
  const size = a.index.length + b.index.length;
  const out = {
    high: new Float64Array(size), low: new Uint32Array(size), index: new Uint32Array(size),
  };
  for (let k = 0, i = 0, j = 0; k < size; ++k) {
    const first = j === b.index.length || (i < a.index.length && (a.high[i] < b.high[j] ||
      (a.high[i] === b.high[j] && a.low[i] <= b.low[j])));
    const [source, at] = first ? [a, i++] : [b, j++];
    out.high[k] = source.high[at];
    out.low[k] = source.low[at];
    out.index[k] = source.index[at];
  }
  return out;
}
