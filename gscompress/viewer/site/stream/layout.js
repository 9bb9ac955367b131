// How the changes of a Gaussian are laid out as integer channels, and their steps
// (gscompress/stream/layout.py). IEEE 754 additions, multiplications and divisions in its order.

import { rint } from "../gsz/exact_math.js";
import { References, alongCurve, codesOf } from "../gsz/references.js";

const BITS_PER_UNIT = 1.4426950408889634; // 1 / ln 2
const MIN_OCTAVE = -4;
const MAX_OCTAVE = 11;
const MAX_DIM = 5; // octaves by which positions of faint Gaussians are coarser at most
const MAX_SLENDER = 4; // octaves by which rotations of long Gaussians are finer at most
const EVEN = -1000; // as visibility: the same steps for all
const COARSEST = [Infinity, 0.125, 0.25, 0.5, 0.25, 0.25]; // the largest step of each group
const POWERS = Float64Array.from({ length: 32 }, (_, k) => 2 ** (k - 16)); // of octaves

const GRID = 1 << 20;
const OUTLIERS = 0.02;

// Attribute groups in coding order; the last one has no channels at degree 0.
export const GROUPS = ["means", "quats", "scales", "opacities", "sh0", "shN"];

// {widths, firsts} of the groups, {sets} of the channels: which models each one has.
export function layoutOf(shDegree) {
  const widths = [3, 3, 3, 1, 3, 3 * ((shDegree + 1) ** 2 - 1)].filter((width) => width > 0);
  const firsts = widths.map((_, g) => widths.slice(0, g).reduce((sum, width) => sum + width, 0));
  const sets = Array.from({ length: 13 }, (_, c) => c);
  for (let band = 1; band <= shDegree; ++band) {
    for (let k = 0; k < 2 * band + 1; ++k) {
      for (let colour = 0; colour < 3; ++colour) sets.push(13 + 3 * (band - 1) + colour);
    }
  }
  return { widths, firsts, sets, channels: sets.length };
}

// The step of a group for a Gaussian of some octave; steps: {byGroup, visible}.
export function stepOf(steps, group, octave) {
  const step = steps.byGroup[group] * POWERS[octave + 16];
  return steps.visible <= EVEN ? step : Math.min(step, COARSEST[group]);
}

export function sameSteps(a, b) {
  return a.visible === b.visible && a.byGroup.every((step, k) => step === b.byGroup[k]);
}

// How many times the steps of positions, rotations and other attributes double: Int8Array [N][3].
export function octavesOf({ count, logScales, opacityLogits }, visible) {
  const octaves = new Int8Array(3 * count);
  if (visible <= EVEN) return octaves;
  for (let i = 0; i < count; ++i) {
    const [a, b, c] = [logScales[3 * i], logScales[3 * i + 1], logScales[3 * i + 2]];
    const longest = Math.max(a, b, c);
    const middle = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
    const logOpacity = Math.min(opacityLogits[i], 0);
    const seen = ((longest + middle) * 0.5 + logOpacity) * BITS_PER_UNIT;
    const slender = Math.min((longest - middle) * BITS_PER_UNIT, MAX_SLENDER);
    const others = Math.max(MIN_OCTAVE, Math.min(visible - seen, MAX_OCTAVE));
    octaves[3 * i] = rint(Math.min(-logOpacity * BITS_PER_UNIT, MAX_DIM));
    octaves[3 * i + 1] = rint(others - slender);
    octaves[3 * i + 2] = rint(others);
  }
  return octaves;
}

// The class of each Gaussian that its contexts see.
export function classesOf(octaves) {
  return Uint8Array.from({ length: octaves.length / 3 }, (_, i) => octaves[3 * i + 2] - MIN_OCTAVE);
}

// The order in which Gaussians on a grid have slots: along a Morton curve.
export function mortonOrder(grid) {
  return alongCurve(codesOf(grid), 0).index;
}

// For Gaussians on a grid, in Morton order, the nearest one before each, and another before it.
export function referencesOf(grid) {
  const count = grid.length / 3;
  const near = new Int32Array(count);
  new References(count).add(grid, 0, near);
  const other = near.map((reference, i) => {
    const before = Math.max(i - 1, 0);
    return reference === before ? near[reference] : before;
  });
  return { near, other };
}

// Positions on 21 bits: most of them evenly, those far out 16 times as coarse.
export function gridOf(means) {
  const count = means.length / 3;
  const grid = new Uint32Array(means.length);
  if (count === 0) return grid;
  const skipped = Math.floor(count * OUTLIERS);
  const low = [];
  let width = 0;
  for (let axis = 0; axis < 3; ++axis) {
    const ordered = new Float32Array(count);
    for (let i = 0; i < count; ++i) ordered[i] = means[3 * i + axis];
    ordered.sort();
    low.push(ordered[skipped]);
    width = Math.max(width, ordered[count - 1 - skipped] - ordered[skipped]);
  }
  width ||= 1;
  for (let k = 0; k < means.length; ++k) {
    let unit = (means[k] - low[k % 3]) / width;
    if (unit < 0) unit /= 16;
    else if (unit > 1) unit = 1 + (unit - 1) / 16;
    grid[k] = rint(Math.max(0, Math.min((unit + 0.5) * GRID, 2 * GRID - 1)));
  }
  return grid;
}
