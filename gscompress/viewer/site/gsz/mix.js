// The coder `mix`: planes of integers through mixed context models (gscompress/native/context).

import { GszError } from "./errors.js";
import {
  FRESH_MODEL, INPUTS, SQUASH, STRETCH, UNIT_WEIGHT, WEIGHT_LIMIT, learnt,
} from "./logistic.js";
import { bucketOf, fade } from "./plane_math.js";

const CONTEXTS = 128; // of each model
const UNARY_NODES = 20; // larger exponents share the last node
const MANTISSA_NODES = 10;
const NODES = 2 + UNARY_NODES + MANTISSA_NODES;
const MIXER_SETS = 8;
const MAX_EXPONENT = 32;
const MODEL = CONTEXTS * NODES; // entries of one model

// Decodes planes [specs.length][count], a range of Gaussians at a time; what the models have
// learnt stays from one range to the next. specs: as `planeSpecs` gives them.
export class MixPlanes {
  constructor(specs, count) {
    this.specs = specs;
    this.values = specs.map(() => new Int32Array(count));
    this.residuals = specs.map(() => null);
    for (const { partner } of specs) {
      if (partner >= 0) this.residuals[partner] ??= new Int32Array(count);
    }
    this.disagreement = new Uint16Array(count); // decayed misses of the planes so far, times 4
    this.energy = new Uint16Array(count); // decayed magnitudes of the planes so far, times 4
    this.models = specs.map(() => null);
    this.weights = specs.map(() => null);
    this.unread = new Int32Array(count); // where residuals go that no plane looks at
  }

  // The values [from, to) of all planes, those before being decoded; `side` of these Gaussians:
  // {references, nearness, classes}.
  decode(bytes, from, to, side) {
    const coder = { bytes, position: 4, low: 0, high: -1, code: 0 };
    for (let k = 0; k < 4; ++k) coder.code = (coder.code << 8) | (k < bytes.length ? bytes[k] : 0);
    for (let c = 0; c < this.specs.length; ++c) {
      const spec = this.specs[c];
      this.models[c] ??= new Int32Array(INPUTS * MODEL).fill(FRESH_MODEL);
      this.weights[c] ??= new Int32Array(MIXER_SETS * NODES * INPUTS)
        .fill(Math.trunc((UNIT_WEIGHT * 3) / (2 * INPUTS)));
      decodePlane(coder, {
        from,
        to,
        values: this.values[c],
        gate: spec.gate >= 0 ? this.values[spec.gate] : null,
        partner: spec.partner >= 0 ? this.residuals[spec.partner] : null,
        residuals: this.residuals[c] ?? this.unread,
        trust: spec.trust,
        disagreement: this.disagreement,
        energy: this.energy,
        models: this.models[c],
        weights: this.weights[c],
        ...side,
      });
    }
    // The decoder holds four bytes in advance, of which the encoder has written one.
    if (coder.position !== bytes.length + 3) {
      throw new GszError("stream", "one longer or shorter than its content");
    }
    return this.values.map((plane) => plane.subarray(from, to));
  }
}

// 1 more than the place of |a| among 0, 1, ..., 7, then steps of eight; signed, plus 15.
function levelOf(a) {
  const m = Math.abs(a);
  const size = m < 8 ? m : m < 64 ? 7 + (m >> 3) : 15;
  return a < 0 ? 15 - size : 15 + size;
}

