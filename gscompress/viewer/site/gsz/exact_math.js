// Functions that give the same bits everywhere: IEEE additions, multiplications, divisions and
// square roots only, in the order of gscompress/codecs/exact_math.py.

const LN2 = 0.6931471805599453;
const bits = new DataView(new ArrayBuffer(8));

// Natural logarithm of a positive number, to about 1e-15 relative.
export function log(x) {
  let [mantissa, exponent] = frexp(x);
  if (mantissa < 2 / 3) {
    mantissa *= 2;
    exponent -= 1;
  }
  const t = (mantissa - 1) / (mantissa + 1);
  const square = t * t;
  let total = 0;
  for (let k = 23; k > 0; k -= 2) total = total * square + 1 / k;
  return 2 * t * total + exponent * LN2;
}

// Sine of an angle in 0..pi/2, to about 1e-15.
export function sine(x) {
  const square = x * x;
  let total = 1;
  for (let k = 24; k > 0; k -= 2) total = 1 - (square / (k * (k + 1))) * total;
  return x * total;
}

// base^0, base^1, ... by repeated multiplication.
export function powers(base, count) {
  const out = [1];
  for (let k = 1; k < count; ++k) out.push(out[k - 1] * base);
  return out;
}

// The nearest integer, halves to the even one; for |x| below 2^51.
export function rint(x) {
  const shift = 6755399441055744; // 3 * 2^51
  return x + shift - shift;
}

// The number that would be at place k if they were sorted (C. A. R. Hoare's selection). Reorders
// `values`: none before place k is larger, none behind it is smaller.
export function select(values, k) {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) ++i;
      while (values[j] > pivot) --j;
      if (i <= j) {
        const swapped = values[i];
        values[i++] = values[j];
        values[j--] = swapped;
      }
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return values[k];
}

// Mantissa in [1/2, 1) and exponent of a positive finite number; anything else as it is.
function frexp(x) {
  if (!(x > 0 && x < Infinity)) return [x, 0];
  bits.setFloat64(0, x);
  const field = (bits.getUint32(0) >>> 20) & 0x7ff;
  if (field === 0) {
    const [mantissa, exponent] = frexp(x * 2 ** 64); // subnormal
    return [mantissa, exponent - 64];
  }
  bits.setUint32(0, (bits.getUint32(0) & 0x800fffff) | (1022 << 20));
  return [bits.getFloat64(0), field - 1022];
}
