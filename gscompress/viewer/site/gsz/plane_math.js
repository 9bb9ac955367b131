// Small integer functions that the models of planes share.

const BUCKETS = new Uint8Array(64);
for (let x = 0; x < 64; ++x) BUCKETS[x] = x < 3 ? x : Math.min(7, 33 - Math.clz32(x - 1));

// 0, 1, 2, 3-4, 5-8, 9-16, 17-32, more
export function bucketOf(x) {
  return x < 64 ? BUCKETS[x] : 7;
}

// A sum in quarters, of which the past fades by a quarter at each step.
export function fade(sum, added) {
  return sum - (sum >> 2) + 4 * (added < 255 ? added : 255);
}
