// What is known while a scene is decoded; grows group by group (gscompress/codecs/base.py).

import { powers, select } from "./exact_math.js";

const WINDOW = 16; // how many Gaussians back a reference is sought
const MIDDLE_CLASS = 8;

export class Decoded {
  constructor(count, shDegree, mode) {
    this.count = count;
    this.shDegree = shDegree;
    this.mode = mode;
    this.attributes = {}; // group name to Float32Array
    this.classes = new Uint8Array(count).fill(MIDDLE_CLASS);
    this.octaves = 1;
    this.references = new Int32Array(2 * count); // until there are positions, the two before
    for (let i = 0; i < count; ++i) {
      this.references[2 * i] = Math.max(i - 1, 0);
      this.references[2 * i + 1] = Math.max(i - 2, 0);
    }
    this.nearness = new Uint8Array(count).fill(3);
  }

  // What the coders of planes know of each Gaussian.
  get side() {
    return { references: this.references, nearness: this.nearness, classes: this.classes };
  }

  // From now on references are the nearest Gaussians; grid: integer positions [count][3].
  setGrid(grid) {
    const squared = nearestBefore(grid, this.count, this.references);
    const some = squared.slice();
    const limits = [1, 2, 5].map((k) => select(some, Math.floor((this.count * k) / 8)));
    for (let i = 0; i < this.count; ++i) {
      const d = squared[i];
      this.nearness[i] = (limits[0] < d ? 1 : 0) + (limits[1] < d ? 1 : 0) + (limits[2] < d ? 1 : 0);
    }
  }

  // What the steps of the 16 classes are multiplied by: importance^(-eighths / 8).
  stepFactors(eighths) {
    const root = Math.sqrt(Math.sqrt(Math.sqrt(0.5)));
    const perClass = powers(root, eighths * this.octaves + 1).at(-1);
    const below = powers(perClass, 9).slice(1).reverse().map((power) => 1 / power);
    return [...below, ...powers(perClass, 8)];
  }

  // Numbers that each Gaussian has in a group.
  width(group) {
    const fixed = { means: 3, opacities: 1, scales: 3, quats: 4 };
    return fixed[group] ?? 3 * (this.shDegree + 1) ** 2;
  }
}

// The two nearest of the WINDOW Gaussians before each one; gives the squared distances.
function nearestBefore(grid, count, references) {
  const distance = new Float64Array(count);
  for (let i = 1; i < count; ++i) {
    const x = grid[3 * i];
    const y = grid[3 * i + 1];
    const z = grid[3 * i + 2];
    let first = 0;
    let second = 0;
    let nearest = Infinity;
    let next = Infinity;
    for (let j = i - 1; j >= 0 && j >= i - WINDOW; --j) {
      const dx = x - grid[3 * j];
      const dy = y - grid[3 * j + 1];
      const dz = z - grid[3 * j + 2];
      const d = dx * dx + dy * dy + dz * dz;
      if (d < nearest) {
        second = first;
        next = nearest;
        first = j;
        nearest = d;
      } else if (d < next) {
        second = j;
        next = d;
      }
    }
    references[2 * i] = first;
    references[2 * i + 1] = second;
    distance[i] = nearest;
  }
  return distance;
}
