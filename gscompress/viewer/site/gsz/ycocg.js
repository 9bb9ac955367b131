// Colours: spherical harmonics as luma and chroma (gscompress/codecs/ycocg.py).

import { adaptive, below, fieldsOf, positive, real, views } from "./fields.js";
import { planeSpecs } from "./planes.js";

const SH_C0 = 0.28209479177387814;
export const BLOCK = 64; // Gaussians whose coefficients stay in the cache
export const CONSTANT = planeSpecs([-1, 0, 1]); // planes of the constant term

// Spherical harmonics as luma and two chroma differences; gives coefficients [count][K][3].
export function ycocg(table, place) {
  const fields = fieldsOf(table, {
    step: positive(1 / 48),
    sh_step: positive(0.033),
    chroma: positive(1.5),
    adapt: adaptive(2),
    rounding: real(0.42, 0, 0.5),
    views: views(0),
    compaction: below(0.064, Infinity),
    damping: below(1, Infinity),
  }, place);
  return { decode: (decoded, streams, range) => decodeColours(fields, decoded, streams, range) };
}

async function decodeColours({ step, sh_step, chroma, adapt }, decoded, streams, range) {
  const terms = (decoded.shDegree + 1) ** 2 - 1; // above the constant one
  const side = decoded.side(range);
  const wanted = [streams.planes("sh0", CONSTANT, side, range)];
  if (terms > 0) {
    wanted.push(streams.planes("shN.luma", higherSpecs(1, terms), side, range));
    wanted.push(streams.planes("shN.chroma", higherSpecs(2, terms), side, range));
  }
  const [constant, luma, chromas] = await Promise.all(wanted);
  const { first, higher } = lumaSteps({ step, sh_step, adapt }, decoded);
  const stride = 3 * (terms + 1);
  const values = decoded.values("sh").subarray(range.from * stride);
  const job = { values, stride, classes: side.classes, chroma };
  for (let from = 0; from < range.to - range.from; from += BLOCK) {
    const to = Math.min(from + BLOCK, range.to - range.from);
    writeTerm(job, 0, constant[0], constant[1], constant[2], first, from, to);
    for (let k = 0; k < terms; ++k) {
      const pink = chromas[2 + terms + k];
      writeTerm(job, k + 1, luma[1 + k], chromas[2 + k], pink, higher, from, to);
    }
  }
}

// Luma steps of the constant term and of the others, of each class.
export function lumaSteps({ step, sh_step, adapt }, decoded) {
  const factors = decoded.stepFactors(adapt);
  return {
    first: Float64Array.from(factors, (factor) => (step / SH_C0) * factor),
    higher: Float64Array.from(factors, (factor) => sh_step * factor),
  };
}

// One coefficient of some Gaussians from its planes of luma, orange-blue and green-pink.
export function writeTerm({ values, stride, classes, chroma }, term, y, o, g, steps, from, to) {
  for (let i = from; i < to; ++i) {
    const step = steps[classes[i]];
    const co = o[i] * (step * chroma);
    const cg = g[i] * (step * chroma);
    const middle = y[i] * step - cg / 2;
    const blue = middle - co / 2;
    const at = i * stride + 3 * term;
    values[at] = blue + co;
    values[at + 1] = middle + cg;
    values[at + 2] = blue;
  }
}

// A flag per channel, then its planes, which are 0 where the flag is; a channel goes with the one
// before.
function higherSpecs(channels, count) {
  const partners = [];
  const gates = new Array(channels).fill(-1);
  for (let c = 0; c < channels; ++c) partners.push(c - 1);
  for (let c = 0; c < channels; ++c) {
    for (let k = 0; k < count; ++k) {
      partners.push(c > 0 ? channels + (c - 1) * count + k : -1);
      gates.push(c);
    }
  }
  return planeSpecs(partners, { trust: 1, gates });
}
