// SHA-256 (FIPS 180-4), as lower-case hexadecimal digits.

const FIRST_PRIMES = firstPrimes(64);
const ROUNDS = Int32Array.from(FIRST_PRIMES, (prime) => fractionOf(Math.cbrt(prime), prime, 3));
const START = Int32Array.from(FIRST_PRIMES.slice(0, 8), (prime) =>
  fractionOf(Math.sqrt(prime), prime, 2));
const BLOCK = 64; // bytes

// By the browser where it does so: on pages from this machine or over https.
export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) return sha256Here(bytes);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function sha256Here(bytes) {
  const state = START.slice();
  const whole = bytes.length - (bytes.length % BLOCK);
  const words = new Int32Array(64);
  for (let at = 0; at < whole; at += BLOCK) mixBlock(state, words, bytes, at);
  const rest = bytes.length - whole;
  const tail = new Uint8Array(rest + 9 <= BLOCK ? BLOCK : 2 * BLOCK);
  tail.set(bytes.subarray(whole));
  tail[rest] = 0x80;
  const view = new DataView(tail.buffer);
  view.setUint32(tail.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(tail.length - 4, bytes.length * 8);
  for (let at = 0; at < tail.length; at += BLOCK) mixBlock(state, words, tail, at);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

function mixBlock(state, words, bytes, at) {
  for (let t = 0; t < 16; ++t) {
    const k = at + 4 * t;
    words[t] = (bytes[k] << 24) | (bytes[k + 1] << 16) | (bytes[k + 2] << 8) | bytes[k + 3];
  }
  for (let t = 16; t < 64; ++t) {
    const early = words[t - 15];
    const late = words[t - 2];
    const s0 = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
    const s1 = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
    words[t] = words[t - 16] + s0 + words[t - 7] + s1;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; ++t) {
    const s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
    const one = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[t] + words[t]) | 0;
    const s0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
    const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((value, k) => { state[k] += value; });
}

function turned(x, count) {
  return (x >>> count) | (x << (32 - count));
}

function firstPrimes(count) {
  const primes = [];
  for (let n = 2; primes.length < count; ++n) {
    if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  }
  return primes;
}

// The first 32 bits of the fraction of a root, `about` being what the machine makes of it.
function fractionOf(about, value, power) {
  let root = BigInt(Math.floor(about * 2 ** 32));
  const scaled = BigInt(value) << BigInt(32 * power);
  while (root ** BigInt(power) > scaled) --root;
  while ((root + 1n) ** BigInt(power) <= scaled) ++root;
  return Number(BigInt.asIntN(32, root));
}
