// Frames from a key frame and the residual segments after it (gscompress/stream/decoder.py).

import { GszError } from "../gsz/errors.js";
import { LatentTrack } from "./latent.js";
import { classesOf, gridOf, layoutOf, mortonOrder, referencesOf, sameSteps } from "./layout.js";
import { readSegment, readTurnover } from "./segment.js";
import { Slots, rowsOf, selected } from "./slots.js";
import { TemporalCoder } from "./temporal.js";
import { MAX_LENGTH, SCALE_BITS, basis } from "./transform.js";

const MAX_SLOTS = 1 << 28;
const NOTHING = new Int32Array(0);

// A key frame, from which groups can be decoded again and again.
export class KeyFrame {
  // scene: as decodeGsz gives it.
  constructor(scene) {
    const grid = gridOf(scene.means);
    const order = mortonOrder(grid);
    this.scene = selected(scene, order); // in slot order
    this.references = referencesOf(rowsOf(grid, 3, order));
  }
}

// Decodes a group of frames in order.
export class GroupDecoder {
  constructor(key) {
    this.key = key;
    this.track = null; // until there is a segment
  }

  // The last frame that was decoded.
  scene() {
    return this.track === null ? this.key.scene : this.track.scene();
  }

  // The same by slot, with what is left in empty ones; changes later.
  get now() {
    return this.track === null ? this.key.scene : this.track.now;
  }

  // Which slots hold a Gaussian; null: all.
  get alive() {
    return this.track === null ? null : this.track.alive;
  }

  // Decode the next segment frame by frame: gives {changed, dead} of each, the slots of which the
  // values are new (those appended included) and those that are empty from now on. Throws GszError;
  // then the decoder is of no further use.
  *advance(bytes) {
    const segment = readSegment(bytes);
    if (!Object.hasOwn(TRACKS, segment.kind)) {
      throw new GszError("kind", segment.kind, Object.keys(TRACKS).join(", "));
    }
    this.track ??= new TRACKS[segment.kind](this.key, segment.steps);
    if (!(this.track instanceof TRACKS[segment.kind])) {
      throw new GszError("kind", segment.kind, "as the segments before");
    }
    const { count } = this.track.now;
    if (segment.slots !== count) throw new GszError("slots", segment.slots, count);
    yield* this.track.advance(segment);
  }
}

// Slots and the coder that goes along with them.
class Track {
  constructor(key, steps) {
    this.slots = new Slots(key.scene, steps);
    this.coder = new TemporalCoder(layoutOf(key.scene.shDegree));
    this.coder.append(key.references, classesOf(this.slots.octaves));
  }

  scene() {
    return this.slots.scene();
  }

  get now() {
    return this.slots.now;
  }

  get alive() {
    return this.slots.alive;
  }

  // As GroupDecoder has it.
  advance(segment) {
    if (!sameSteps(segment.steps, this.slots.steps)) this.slots.rebase(segment.steps);
    return segment.kind === "residual" ? residual(this, segment) : trajectory(this, segment);
  }

  // Empty some slots, and append copies of others.
  turnOver({ deaths, parents }) {
    const first = this.slots.count;
    this.slots.append(parents);
    this.slots.retire(deaths);
    this.coder.retire(deaths);
    if (parents.length > 0) {
      const other = parents.map((parent, k) => (k === 0 ? parent : first - 1 + k));
      const classes = classesOf(this.slots.octaves.subarray(3 * first));
      this.coder.append({ near: parents, other }, classes);
    }
  }

  // Go along trajectories, of which the changes are one for each basis function.
  *follow(coefficients) {
    const { slots } = this;
    const { channels } = slots.layout;
    const moving = [...new Set(coefficients.flatMap((some) => Array.from(some.slots)))]
      .sort((a, b) => a - b);
    const places = new Map(moving.map((slot, k) => [slot, k]));
    const start = new Int32Array(moving.length * channels);
    for (const [k, slot] of moving.entries()) {
      start.set(slots.sums.subarray(slot * channels, (slot + 1) * channels), k * channels);
    }
    const functions = basis(coefficients.length);
    const shift = 2 ** (SCALE_BITS - 4); // sums are in sixteenths of a step
    for (let t = 0; t < coefficients.length; ++t) {
      const total = new Float64Array(start.length); // integers below 2^53
      for (const [k, some] of coefficients.entries()) {
        const share = functions[k][t];
        for (let m = 0; m < some.slots.length; ++m) {
          const at = places.get(some.slots[m]) * channels;
          for (let c = 0; c < channels; ++c) total[at + c] += share * some.values[m * channels + c];
        }
      }
      for (const [k, slot] of moving.entries()) {
        for (let c = 0; c < channels; ++c) {
          const moved = Math.floor((total[k * channels + c] + shift / 2) / shift);
          slots.sums[slot * channels + c] = start[k * channels + c] + moved;
        }
      }
      slots.update(moving);
      yield { changed: Int32Array.from(moving), dead: NOTHING };
    }
  }
}

// What decodes each kind of segment; one that is not here cannot be.
const TRACKS = { residual: Track, trajectory: Track, latent: LatentTrack };

function* residual(track, { frames }) {
  for (const frame of frames) {
    const before = track.slots.count;
    const dead = frame.turnover === null ? NOTHING : turnOver(track, frame.turnover);
    let changed = NOTHING;
    if (frame.changes.length > 0) {
      const changes = track.coder.decode(frame.changes, 0);
      track.slots.move(changes);
      changed = changes.slots;
    }
    yield { changed: withBorn(changed, before, track.slots.count), dead };
  }
}

function* trajectory(track, { frames }) {
  if (frames.length > MAX_LENGTH) throw new GszError("frames", frames.length, MAX_LENGTH);
  const coefficients = frames.map((frame, k) => {
    if (frame.turnover !== null) throw new GszError(`coefficient ${k}`, "births or deaths");
    if (frame.changes.length === 0) return { slots: NOTHING, values: NOTHING };
    return track.coder.decode(frame.changes, Math.min(k, 2) + 1);
  });
  yield* track.follow(coefficients);
}

function turnOver(track, bytes) {
  const turnover = readTurnover(bytes, track.slots.alive, track.slots.count);
  if (track.slots.count + turnover.parents.length > MAX_SLOTS) {
    throw new GszError("births", "more slots than there may be");
  }
  track.turnOver(turnover);
  return turnover.deaths;
}

// The changed slots and all from `first` on.
function withBorn(changed, first, count) {
  if (first === count) return changed;
  const before = changed.filter((slot) => slot < first);
  const out = new Int32Array(before.length + count - first);
  out.set(before);
  for (let k = before.length, slot = first; slot < count; ++slot) out[k++] = slot;
  return out;
}
