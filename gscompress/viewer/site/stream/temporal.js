// Changes of Gaussians from one frame to the next, coded with mixed context models
// (gscompress/native/temporal/temporal_coder.cpp).

import { GszError } from "../gsz/errors.js";
import { FRESH_MODEL, INPUTS, UNIT_WEIGHT } from "../gsz/logistic.js";
import { bucketOf } from "../gsz/plane_math.js";
import { MixedBits } from "./mixed_bits.js";

const CONTEXTS = 128; // of each model
const UNARY_NODES = 20; // larger exponents share the last node
const MANTISSA_NODES = 8;
const NODES = 2 + UNARY_NODES + MANTISSA_NODES;
const MAX_EXPONENT = 31;
const MIXER_SETS = 8;
const PREDICTIONS = 4;
const PHASES = 4; // sets of models
const FULL_SHARE = 4096;
const FRESH_WEIGHT = Math.trunc((UNIT_WEIGHT * 3) / (2 * INPUTS));

export class TemporalCoder {
  // widths: channels of each group; sets: the models that each channel has.
  constructor({ widths, firsts, sets, channels }) {
    Object.assign(this, { widths, firsts, sets, channels });
    this.groups = widths.length;
    this.widest = Math.max(...widths);
    this.slots = 0;
    this.near = new Int32Array(0); // slots below the own one, or the own one where there is none
    this.other = new Int32Array(0);
    this.classes = new Uint8Array(0);
    this.alive = new Uint8Array(0);
    // [slots][groups + 1]: a bit per frame, the newest lowest; the last is of the slot as a whole
    this.history = new Uint8Array(0);
    this.misses = new Uint8Array(0); // [slots][groups][PREDICTIONS]
    this.now = new Int32Array(0); // [slots][channels]
    this.last = new Int32Array(0);
    this.recent = new Int32Array(this.groups + 1); // decayed shares of ones, in 1/4096
    this.predicted = new Int32Array(PREDICTIONS * this.widest);
    this.phases = Array.from({ length: PHASES }, () => null);
    this.models = null; // those in use
    this.bits = null;
    this.kind = 0; // which prediction is the guess
    this.missed = 0; // about how wrong that was for the references
  }

  // Slots of their own: {near, other} of each, and its class.
  append({ near, other }, classes) {
    const before = this.slots;
    const slots = before + classes.length;
    const { groups, channels } = this;
    this.slots = slots;
    this.near = grown(this.near, slots);
    this.near.set(near, before);
    this.other = grown(this.other, slots);
    this.other.set(other, before);
    this.classes = grown(this.classes, slots);
    this.classes.set(classes, before);
    this.alive = grown(this.alive, slots).fill(1, before);
    this.history = grown(this.history, slots * (groups + 1));
    this.misses = grown(this.misses, slots * groups * PREDICTIONS);
    this.now = grown(this.now, slots * channels);
    this.last = grown(this.last, slots * channels);
  }

  // Slots that never change again.
  retire(slots) {
    const { groups, channels } = this;
    for (const slot of slots) {
      this.alive[slot] = 0;
      this.history.fill(0, slot * (groups + 1), (slot + 1) * (groups + 1));
      this.misses.fill(0, slot * groups * PREDICTIONS, (slot + 1) * groups * PREDICTIONS);
      this.now.fill(0, slot * channels, (slot + 1) * channels);
      this.last.fill(0, slot * channels, (slot + 1) * channels);
    }
  }

  // The changed slots of a frame, ascending, and their values [slots][channels].
  decode(bytes, phase) {
    const { channels } = this;
    this.#beginFrame(bytes, phase);
    const any = this.groups;
    for (let slot = 0; slot < this.slots; ++slot) {
      if (this.alive[slot] === 0) continue;
      if (this.bits.coder.exhausted) throw new GszError("changes", "a stream that ends too early");
      // What it holds changed two frames ago.
      if (this.history[slot * (any + 1) + any] & 2) {
        this.now.fill(0, slot * channels, (slot + 1) * channels);
      }
      this.#slot(slot);
    }
    if (!this.bits.coder.complete) {
      throw new GszError("changes", "a stream longer or shorter than its content");
    }
    return this.#changes();
  }

