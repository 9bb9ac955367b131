// Where the slots of a run go: basis functions in time, times integers (gscompress/stream/path.py).

import { SCALE_BITS, basis } from "./transform.js";

// A term is {function, slots, values: [slots][channels], unit}: the coefficients of one function in
// units of a step / 16, divided by `unit`.
export class Path {
  constructor(terms, length, channels) {
    this.length = length;
    this.moving = Int32Array.from(new Set(terms.flatMap(({ slots }) => Array.from(slots)))).sort();
    this.channels = channels;
    this.functions = basis(length);
    const places = new Map(Array.from(this.moving, (slot, k) => [slot, k]));
    this.terms = terms.map((term) => ({ ...term, places: term.slots.map((s) => places.get(s)) }));
    this.moved = new Int32Array(this.moving.length * channels);
  }

  // How far the slots move from the frame before, in units of a step / 16; to be asked in order.
  change(frame) {
    const { channels } = this;
    const total = new Float64Array(this.moved.length); // integers below 2^53
    for (const { function: k, places, values, unit } of this.terms) {
      const share = this.functions[k][frame] * unit;
      for (let m = 0; m < places.length; ++m) {
        const at = places[m] * channels;
        for (let c = 0; c < channels; ++c) total[at + c] += share * values[m * channels + c];
      }
    }
    const scale = 2 ** SCALE_BITS;
    return total.map((sum, k) => {
      const moved = Math.floor((sum + scale / 2) / scale) | 0;
      const change = moved - this.moved[k];
      this.moved[k] = moved;
      return change | 0;
    });
  }
}