// The hot loop: one function, one place where bits are decoded, no allocation. A value is a walk
// over nodes: 0 zero flag, 1 sign, then the exponent in unary, then the bit below the leading one;
// the bits below that are stored as they are.
function decodePlane(coder, job) {
  const { from, to, values, gate, partner, residuals, trust, disagreement, energy } = job;
  const { models, weights, references, nearness, classes } = job;
  const { bytes } = coder;
  const size = bytes.length;
  let { position, low, high, code } = coder; // low, high, code: unsigned, kept as int32

  for (let i = from; i < to; ++i) {
    const own = i - from; // its place in `side`
    if ((own & 1023) === 0 && position > size + 3) throw new GszError("stream", "no more bytes");
    if (gate !== null && gate[i] === 0) {
      values[i] = 0;
      residuals[i] = 0;
      continue;
    }
    const near = i > 0 ? values[references[own]] : 0;
    const off = bucketOf(disagreement[i] >> 2);
    const loud = bucketOf(energy[i] >> 2);
    const q = partner === null ? 0 : partner[i];
    const qSize = Math.min(bucketOf(Math.abs(q)), 4);
    const tilt = (q > 0 ? 2 : q < 0 ? 0 : 1) + 3 * qSize;
    const base0 = (off * 4 + nearness[own]) * NODES;
    const base1 = MODEL + (levelOf(near) * 4 + (off < 3 ? off : 3)) * NODES;
    const base2 = 2 * MODEL + (classes[own] * 8 + loud) * NODES;
    const base3 = 3 * MODEL + (loud * 15 + tilt) * NODES;
    const mixerSet = off * NODES;

    let node = 0;
    let negative = 0;
    let exponent = 0;
    let magnitude = 0;
    let stored = 0; // bits that are not modelled
    for (;;) {
      const m0 = base0 + node;
      const m1 = base1 + node;
      const m2 = base2 + node;
      const m3 = base3 + node;
      const s0 = models[m0];
      const s1 = models[m1];
      const s2 = models[m2];
      const s3 = models[m3];
      const i0 = STRETCH[s0 >>> 20];
      const i1 = STRETCH[s1 >>> 20];
      const i2 = STRETCH[s2 >>> 20];
      const i3 = STRETCH[s3 >>> 20];
      const w = (mixerSet + node) << 2;
      const w0 = weights[w];
      const w1 = weights[w + 1];
      const w2 = weights[w + 2];
      const w3 = weights[w + 3];
      let x = (Math.imul(w0, i0) + Math.imul(w1, i1) + Math.imul(w2, i2) + Math.imul(w3, i3)) >> 14;
      x = x < -2047 ? -2047 : x > 2047 ? 2047 : x;
      const p1 = SQUASH[x + 2048];

      const range = (high - low) | 0;
      const middle =
        (low + Math.imul(range >>> 16, p1) + (Math.imul(range & 0xffff, p1) >>> 16)) | 0;
      const bit = code >>> 0 <= middle >>> 0 ? 1 : 0;
      if (bit) high = middle;
      else low = (middle + 1) | 0;
      while (((low ^ high) & 0xff000000) === 0) {
        code = (code << 8) | (position < size ? bytes[position] : 0);
        ++position;
        low <<= 8;
        high = (high << 8) | 255;
      }

      const error = Math.imul((bit << 16) - p1, 7);
      const v0 = w0 + ((Math.imul(i0, error) + 262144) >> 19);
      const v1 = w1 + ((Math.imul(i1, error) + 262144) >> 19);
      const v2 = w2 + ((Math.imul(i2, error) + 262144) >> 19);
      const v3 = w3 + ((Math.imul(i3, error) + 262144) >> 19);
      weights[w] = v0 < -WEIGHT_LIMIT ? -WEIGHT_LIMIT : v0 > WEIGHT_LIMIT ? WEIGHT_LIMIT : v0;
      weights[w + 1] = v1 < -WEIGHT_LIMIT ? -WEIGHT_LIMIT : v1 > WEIGHT_LIMIT ? WEIGHT_LIMIT : v1;
      weights[w + 2] = v2 < -WEIGHT_LIMIT ? -WEIGHT_LIMIT : v2 > WEIGHT_LIMIT ? WEIGHT_LIMIT : v2;
      weights[w + 3] = v3 < -WEIGHT_LIMIT ? -WEIGHT_LIMIT : v3 > WEIGHT_LIMIT ? WEIGHT_LIMIT : v3;
      const target = bit ? 4194303 : 0;
      models[m0] = learnt(s0, target);
      models[m1] = learnt(s1, target);
      models[m2] = learnt(s2, target);
      models[m3] = learnt(s3, target);

      if (node === 0) {
        if (!bit) break;
        node = 1;
      } else if (node === 1) {
        negative = bit;
        magnitude = 1;
        node = 2;
      } else if (node >= 2 + UNARY_NODES) {
        magnitude = 2 | bit;
        stored = exponent - 1;
        break;
      } else if (bit) {
        if (++exponent === MAX_EXPONENT) throw new GszError("stream", "one that makes no sense");
        node = 2 + (exponent < UNARY_NODES ? exponent : UNARY_NODES - 1);
      } else {
        if (exponent === 0) break;
        if (exponent > MANTISSA_NODES) {
          stored = exponent;
          break;
        }
        node = 1 + UNARY_NODES + exponent;
      }
    }
    for (; stored > 0; --stored) {
      const middle = (low + (((high - low) | 0) >>> 1)) | 0;
      const bit = code >>> 0 <= middle >>> 0 ? 1 : 0;
      if (bit) high = middle;
      else low = (middle + 1) | 0;
      while (((low ^ high) & 0xff000000) === 0) {
        code = (code << 8) | (position < size ? bytes[position] : 0);
        ++position;
        low <<= 8;
        high = (high << 8) | 255;
      }
      magnitude = (magnitude << 1) | bit;
    }
    const residual = negative ? -magnitude | 0 : magnitude;
    const value = (disagreement[i] >> 2) <= trust ? (near + residual) | 0 : residual;
    residuals[i] = residual;
    values[i] = value;
    energy[i] = fade(energy[i], Math.abs(value));
    disagreement[i] = fade(disagreement[i], Math.abs(value - near));
  }
  coder.position = position;
  coder.low = low;
  coder.high = high;
  coder.code = code;
}
