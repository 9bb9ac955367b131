// The binary model of `rans` streams: values as adaptive binary decisions (binary_model.cpp).

import { GszError } from "./errors.js";
import { RangeDecoder, checkContexts, readBias, readContextCount } from "./range_coder.js";

const UNARY = 14;
const CHECK = 0xa5;
const CHECK_EVERY = 4096;
const RATES = [[4, 7], [5, 8], [6, 10], [7, 12]]; // of the fast and the slow average
const TREE = 3; // bits below the leading one of large numbers that are modelled
const TREES = 8; // longer numbers share the last tree
const UNIT = 22;
const FLOOR = 12 << (UNIT - 16);
const CEILING = (1 << UNIT) - FLOOR;

// Places of the bit models of one context.
const ZERO = 0;
const NEGATIVE = 1;
const MORE = 2;
const TAIL_MORE = MORE + UNARY;
const TAIL_TREE = TAIL_MORE + 32;
const MODELS = TAIL_TREE + TREES * ((1 << TREE) - 1);

export function decodeBinary(bytes, count, contexts) {
  const coder = new RangeDecoder(bytes);
  const bias = readBias(coder);
  const encoded = readContextCount(coder);
  const models = new BitModels(coder, RATES[coder.raw(2)]);
  checkContexts(contexts, encoded);
  const values = new Int32Array(count);
  for (let i = 0; i < count; ++i) {
    values[i] = (models.value(contexts === null ? 0 : contexts[i]) + bias) | 0;
    if (i % CHECK_EVERY === 0) coder.checkOverrun();
  }
  if (coder.raw(8) !== CHECK) throw new GszError("stream", "a wrong final check");
  coder.finish();
  return values;
}

class BitModels {
  constructor(coder, [fast, slow]) {
    this.coder = coder;
    this.fastRate = fast;
    this.slowRate = slow;
    this.contexts = new Map(); // the state of each context, made when it is first met
    this.state = null;
  }

  value(context) {
    this.state = this.contexts.get(context) ?? this.#open(context);
    if (this.#bit(ZERO)) return 0;
    const below = this.#bit(NEGATIVE);
    let magnitude = 1;
    while (magnitude <= UNARY && this.#bit(MORE + magnitude - 1)) ++magnitude;
    if (magnitude > UNARY) magnitude += this.#tail();
    return below ? -magnitude | 0 : magnitude | 0;
  }

  #open(context) {
    const state = {
      fast: new Int32Array(MODELS).fill(1 << (UNIT - 1)),
      slow: new Int32Array(MODELS).fill(1 << (UNIT - 1)),
      seen: new Uint16Array(MODELS),
    };
    this.contexts.set(context, state);
    return state;
  }

  #bit(k) {
    const { fast, slow, seen } = this.state;
    const bit = this.coder.split((fast[k] + slow[k]) >>> (UNIT - 16 + 1));
    const target = bit ? CEILING : FLOOR;
    const step = 31 - Math.clz32(seen[k] + 2);
    fast[k] += (target - fast[k]) >> Math.min(step, this.fastRate);
    slow[k] += (target - slow[k]) >> Math.min(step, this.slowRate);
    if (seen[k] < 1 << this.slowRate) ++seen[k];
    return bit;
  }

  #tail() {
    let bits = 0;
    while (bits < 32 && this.#bit(TAIL_MORE + bits)) ++bits;
    const modelled = Math.min(bits, TREE);
    const tree = TAIL_TREE + (Math.min(bits, TREES) - 1) * ((1 << TREE) - 1);
    let result = 1;
    for (let k = 0; k < modelled; ++k) {
      result = (result << 1) | (this.#bit(tree + result - 1) ? 1 : 0);
    }
    const rest = bits - modelled;
    const value = result * 2 ** rest + this.coder.raw(rest) - 1;
    if (value > 0xffffffff) throw new GszError("stream", "a number that is too long");
    return value;
  }
}
