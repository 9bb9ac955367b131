// The Gaussians of a group of frames: slots whose values are a key plus accumulated integers
// (gscompress/stream/slots.py).

import { layoutOf, octavesOf, stepOf } from "./layout.js";

export const FRACTION = 16; // accumulated integers are in units of a step / 16

// The arrays of a scene and how many numbers of each a Gaussian has.
export function widthsOf(shDegree) {
  return { means: 3, opacityLogits: 1, logScales: 3, quats: 4, sh: 3 * (shDegree + 1) ** 2 };
}

// The Gaussians `rows` of a scene, in this order.
export function selected(scene, rows) {
  const out = { ...scene, count: rows.length };
  for (const [name, width] of Object.entries(widthsOf(scene.shDegree))) {
    out[name] = rowsOf(scene[name], width, rows);
  }
  return out;
}

// Some rows of a table of rows of `width` numbers.
export function rowsOf(table, width, rows) {
  const out = new table.constructor(rows.length * width);
  for (let k = 0; k < rows.length; ++k) {
    for (let c = 0; c < width; ++c) out[k * width + c] = table[rows[k] * width + c];
  }
  return out;
}

export class Slots {
  // key: the decoded key frame, in slot order.
  constructor(key, steps) {
    this.layout = layoutOf(key.shDegree);
    this.alive = new Uint8Array(key.count).fill(1);
    this.#setKey(key);
    this.rebase(steps);
  }

  get count() {
    return this.alive.length;
  }

  // What is in all slots, the empty ones included; changes later.
  get now() {
    return { ...this.key, ...this.values, count: this.count };
  }

  // The Gaussians there are, in slot order.
  scene() {
    const slots = Int32Array.from(this.alive.keys()).filter((slot) => this.alive[slot]);
    return selected(this.now, slots);
  }

  // Go on from the present values with other steps.
  rebase(steps) {
    if (this.sums.some((sum) => sum !== 0)) this.#setKey(this.now);
    this.steps = steps;
    this.octaves = octavesOf(this.key, steps.visible);
  }

  // Give the next slots to copies of what is in these.
  append(parents) {
    const { now, key, layout } = this;
    const born = selected(now, parents);
    for (const name of Object.keys(widthsOf(key.shDegree))) {
      this.values[name] = joined(now[name], born[name]);
      key[name] = joined(key[name], born[name]);
    }
    key.count += born.count;
    this.sums = joined(this.sums, new Int32Array(born.count * layout.channels));
    this.alive = joined(this.alive, new Uint8Array(born.count).fill(1));
    this.octaves = joined(this.octaves, octavesOf(born, this.steps.visible));
  }

  // The Gaussians of these slots are gone.
  retire(slots) {
    for (const slot of slots) this.alive[slot] = 0;
  }

  // Add changes [slots][channels], in units, to the sums.
  add(slots, changes) {
    const { sums, layout: { channels } } = this;
    for (let k = 0; k < slots.length; ++k) {
      const at = slots[k] * channels;
      for (let c = 0; c < channels; ++c) sums[at + c] += changes[k * channels + c];
    }
    this.update(slots);
  }

  // Compute the present values of some slots from their sums.
  update(slots) {
    const { means, logScales, quats, opacityLogits, sh } = this.values;
    const { key } = this;
    const terms = sh.length / this.count;
    const moved = new Float64Array(this.layout.channels);
    for (const slot of slots) {
      this.#moved(slot, moved);
      for (let c = 0, at = 3 * slot; c < 3; ++c, ++at) {
        means[at] = key.means[at] + moved[c];
        logScales[at] = key.logScales[at] + moved[6 + c];
      }
      turn(key.quats, quats, 4 * slot, moved[3], moved[4], moved[5]);
      opacityLogits[slot] = key.opacityLogits[slot] + moved[9];
      for (let c = 0, at = terms * slot; c < terms; ++c, ++at) sh[at] = key.sh[at] + moved[10 + c];
    }
  }

  // How far the channels of a slot are from its key.
  #moved(slot, moved) {
    const { sums, octaves, steps, layout: { widths, channels } } = this;
    let c = 0;
    for (let g = 0; g < widths.length; ++g) {
      const unit = stepOf(steps, g, octaves[3 * slot + Math.min(g, 2)]) / FRACTION;
      for (const end = c + widths[g]; c < end; ++c) moved[c] = sums[slot * channels + c] * unit;
    }
  }

  #setKey(scene) {
    this.key = { ...scene }; // its arrays are never written to
    this.values = {};
    for (const name of Object.keys(widthsOf(scene.shDegree))) {
      this.values[name] = scene[name].slice();
    }
    this.sums = new Int32Array(scene.count * this.layout.channels);
  }
}

// (1, v) times q: q turned on by 2 atan |v| about v.
function turn(from, to, at, a, b, c) {
  const w = from[at];
  const x = from[at + 1];
  const y = from[at + 2];
  const z = from[at + 3];
  to[at] = w - a * x - b * y - c * z;
  to[at + 1] = x + a * w + b * z - c * y;
  to[at + 2] = y + b * w + c * x - a * z;
  to[at + 3] = z + c * w + a * y - b * x;
}

function joined(a, b) {
  const out = new a.constructor(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
