// Frames from a key frame and the residual segments after it (gscompress/stream/decoder.py).

import { GszError } from "../gsz/errors.js";
import { LatentTrack } from "./latent.js";
import { classesOf, gridOf, layoutOf, mortonOrder, referencesOf, sameSteps } from "./layout.js";
import { Path } from "./path.js";
import { readSegment, readTurnover } from "./segment.js";
import { FRACTION, Slots, rowsOf, selected } from "./slots.js";
import { TemporalCoder } from "./temporal.js";
import { MAX_LENGTH } from "./transform.js";
import { WordCoder, readWords } from "./words.js";

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
    this.words = null; // of the last run
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
    return FRAMES[segment.kind](this, segment);
  }

  // Empty some slots, and append copies of others; words are forgotten.
  turnOver({ deaths, parents }) {
    this.words = null;
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

  // Go along a path.
  *follow(path) {
    for (let t = 0; t < path.length; ++t) {
      this.slots.add(path.moving, path.change(t));
      yield t;
    }
  }

  // What the words of a run of so many frames say: terms of its path.
  readWords(bytes, frames) {
    const { layout, alive } = this.slots;
    const { books, indices } = readWords(bytes, layout, frames, this.words);
    if (books !== null) {
      const { slots, near, other, classes } = this.coder;
      this.words = new WordCoder(layout, books, {
        near: near.subarray(0, slots),
        other: other.subarray(0, slots),
        classes: classes.subarray(0, slots),
        dead: Int32Array.from(alive.keys()).filter((slot) => !alive[slot]),
      });
    }
    return this.words.decode(indices);
  }

  // The coefficients of each basis function: terms of a path.
  readCoefficients(blocks) {
    return blocks.flatMap((block, k) => block.length === 0 ? [] :
      [{ function: k, ...this.coder.decode(block, Math.min(k, 2) + 1), unit: FRACTION }]);
  }
}

// What decodes each kind of segment; one that is not here cannot be.
const TRACKS = { residual: Track, trajectory: Track, run: Track, latent: LatentTrack };
const FRAMES = { residual, trajectory, run };

function* residual(track, { frames }) {
  for (const frame of frames) {
    const before = track.slots.count;
    const dead = frame.turnover === null ? NOTHING : turnOver(track, frame.turnover);
    const changed = correct(track, frame);
    yield { changed: withBorn(changed, before, track.slots.count), dead };
  }
}

function* trajectory(track, { frames }) {
  checkLength(frames);
  const terms = track.readCoefficients(frames.map(({ changes }) => changes));
  const path = new Path(terms, frames.length, track.slots.layout.channels);
  for (const _ of track.follow(path)) yield { changed: path.moving, dead: NOTHING };
}

function* run(track, { frames, paths }) {
  checkLength(frames);
  const terms = paths.words.length === 0 ? [] : track.readWords(paths.words, frames.length);
  terms.push(...track.readCoefficients(paths.coefficients));
  const path = new Path(terms, frames.length, track.slots.layout.channels);
  for (const t of track.follow(path)) {
    const corrected = correct(track, frames[t]);
    yield { changed: union(path.moving, corrected), dead: NOTHING };
  }
}

function checkLength(frames) {
  if (frames.length > MAX_LENGTH) throw new GszError("frames", frames.length, MAX_LENGTH);
  for (const [k, { turnover }] of frames.entries()) {
    if (turnover !== null) throw new GszError(`frame ${k} of the segment`, "births or deaths");
  }
}

// Change what a frame says; gives the slots.
function correct(track, { changes }) {
  if (changes.length === 0) return NOTHING;
  const { slots, values } = track.coder.decode(changes, 0);
  track.slots.add(slots, values.map((value) => Math.imul(value, FRACTION)));
  return slots;
}

// Of ascending slots.
function union(some, others) {
  if (others.length === 0) return some;
  return Int32Array.from(new Set([...some, ...others])).sort();
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
