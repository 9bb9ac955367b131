// Frames as learned latents: small integers of each Gaussian through a matrix of each frame and
// attribute (gscompress/stream/latent_segment.py, gscompress/stream/latent.py).

import { GszError } from "../gsz/errors.js";
import { classesOf, octavesOf } from "./layout.js";
import { readTurnover } from "./segment.js";
import { rowsOf, selected, widthsOf } from "./slots.js";
import { TemporalCoder } from "./temporal.js";

const STEP_BYTES = 8;
const STEP_RANGE = [2 ** -60, 2 ** 20];
const MAX_DIMS = 64;
const MAX_SETS = 256; // of models
const MAX_WEIGHT = 2 ** 20;
const MAX_LATENT = 1 << 24;
const MOVES = 3; // channels before the latents
const NOTHING = new Int32Array(0);

// What has latents of its own: the array it is in, where in a Gaussian's part of that, its width.
function groupsOf(shDegree) {
  const higher = 3 * (shDegree + 1) ** 2 - 3;
  return [
    { group: "sh0", name: "sh", first: 0, width: 3 },
    { group: "shN", name: "sh", first: 3, width: higher },
    { group: "quats", name: "quats", first: 0, width: 4 },
    { group: "log_scales", name: "logScales", first: 0, width: 3 },
    { group: "opacity_logits", name: "opacityLogits", first: 0, width: 1 },
  ];
}

// The Gaussians and the coder that goes along with them; nobody dies.
export class LatentTrack {
  constructor(key, { visible }) {
    this.now = selected(key.scene, Int32Array.from({ length: key.scene.count }, (_, k) => k));
    this.references = key.references;
    this.visible = visible;
    this.alive = null;
    this.dims = ""; // of the groups that have latents
    this.coder = null;
  }

  scene() {
    return this.now;
  }

  // As GroupDecoder has it.
  *advance({ frames }) {
    for (const [number, frame] of frames.entries()) {
      try {
        yield { changed: this.#decode(frame), dead: NOTHING };
      } catch (error) {
        if (!(error instanceof GszError)) throw error;
        throw new GszError(`frame ${number}`, error.message);
      }
    }
  }

  #decode({ changes, turnover }) {
    const { step, groups, at } = readHead(changes, this.now.shDegree);
    this.#prepare(groups);
    const before = this.now.count;
    if (turnover !== null) this.#append(turnover);
    const { slots, values } = this.coder.decode(changes.subarray(at), 0);
    checkLatents(groups, values, this.coder.channels);
    this.#move(slots, values, step);
    for (const group of groups) this.#change(group, slots, values);
    const old = slots.filter((slot) => slot < before);
    const changed = new Int32Array(old.length + this.now.count - before);
    changed.set(old);
    for (let k = old.length; k < changed.length; ++k) changed[k] = before + k - old.length;
    return changed;
  }

  #prepare(groups) {
    const dims = groups.map(({ group, count }) => `${group} ${count}`).join();
    if (this.coder === null) {
      const widths = [MOVES, ...groups.map(({ count }) => count)];
      const firsts = [0, ...groups.map(({ channel }) => channel)];
      const channels = widths.reduce((sum, width) => sum + width, 0);
      if (channels > MAX_SETS) throw new GszError("dimensions", channels, `at most ${MAX_SETS}`);
      const sets = Array.from({ length: channels }, (_, c) => c);
      this.dims = dims;
      this.coder = new TemporalCoder({ widths, firsts, sets, channels });
      this.coder.append(this.references, classesOf(octavesOf(this.now, this.visible)));
    } else if (dims !== this.dims) {
      throw new GszError("dimensions", dims, this.dims);
    }
  }

  // Give the next slots to copies of what is in others.
  #append(bytes) {
    const { now } = this;
    const everyone = new Uint8Array(now.count).fill(1);
    const { deaths, parents } = readTurnover(bytes, everyone, now.count);
    if (deaths.length > 0) throw new GszError("births and deaths", "deaths among latent frames");
    if (parents.length === 0) return;
    const born = selected(now, parents);
    const other = parents.map((parent, k) => (k === 0 ? parent : now.count - 1 + k));
    this.coder.append({ near: parents, other }, classesOf(octavesOf(born, this.visible)));
    const all = Int32Array.from({ length: now.count + parents.length }, (_, k) =>
      (k < now.count ? k : parents[k - now.count]));
    for (const [name, width] of Object.entries(widthsOf(now.shDegree))) {
      now[name] = rowsOf(now[name], width, all);
    }
    now.count = all.length;
  }

  #move(slots, values, step) {
    const { now: { means }, coder: { channels } } = this;
    for (let m = 0; m < slots.length; ++m) {
      const [x, y, z] = values.subarray(m * channels, m * channels + MOVES);
      if (x === 0 && y === 0 && z === 0) continue;
      means[3 * slots[m]] += x * step;
      means[3 * slots[m] + 1] += y * step;
      means[3 * slots[m] + 2] += z * step;
    }
  }

  // Sums of doubles, one latent dimension after the other, rounded at the end.
  #change({ name, first, width, channel, count, decoder }, slots, values) {
    const table = this.now[name];
    const stride = table.length / this.now.count;
    for (let at = first; at < table.length; at += stride) {
      for (let c = at; c < at + width; ++c) table[c] += 0; // as all are added to: there is no -0
    }
    for (let m = 0; m < slots.length; ++m) {
      const own = m * this.coder.channels + channel;
      for (let c = 0; c < width; ++c) {
        let change = 0;
        for (let l = 0; l < count; ++l) change += values[own + l] * decoder[l * width + c];
        table[slots[m] * stride + first + c] += change;
      }
    }
  }
}

// The step of the moves, the groups that have latents with their matrices, and where they end.
function readHead(bytes, shDegree) {
  const all = groupsOf(shDegree);
  if (bytes.length < STEP_BYTES + 2 * all.length) throw new GszError("head", "one that is cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const step = view.getFloat64(0, true);
  if (!(step >= STEP_RANGE[0] && step <= STEP_RANGE[1])) throw new GszError("step of moves", step);
  const groups = [];
  let at = STEP_BYTES;
  let channel = MOVES;
  for (const group of all) {
    if (bytes.length < at + 2) throw new GszError("decoders", "one that is cut off");
    const [count, used] = bytes.subarray(at, at + 2);
    at += 2;
    if (count === 0 && used === 0) continue;
    const size = 4 * count * group.width * used;
    const sound = count >= 1 && count <= MAX_DIMS && used <= 1 && group.width > 0;
    if (!sound || bytes.length < at + size) {
      throw new GszError(`decoder of ${group.group}`, `${count} dimensions`);
    }
    const decoder = new Float32Array(count * group.width);
    for (let k = 0; used && k < decoder.length; ++k) {
      decoder[k] = view.getFloat32(at + 4 * k, true);
      if (!(Math.abs(decoder[k]) <= MAX_WEIGHT)) {
        throw new GszError(`decoder of ${group.group}`, decoder[k], `at most ${MAX_WEIGHT}`);
      }
    }
    groups.push({ ...group, channel, count, decoder });
    at += size;
    channel += count;
  }
  return { step, groups, at };
}

function checkLatents(groups, values, channels) {
  for (const { group, channel, count, decoder } of groups) {
    const still = decoder.every((weight) => weight === 0);
    for (let at = channel; at < values.length; at += channels) {
      for (let c = at; c < at + count; ++c) {
        if (Math.abs(values[c]) > MAX_LATENT) throw new GszError(group, "a latent too large");
        if (still && values[c] !== 0) throw new GszError(group, "latents without a decoder");
      }
    }
  }
}
