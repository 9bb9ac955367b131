// Adaptive bit models whose predictions are mixed in the logistic domain
// (gscompress/native/context/mixer.h).
//
// A bit model is a probability of a one (upper 22 bits) and a count of bits seen (lower 10). All of
// them are integers, so the same bytes give the same values as in the native decoder.

export const INPUTS = 4; // bit models per bit
export const FRESH_MODEL = (1 << 21) << 10;
export const UNIT_WEIGHT = 1 << 14;
export const WEIGHT_LIMIT = 4 * UNIT_WEIGHT - 1;
const SEEN_LIMIT = 127;

export const STRETCH = new Int32Array(4096); // 256 ln(p / (1 - p)) at p = (i + 1/2) / 4096
export const SQUASH = new Int32Array(4096); // 65536 / (1 + exp(-x / 256)) at x = i - 2048
const STEP = new Int32Array(256); // 8192 / (n + 1.5)
makeTables();

// A bit model after a bit: `target` is 2^22 - 1 for a one, 0 for a zero.
export function learnt(state, target) {
  const seen = state & 1023;
  const p = state >>> 10;
  const moved = p + (Math.imul((target - p) >> 4, STEP[seen]) >> 9);
  return (moved << 10) | (seen < SEEN_LIMIT ? seen + 1 : seen);
}

// exp(x) for |x| <= 9 by IEEE additions, multiplications and divisions only.
function exponential(x) {
  const r = x / 256;
  let term = 1;
  let sum = 1;
  for (let k = 1; k < 12; ++k) {
    term = (term * r) / k;
    sum += term;
  }
  for (let k = 0; k < 8; ++k) sum *= sum;
  return sum;
}

function makeTables() {
  for (let i = 0; i < 4096; ++i) {
    const p = 65536 / (1 + exponential(-(i - 2048) / 256));
    SQUASH[i] = p < 32 ? 32 : p > 65504 ? 65504 : Math.trunc(p + 0.5);
  }
  let x = -2047;
  for (let i = 0; i < 4096; ++i) {
    const p = (i + 0.5) * 16;
    while (x < 2047 && 65536 / (1 + exponential(-x / 256)) < p) ++x;
    STRETCH[i] = x;
  }
  for (let n = 0; n < 256; ++n) STEP[n] = Math.trunc(8192 / (n + 1.5));
}
