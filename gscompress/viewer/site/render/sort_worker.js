// Keeps the positions of one scene and sorts them for a camera, nearest first, in a thread apart.

const NEAR = 0.01;

let means = null; // of all Gaussians that there will be
let count = 0; // of those that there are
let depths = null;
let keys = null;
let orders = [];

// Told {total}, then {means} of some Gaussians after the other, or of {slots}; asked {row, offset}.
self.onmessage = ({ data }) => {
  if (data.total !== undefined) {
    means = new Float32Array(3 * data.total);
    depths = new Float32Array(data.total);
    keys = new Uint32Array(depths.buffer);
    count = 0;
    orders = [new Uint32Array(data.total), new Uint32Array(data.total)];
  } else if (data.slots) {
    data.slots.forEach((slot, k) => means.set(data.means.subarray(3 * k, 3 * k + 3), 3 * slot));
  } else if (data.means) {
    means.set(data.means, 3 * count);
    count += data.means.length / 3;
  } else {
    const order = sort(data.row, data.offset);
    self.postMessage({ order }, [order.buffer]);
  }
};

// The splats in front of the camera by rising depth: row . mean + offset. Two stable counting sorts
// by 16 bits each; the bits of positive floats are in the order of the floats.
function sort(row, offset) {
  const [first, second] = orders;
  const low = new Uint32Array(65537);
  const high = new Uint32Array(65537);
  let used = 0;
  for (let i = 0, at = 0; i < count; ++i, at += 3) {
    depths[i] = row[0] * means[at] + row[1] * means[at + 1] + row[2] * means[at + 2] + offset;
    if (!(depths[i] >= NEAR)) continue;
    ++low[(keys[i] & 0xffff) + 1];
    ++high[(keys[i] >>> 16) + 1];
    second[used++] = i;
  }
  for (let k = 1; k <= 65536; ++k) {
    low[k] += low[k - 1];
    high[k] += high[k - 1];
  }
  for (let k = 0; k < used; ++k) first[low[keys[second[k]] & 0xffff]++] = second[k];
  const order = new Uint32Array(used);
  for (let k = 0; k < used; ++k) order[high[keys[first[k]] >>> 16]++] = first[k];
  return order;
}