  #beginFrame(bytes, phase) {
    const flags = this.groups + 1;
    const sets = Math.max(...this.sets) + 1;
    this.phases[phase] ??= {
      flags: new Int32Array(flags * INPUTS * CONTEXTS).fill(FRESH_MODEL),
      values: new Int32Array(sets * INPUTS * CONTEXTS * NODES).fill(FRESH_MODEL),
      flagWeights: new Int32Array(flags * MIXER_SETS * INPUTS).fill(FRESH_WEIGHT),
      valueWeights: new Int32Array(sets * MIXER_SETS * NODES * INPUTS).fill(FRESH_WEIGHT),
    };
    this.models = this.phases[phase];
    this.bits = new MixedBits(bytes);
    this.recent.fill(0);
    [this.now, this.last] = [this.last, this.now];
  }

  #changes() {
    const { groups, channels, history } = this;
    const changed = [];
    for (let slot = 0, at = groups; slot < this.slots; ++slot, at += groups + 1) {
      if (history[at] & 1) changed.push(slot);
    }
    const values = new Int32Array(changed.length * channels);
    for (const [k, slot] of changed.entries()) {
      values.set(this.now.subarray(slot * channels, (slot + 1) * channels), k * channels);
    }
    return { slots: Int32Array.from(changed), values };
  }

  #slot(slot) {
    let changed = 0;
    if (this.#changeBit(slot)) {
      for (let g = 0; g < this.groups; ++g) {
        if (this.#groupBit(slot, g, changed)) {
          changed |= 1 << g;
          this.#group(slot, g);
        }
      }
      if (changed === 0) throw new GszError("changes", "a stream that makes no sense");
    }
    this.#note(slot, changed);
  }

  #changeBit(slot) {
    const { history, groups: any } = this;
    const near = this.near[slot];
    const other = this.other[slot];
    const past = history[slot * (any + 1) + any] & 7;
    const a = near < slot ? history[near * (any + 1) + any] & 3 : 0;
    const b = other < slot ? history[other * (any + 1) + any] & 3 : 0;
    const lately = levelOf(this.recent[any]) * 16;
    return this.bits.decode(
      this.models.flags, any * INPUTS * CONTEXTS, CONTEXTS,
      (past * 4 + a) * 4 + b,
      this.classes[slot] * 8 + (past & 1) * 4 + (a & 1) * 2 + (b & 1),
      lately + (past & 3) * 4 + a,
      lately + (past & 1) * 8 + (a & 1) * 4 + b,
      this.models.flagWeights, (any * MIXER_SETS + past) * INPUTS);
  }

  #groupBit(slot, g, changed) {
    const { history, groups } = this;
    const near = this.near[slot];
    const other = this.other[slot];
    const past = history[slot * (groups + 1) + g] & 7;
    const a = near < slot ? history[near * (groups + 1) + g] & 3 : 0;
    const b = other < slot ? history[other * (groups + 1) + g] & 3 : 0;
    return this.bits.decode(
      this.models.flags, g * INPUTS * CONTEXTS, CONTEXTS,
      (past * 4 + a) * 4 + b,
      changed * 2 + (a & 1),
      this.classes[slot] * 8 + (past & 1) * 4 + (a & 1) * 2 + (b & 1),
      levelOf(this.recent[g]) * 16 + (past & 3) * 4 + (a & 1) * 2 + (b & 1),
      this.models.flagWeights, (g * MIXER_SETS + past) * INPUTS);
  }

  // The values of a group: differences to what is predicted.
  #group(slot, g) {
    const { now, last, predicted, channels } = this;
    const near = this.near[slot];
    const other = this.other[slot];
    this.#predict(slot, g);
    this.#choose(slot, g);
    const guess = this.kind * this.widest;
    const told = (this.kind * 8 + this.missed) * 3;
    const quiet = this.classes[slot] * 8;
    let spent = 0; // magnitudes of the differences before
    for (let k = 0; k < this.widths[g]; ++k) {
      const channel = this.firsts[g] + k;
      const expected = predicted[guess + k];
      const a = near < slot ? now[near * channels + channel] : 0;
      const b = other < slot ? now[other * channels + channel] : 0;
      const own = last[slot * channels + channel];
      const loud = bucketOf(spent);
      const set = this.sets[channel];
      const rest = this.#value(
        set * INPUTS * CONTEXTS * NODES,
        told + (k === 0 ? 0 : spent === 0 ? 1 : 2),
        tiltOf((a - expected) | 0) * 8 + loud,
        quiet + bucketOf(Math.abs(own)),
        tiltOf((b - expected) | 0) * 8 + bucketOf(Math.abs(own - expected)),
        (set * MIXER_SETS + loud) * NODES * INPUTS);
      now[slot * channels + channel] = (expected + rest) | 0;
      spent += Math.min(Math.abs(rest), 65536);
    }
  }

  // A value: zero flag, sign, exponent in unary, bits below the leading one.
  #value(models, c0, c1, c2, c3, weights) {
    const { bits, models: { values, valueWeights } } = this;
    const stride = CONTEXTS * NODES;
    const bit = (node) => bits.decode(
      values, models + node, stride, c0 * NODES, c1 * NODES, c2 * NODES, c3 * NODES,
      valueWeights, weights + node * INPUTS);
    if (!bit(0)) return 0;
    const negative = bit(1);
    let exponent = 0;
    while (bit(2 + Math.min(exponent, UNARY_NODES - 1))) {
      if (++exponent === MAX_EXPONENT) {
        throw new GszError("changes", "a stream that makes no sense");
      }
    }
    let magnitude = 1;
    for (let k = exponent - 1; k >= 0; --k) {
      const modelled = k === exponent - 1 && exponent <= MANTISSA_NODES;
      const next = modelled ? bit(1 + UNARY_NODES + exponent) : bits.coder.decode(32768);
      magnitude = (magnitude << 1) | next;
    }
    return negative ? -magnitude | 0 : magnitude;
  }

  // Four predictions of a group: nothing, its own last change, the change of its references, its
  // own last change corrected by how the nearest one's differ.
  #predict(slot, g) {
    const { now, last, predicted, widest, channels } = this;
    const near = this.near[slot];
    const other = this.other[slot];
    const first = this.firsts[g];
    const own = slot * channels + first;
    const nearLast = near * channels + first;
    // A slot without references may be its own: what it did last stands for what they do.
    const nearNow = near < slot ? now : last;
    const otherNow = other < slot ? now : last;
    const otherAt = other * channels + first;
    for (let k = 0; k < this.widths[g]; ++k) {
      const a = nearNow[nearLast + k];
      const sum = (a + otherNow[otherAt + k]) | 0;
      predicted[k] = 0;
      predicted[widest + k] = last[own + k];
      predicted[2 * widest + k] = (sum + (sum >>> 31)) >> 1; // towards zero
      predicted[3 * widest + k] = last[own + k] + ((a - last[nearLast + k]) | 0);
    }
  }

  // The prediction that was best for the references.
  #choose(slot, g) {
    const { misses, groups } = this;
    const near = this.near[slot];
    const other = this.other[slot];
    const a = (near * groups + g) * PREDICTIONS;
    const b = (other * groups + g) * PREDICTIONS;
    let fewest = 1 << 30;
    for (let k = 0; k < PREDICTIONS; ++k) {
      const missed = (near < slot ? misses[a + k] : 0) * 2 + (other < slot ? misses[b + k] : 0);
      if (missed < fewest) {
        this.kind = k;
        fewest = missed;
      }
    }
    this.missed = bucketOf(fewest >> 1);
  }

  // To be called when the values of a slot are in `now`.
  #note(slot, changed) {
    const { history, recent, groups, misses } = this;
    const stride = groups + 1;
    const own = slot * stride;
    const any = changed !== 0 ? 1 : 0;
    const before = history[own + groups];
    history[own + groups] = (before << 1) | any;
    recent[groups] = learntShare(recent[groups], any);
    if (before !== 0 || any) {
      for (let g = 0; g < groups; ++g) {
        const one = (changed >> g) & 1;
        history[own + g] = (history[own + g] << 1) | one;
        if (any) recent[g] = learntShare(recent[g], one);
      }
    }
    const moved = history[own + groups] | history[this.near[slot] * stride + groups] |
      history[this.other[slot] * stride + groups];
    if (moved & 3) {
      for (let g = 0; g < groups; ++g) this.#judge(slot, g);
    } else { // all at rest
      const at = slot * groups * PREDICTIONS;
      for (let k = at; k < at + groups * PREDICTIONS; ++k) misses[k] = 0;
    }
  }

  // Remembers how wrong each prediction of a group (see #predict) would have been.
  #judge(slot, g) {
    const { history, misses, now, last, channels } = this;
    const near = this.near[slot];
    const other = this.other[slot];
    const at = (slot * this.groups + g) * PREDICTIONS;
    const stride = this.groups + 1;
    const moved = history[slot * stride + g] | history[near * stride + g] |
      history[other * stride + g];
    let m0 = 0;
    let m1 = 0;
    let m2 = 0;
    let m3 = 0;
    if (moved & 3) { // not all at rest
      const nearNow = near < slot ? now : last;
      const otherNow = other < slot ? now : last;
      const first = this.firsts[g];
      const end = slot * channels + first + this.widths[g];
      let nearAt = near * channels + first;
      let otherAt = other * channels + first;
      for (let k = slot * channels + first; k < end; ++k, ++nearAt, ++otherAt) {
        const value = now[k];
        const a = nearNow[nearAt];
        const sum = (a + otherNow[otherAt]) | 0;
        m0 += capped(value);
        m1 += capped(value - last[k]);
        m2 += capped(value - ((sum + (sum >>> 31)) >> 1));
        m3 += capped(value - ((last[k] + ((a - last[nearAt]) | 0)) | 0));
      }
    }
    misses[at] = Math.min(m0, 255);
    misses[at + 1] = Math.min(m1, 255);
    misses[at + 2] = Math.min(m2, 255);
    misses[at + 3] = Math.min(m3, 255);
  }
}

function capped(miss) {
  const size = Math.abs(miss);
  return size < 255 ? size : 255;
}

function learntShare(share, one) {
  return one ? share + ((FULL_SHARE - share) >> 4) : share - (share >> 4);
}

function levelOf(share) {
  return Math.trunc((share * 8) / (FULL_SHARE + 1));
}

// The sign of x and about its size: 0..14.
function tiltOf(x) {
  return (x > 0 ? 2 : x < 0 ? 0 : 1) + 3 * Math.min(bucketOf(Math.abs(x)), 4);
}

// At least `size` entries of which the first are those of `array`, the others 0.
function grown(array, size) {
  if (size <= array.length) return array;
  const out = new array.constructor(Math.max(size, Math.ceil(1.25 * array.length)));
  out.set(array);
  return out;
}
