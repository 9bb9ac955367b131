// The codecs of importance, opacities, scales, rotations and colours (gscompress/codecs).

import { log, median, rint, sine } from "./exact_math.js";
import { checkRange, fieldsOf } from "./header.js";
import { planeSpecs } from "./planes.js";

const SH_C0 = 0.28209479177387814;
const HALF_PI = 1.5707963267948966;
const LN2 = 0.6931471805599453;
const MAX_LOGIT = 16;
const MAX_ROTATION_STEP = 0.5;
const MIDDLE_CLASS = 8;
const LAST_CLASS = 15;
const BLOCK = 64; // Gaussians whose coefficients stay in the cache
const XYZ = planeSpecs([-1, 0, 1]);
const ONE = planeSpecs([-1]);

const positive = (fields, key, place) => checkRange(fields, key, Number.MIN_VALUE, Infinity, place);
const adaptive = (fields, place) => checkRange(fields, "adapt", 0, 8, place, { whole: true });

// One class per Gaussian: how precisely it is coded.
export function classes(table, place) {
  const defaults = { octaves: 2, score: "weight_sum", views: 64 };
  const { octaves } = checked(fieldsOf(table, defaults, place), (fields) =>
    checkRange(fields, "octaves", 1, 8, place, { whole: true }));
  return {
    octaves,
    async decode(decoded, streams) {
      if (streams.bytes("importance").length === 0) {
        return "scales" in decoded.attributes && decoded.count > 0
          ? guessClasses(decoded, octaves)
          : new Uint8Array(decoded.count).fill(MIDDLE_CLASS);
      }
      if ("opacities" in decoded.attributes) return decoded.classes;
      const [plane] = await streams.planes("importance", ONE, decoded.side);
      if (plane.some((k) => k < 0 || k > LAST_CLASS)) {
        throw streams.corrupt("importance", "a class out of range", "0 to 15");
      }
      return Uint8Array.from(plane);
    },
  };
}

// From opacity^2 * (product of the two larger scales) / (squared distance + radius^2).
function guessClasses(decoded, octaves) {
  const { count } = decoded;
  const { means, opacities, scales } = decoded.attributes;
  const stride = Math.max(1, Math.floor(count / 16384));
  const centre = [0, 1, 2].map((axis) => {
    const some = [];
    for (let i = 0; i < count; i += stride) some.push(means[3 * i + axis]);
    return median(some);
  });
  const squared = new Float64Array(count);
  for (let i = 0; i < count; ++i) {
    const x = means[3 * i] - centre[0];
    const y = means[3 * i + 1] - centre[1];
    const z = means[3 * i + 2] - centre[2];
    squared[i] = x * x + y * y + z * z;
  }
  const radius = Math.max(median(squared), 1e-30);
  const octave = squared; // in place
  for (let i = 0; i < count; ++i) {
    const a = scales[3 * i];
    const b = scales[3 * i + 1];
    const c = scales[3 * i + 2];
    const largerTwo = a + b + c - Math.min(Math.min(a, b), c);
    octave[i] = (2 * Math.min(opacities[i], 0) + largerTwo - log(squared[i] + radius)) / LN2;
  }
  const middle = median(octave);
  return Uint8Array.from(octave, (value) => {
    const k = rint((value - middle) / octaves) + MIDDLE_CLASS;
    return Math.max(0, Math.min(k, LAST_CLASS));
  });
}

// Opacities in equal steps of the angle arcsin(sqrt(o)); gives logits.
export function arcsine(table, place) {
  const { levels } = checked(fieldsOf(table, { levels: 52 }, place), (fields) =>
    checkRange(fields, "levels", 1, 4096, place, { whole: true }));
  return {
    async decode(decoded, streams) {
      const [symbols] = await streams.planes("opacities", ONE, decoded.side);
      if (symbols.some((symbol) => symbol < 0 || symbol > levels)) {
        throw streams.corrupt("opacities", "a level out of range", `0 to ${levels}`);
      }
      const logits = new Float32Array(levels + 1);
      logits[0] = -MAX_LOGIT;
      logits[levels] = MAX_LOGIT;
      for (let k = 1; k < levels; ++k) {
        const angle = k * (HALF_PI / levels);
        logits[k] = 2 * log(sine(angle) / sine(HALF_PI - angle));
      }
      return Float32Array.from(symbols, (symbol) => logits[symbol]);
    },
  };
}

