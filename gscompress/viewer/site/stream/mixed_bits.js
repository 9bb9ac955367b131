// Bits whose probability four models mix (gscompress/native/context/mixer.h).

import { BinaryDecoder } from "../gsz/binary_decoder.js";
import { SQUASH, STRETCH, WEIGHT_LIMIT, learnt } from "../gsz/logistic.js";

export class MixedBits {
  constructor(bytes) {
    this.coder = new BinaryDecoder(bytes);
  }

  // Model m is models[base + m * stride + c_m], its weight weights[w + m].
  decode(models, base, stride, c0, c1, c2, c3, weights, w) {
    const m0 = base + c0;
    const m1 = base + stride + c1;
    const m2 = base + 2 * stride + c2;
    const m3 = base + 3 * stride + c3;
    const s0 = models[m0];
    const s1 = models[m1];
    const s2 = models[m2];
    const s3 = models[m3];
    const i0 = STRETCH[s0 >>> 20];
    const i1 = STRETCH[s1 >>> 20];
    const i2 = STRETCH[s2 >>> 20];
    const i3 = STRETCH[s3 >>> 20];
    const w0 = weights[w];
    const w1 = weights[w + 1];
    const w2 = weights[w + 2];
    const w3 = weights[w + 3];
    const sum = Math.imul(w0, i0) + Math.imul(w1, i1) + Math.imul(w2, i2) + Math.imul(w3, i3);
    const x = Math.max(-2047, Math.min(sum >> 14, 2047));
    const p1 = SQUASH[x + 2048];
    const bit = this.coder.decode(p1);
    const error = Math.imul((bit << 16) - p1, 7);
    weights[w] = limited(w0 + ((Math.imul(i0, error) + 262144) >> 19));
    weights[w + 1] = limited(w1 + ((Math.imul(i1, error) + 262144) >> 19));
    weights[w + 2] = limited(w2 + ((Math.imul(i2, error) + 262144) >> 19));
    weights[w + 3] = limited(w3 + ((Math.imul(i3, error) + 262144) >> 19));
    const target = bit ? 4194303 : 0;
    models[m0] = learnt(s0, target);
    models[m1] = learnt(s1, target);
    models[m2] = learnt(s2, target);
    models[m3] = learnt(s3, target);
    return bit;
  }
}

function limited(weight) {
  return weight < -WEIGHT_LIMIT ? -WEIGHT_LIMIT : weight > WEIGHT_LIMIT ? WEIGHT_LIMIT : weight;
}
