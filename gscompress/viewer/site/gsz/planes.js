// Planes of integers: which planes a stream has, and the way they are modelled for coders that take
// a context per symbol (gscompress/entropy/planes.py, gscompress/native/context/plane_model.cpp).

import { GszError } from "./errors.js";
import { MixPlanes } from "./mix.js";
import { bucketOf, fade } from "./plane_math.js";
import { decodeSymbols } from "./symbols.js";

const TRUST_ALWAYS = 255;

// How planes depend on each other; `trust`: see gscompress.entropy.base.Planes.
export function planeSpecs(partners, { trust = TRUST_ALWAYS, gates = null } = {}) {
  return partners.map((partner, c) => ({ partner, trust, gate: gates ? gates[c] : -1 }));
}

// Decodes planes [specs.length][count] with a coder, a range of Gaussians at a time.
export function planesDecoder(coder, specs, count) {
  return coder === "mix" ? new MixPlanes(specs, count) : new ContextPlanes(coder, specs, count);
}

function coarse(x) {
  return x === 0 ? 0 : x < 3 ? 1 : x < 9 ? 2 : 3;
}

// Planes as residuals, each plane a stream of symbols of its own, whose context tells how well the
// reference predicted the planes before, how large their values were, and the partner's residual.
class ContextPlanes {
  constructor(coder, specs, count) {
    this.coder = coder;
    this.specs = specs;
    this.values = specs.map(() => new Int32Array(count));
    this.residuals = specs.map(() => null);
    for (const { partner } of specs) {
      if (partner >= 0) this.residuals[partner] ??= new Int32Array(count);
    }
    this.disagreement = new Uint16Array(count);
    this.energy = new Uint16Array(count);
    this.unread = new Int32Array(count); // where residuals go that no plane looks at
  }

  // As MixPlanes.decode.
  decode(bytes, from, to, side) {
    const planes = this.specs.length;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sizes = [];
    let total = 4 * planes;
    for (let c = 0; c < planes && 4 * c + 4 <= bytes.length; ++c) {
      sizes.push(view.getUint32(4 * c, true));
      total += sizes[c];
    }
    if (sizes.length !== planes || total !== bytes.length) {
      throw new GszError("stream", "planes whose sizes do not add up");
    }
    let position = 4 * planes;
    for (let c = 0; c < planes; ++c) {
      const part = bytes.subarray(position, position + sizes[c]);
      position += sizes[c];
      this.#decodePlane(part, c, from, to, side);
    }
    return this.values.map((plane) => plane.subarray(from, to));
  }

  #decodePlane(bytes, c, from, to, side) {
    const spec = this.specs[c];
    const gate = spec.gate >= 0 ? this.values[spec.gate] : null;
    const contexts = this.#contexts(spec, gate, from, to, side.nearness);
    const coded = decodeSymbols(this.coder, bytes, contexts.length, contexts);
    addReferences({
      from,
      to,
      coded,
      gate,
      values: this.values[c],
      residuals: this.residuals[c] ?? this.unread,
      trust: spec.trust,
      references: side.references,
      disagreement: this.disagreement,
      energy: this.energy,
    });
  }

  // The context (0..95) of each value that is coded.
  #contexts(spec, gate, from, to, nearness) {
    const { disagreement, energy } = this;
    const partner = spec.partner >= 0 ? this.residuals[spec.partner] : null;
    const contexts = new Uint16Array(to - from);
    let used = 0;
    for (let i = from; i < to; ++i) {
      if (gate !== null && gate[i] === 0) continue;
      const off = Math.min(bucketOf(disagreement[i] >> 2), 5);
      const loud = coarse(energy[i] >> 2);
      const hint = partner ? Math.min(bucketOf(Math.abs(partner[i])), 3) : nearness[i - from];
      contexts[used++] = (off * 4 + loud) * 4 + hint;
    }
    return contexts.subarray(0, used);
  }
}

// Values from the residuals that were coded, in coding order.
function addReferences(job) {
  const { from, to, coded, gate, values, residuals, trust, references } = job;
  const { disagreement, energy } = job;
  let next = 0;
  for (let i = from; i < to; ++i) {
    if (gate !== null && gate[i] === 0) {
      values[i] = 0;
      residuals[i] = 0;
      continue;
    }
    const residual = coded[next++];
    const near = i > 0 ? values[references[i - from]] : 0;
    const missed = disagreement[i];
    const value = missed >> 2 <= trust ? (near + residual) | 0 : residual;
    residuals[i] = residual;
    values[i] = value;
    disagreement[i] = fade(missed, Math.abs(value - near));
    energy[i] = fade(energy[i], Math.abs(value));
  }
}
