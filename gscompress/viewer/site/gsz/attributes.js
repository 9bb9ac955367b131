// The codecs of importance, opacities, scales and rotations (gscompress/codecs).

import { log, rint, sine } from "./exact_math.js";
import { adaptive, below, fieldsOf, oneOf, positive, views, whole } from "./fields.js";
import { planeSpecs } from "./planes.js";

const HALF_PI = 1.5707963267948966;
const LN2 = 0.6931471805599453;
const MAX_LOGIT = 16;
const MAX_ROTATION_STEP = 0.5;
const GUESS_BYTES = 40;
const LARGEST = 1e78; // about the square of the largest float32
const MIDDLE_CLASS = 8;
const LAST_CLASS = 15;
const SCORES = ["weight_sum", "weight_sq_sum", "weight_max", "removal_effect"];
const XYZ = planeSpecs([-1, 0, 1]);
const ONE = planeSpecs([-1]);

// One class per Gaussian: how precisely it is coded. Called once the means are decoded, and again
// with the scales.
export function classes(table, place) {
  const { octaves } = fieldsOf(
    table, { octaves: whole(2, 1, 8), score: oneOf(SCORES), views: views(64) }, place);
  return {
    octaves,
    async decode(decoded, streams, range, { late }) {
      if (streams.has("importance.guess")) {
        if (late) guessClasses(decoded, octaves, readGuess(streams), range);
        return;
      }
      if (late) return;
      const [plane] = await streams.planes("importance", ONE, decoded.side(range), range);
      if (plane.some((k) => k < 0 || k > LAST_CLASS)) {
        throw streams.corrupt("importance", "a class out of range", "0 to 15");
      }
      decoded.classes.set(plane, range.from);
    },
  };
}

// Centre (3), spread and middle of a guess.
function readGuess(streams) {
  const bytes = streams.bytes("importance.guess", GUESS_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, GUESS_BYTES);
  const numbers = Array.from({ length: 5 }, (_, k) => view.getFloat64(8 * k, true));
  if (!numbers.every((n) => Math.abs(n) <= LARGEST) || numbers[3] <= 0) {
    throw streams.corrupt("importance.guess", "numbers that span no space");
  }
  return numbers;
}

// From opacity^2 * (product of the two larger scales) / (squared distance + spread).
function guessClasses(decoded, octaves, [cx, cy, cz, spread, middle], { from, to }) {
  const { means, opacities, scales } = decoded.attributes;
  for (let i = from; i < to; ++i) {
    const x = means[3 * i] - cx;
    const y = means[3 * i + 1] - cy;
    const z = means[3 * i + 2] - cz;
    const a = scales[3 * i];
    const b = scales[3 * i + 1];
    const c = scales[3 * i + 2];
    const largerTwo = a + b + c - Math.min(Math.min(a, b), c);
    const farness = log(x * x + y * y + z * z + spread);
    const octave = (2 * Math.min(opacities[i], 0) + largerTwo - farness) / LN2;
    const k = rint((octave - middle) / octaves) + MIDDLE_CLASS;
    decoded.classes[i] = Math.max(0, Math.min(k, LAST_CLASS));
  }
}

// Opacities in equal steps of the angle arcsin(sqrt(o)); gives logits.
export function arcsine(table, place) {
  const { levels } = fieldsOf(table, { levels: whole(52, 1, 4096) }, place);
  const logits = new Float32Array(levels + 1);
  logits[0] = -MAX_LOGIT;
  logits[levels] = MAX_LOGIT;
  for (let k = 1; k < levels; ++k) {
    const angle = k * (HALF_PI / levels);
    logits[k] = 2 * log(sine(angle) / sine(HALF_PI - angle));
  }
  return {
    async decode(decoded, streams, range) {
      const [symbols] = await streams.planes("opacities", ONE, decoded.side(range), range);
      if (symbols.some((symbol) => symbol < 0 || symbol > levels)) {
        throw streams.corrupt("opacities", "a level out of range", `0 to ${levels}`);
      }
      const values = decoded.values("opacities");
      for (let i = 0; i < symbols.length; ++i) values[range.from + i] = logits[symbols[i]];
    },
  };
}

// Log-scales in equal steps.
export function logarithm(table, place) {
  const { step, adapt, max_step } = fieldsOf(table, {
    step: positive(0.12),
    adapt: adaptive(0),
    max_step: positive(0.3),
    flatness: below(3e-4, 1),
  }, place);
  return {
    async decode(decoded, streams, range) {
      const planes = await streams.planes("scales", XYZ, decoded.side(range), range);
      const most = Math.max(step, max_step);
      const steps = decoded.stepFactors(adapt).map((factor) => Math.min(step * factor, most));
      const values = decoded.values("scales");
      for (let i = range.from; i < range.to; ++i) {
        const own = steps[decoded.classes[i]];
        for (let axis = 0; axis < 3; ++axis) {
          values[3 * i + axis] = planes[axis][i - range.from] * own;
        }
      }
    },
  };
}

// Rotations by the x, y, z of unit quaternions; gives wxyz.
export function rotation24(table, place) {
  const { step, adapt } = fieldsOf(table, { step: positive(1 / 48), adapt: adaptive(0) }, place);
  return {
    async decode(decoded, streams, range) {
      const planes = await streams.planes("quats", XYZ, decoded.side(range), range);
      const steps = decoded.stepFactors(adapt)
        .map((factor) => Math.min(step * factor, MAX_ROTATION_STEP));
      const values = decoded.values("quats");
      for (let i = range.from, k = 0; i < range.to; ++i, ++k) {
        const own = steps[decoded.classes[i]];
        const x = planes[0][k] * own;
        const y = planes[1][k] * own;
        const z = planes[2][k] * own;
        const squared = x * x + y * y + z * z;
        const scale = squared > 1 ? 1 / Math.sqrt(squared) : 1;
        values[4 * i] = Math.sqrt(Math.max(1 - squared, 0));
        values[4 * i + 1] = x * scale;
        values[4 * i + 2] = y * scale;
        values[4 * i + 3] = z * scale;
      }
    },
  };
}