// Log-scales in equal steps.
export function logarithm(table, place) {
  const defaults = { step: 0.12, adapt: 0, max_step: 0.3, flatness: 3e-4 };
  const { step, adapt, max_step } = checked(fieldsOf(table, defaults, place), (fields) => {
    positive(fields, "step", place);
    positive(fields, "max_step", place);
    adaptive(fields, place);
  });
  return {
    async decode(decoded, streams) {
      const planes = await streams.planes("scales", XYZ, decoded.side);
      const most = Math.max(step, max_step);
      const steps = decoded.stepFactors(adapt).map((factor) => Math.min(step * factor, most));
      const values = new Float32Array(3 * decoded.count);
      for (let i = 0; i < decoded.count; ++i) {
        const own = steps[decoded.classes[i]];
        for (let axis = 0; axis < 3; ++axis) values[3 * i + axis] = planes[axis][i] * own;
      }
      return values;
    },
  };
}

// Rotations by the x, y, z of unit quaternions; gives wxyz.
export function rotation24(table, place) {
  const { step, adapt } = checked(fieldsOf(table, { step: 1 / 48, adapt: 0 }, place), (fields) => {
    positive(fields, "step", place);
    adaptive(fields, place);
  });
  return {
    async decode(decoded, streams) {
      const planes = await streams.planes("quats", XYZ, decoded.side);
      const steps = decoded.stepFactors(adapt)
        .map((factor) => Math.min(step * factor, MAX_ROTATION_STEP));
      const values = new Float32Array(4 * decoded.count);
      for (let i = 0; i < decoded.count; ++i) {
        const own = steps[decoded.classes[i]];
        const [x, y, z] = [planes[0][i] * own, planes[1][i] * own, planes[2][i] * own];
        const squared = x * x + y * y + z * z;
        const scale = squared > 1 ? 1 / Math.sqrt(squared) : 1;
        values[4 * i] = Math.sqrt(Math.max(1 - squared, 0));
        values[4 * i + 1] = x * scale;
        values[4 * i + 2] = y * scale;
        values[4 * i + 3] = z * scale;
      }
      return values;
    },
  };
}

// Spherical harmonics as luma and two chroma differences; gives coefficients [count][K][3].
export function ycocg(table, place) {
  const defaults = {
    step: 1 / 48, sh_step: 0.033, chroma: 1.5, adapt: 2, rounding: 0.42, views: 0,
    compaction: 0.064, damping: 1,
  };
  const fields = checked(fieldsOf(table, defaults, place), (given) => {
    for (const key of ["step", "sh_step", "chroma"]) positive(given, key, place);
    adaptive(given, place);
  });
  return { decode: (decoded, streams) => decodeColours(fields, decoded, streams) };
}

async function decodeColours({ step, sh_step, chroma, adapt }, decoded, streams) {
  const terms = (decoded.shDegree + 1) ** 2 - 1; // above the constant one
  const wanted = [streams.planes("sh0", XYZ, decoded.side)];
  if (terms > 0) {
    wanted.push(streams.planes("shN.luma", higherSpecs(1, terms), decoded.side));
    wanted.push(streams.planes("shN.chroma", higherSpecs(2, terms), decoded.side));
  }
  const [constant, luma, chromas] = await Promise.all(wanted);
  const factors = decoded.stepFactors(adapt);
  const first = Float64Array.from(factors, (factor) => (step / SH_C0) * factor);
  const higher = Float64Array.from(factors, (factor) => sh_step * factor);
  const values = new Float32Array(3 * (terms + 1) * decoded.count);
  const job = { values, stride: 3 * (terms + 1), classes: decoded.classes, chroma };
  for (let from = 0; from < decoded.count; from += BLOCK) {
    const to = Math.min(from + BLOCK, decoded.count);
    writeTerm(job, 0, constant[0], constant[1], constant[2], first, from, to);
    for (let k = 0; k < terms; ++k) {
      const pink = chromas[2 + terms + k];
      writeTerm(job, k + 1, luma[1 + k], chromas[2 + k], pink, higher, from, to);
    }
  }
  return values;
}

// One coefficient of some Gaussians from its planes of luma, orange-blue and green-pink.
function writeTerm({ values, stride, classes, chroma }, term, y, o, g, steps, from, to) {
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

function checked(fields, check) {
  check(fields);
  return fields;
}
