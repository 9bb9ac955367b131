// What is known while a scene is decoded; grows level by level, and in each level group by group
// (gscompress/codecs/base.py).

import { powers, select } from "./exact_math.js";
import { References } from "./references.js";

const MIDDLE_CLASS = 8;

// A range {level, from, to} is what belongs to a level.
export class Decoded {
  // levels: how many Gaussians there are up to each level's end.
  constructor(levels, shDegree, mode) {
    this.levels = levels;
    this.count = levels.at(-1);
    this.shDegree = shDegree;
    this.mode = mode;
    this.attributes = {}; // group to Float32Array of all Gaussians; see `values`
    this.classes = new Uint8Array(this.count).fill(MIDDLE_CLASS);
    this.octaves = 1;
    this.references = new Int32Array(this.count); // until there are positions, the one before
    for (let i = 1; i < this.count; ++i) this.references[i] = i - 1;
    this.nearness = new Uint8Array(this.count).fill(3);
    this.finder = new References(this.count);
  }

  range(level) {
    return { level, from: level > 0 ? this.levels[level - 1] : 0, to: this.levels[level] };
  }

  // Numbers that each Gaussian has in a group.
  width(group) {
    const fixed = { means: 3, opacities: 1, scales: 3, quats: 4 };
    return fixed[group] ?? 3 * (this.shDegree + 1) ** 2;
  }

  // Where the values of a group are written.
  values(group) {
    this.attributes[group] ??= new Float32Array(this.count * this.width(group));
    return this.attributes[group];
  }

  // What the coders of planes know of the Gaussians of a range.
  side({ from, to }) {
    return {
      references: this.references.subarray(from, to),
      nearness: this.nearness.subarray(from, to),
      classes: this.classes.subarray(from, to),
    };
  }

  // From now on references of the range are near Gaussians; grid: integer positions [to - from][3].
  setGrid(grid, { from, to }) {
    const squared = this.finder.add(grid, from, this.references);
    const some = squared.slice();
    const limits = [1, 2, 5].map((k) => select(some, Math.floor(((to - from) * k) / 8)));
    for (let i = from; i < to; ++i) {
      const d = squared[i - from];
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
}
