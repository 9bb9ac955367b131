// The transform of trajectories in time, a DST-VII in integers (gscompress/stream/transform.py).

import { rint, sine } from "../gsz/exact_math.js";

export const MAX_LENGTH = 64;
export const SCALE_BITS = 14;

// The basis functions (rows) by frame (columns), times 2^14, rounded.
export function basis(length) {
  const period = 2 * length + 1;
  const scale = (2 / Math.sqrt(period)) * 2 ** SCALE_BITS;
  return Array.from({ length }, (_, k) => Float64Array.from({ length }, (_, t) => {
    let turn = ((2 * k + 1) * (t + 1)) % (2 * period); // in half turns / period
    const sign = turn > period ? -1 : 1;
    if (turn > period) turn -= period;
    if (2 * turn > period) turn = period - turn;
    return rint(scale * sine(turn * (Math.PI / period))) * sign;
  }));
}
