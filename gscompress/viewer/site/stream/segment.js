// A residual segment (.gsr) as its parts (gscompress/stream/segment.py).

import { crc32 } from "../gsz/crc32.js";
import { GszError } from "../gsz/errors.js";
import { GROUPS } from "./layout.js";

const MAGIC = 0x53525347; // "GSRS", little-endian
const VERSION = 1;
const HEAD_BYTES = 10;
const STEPS_AT = 20;
const FRAMES_AT = STEPS_AT + 4 * (GROUPS.length + 1);
const KINDS = ["residual", "trajectory", "latent", "run"];
const MAX_FRAMES = 4096;
const TURNOVER = 1;
const STEP_RANGE = [2 ** -60, 2 ** 20];
const MAX_VISIBLE = 1000;

// {kind, first, slots, steps: {byGroup, visible}, frames: [{changes, turnover}], paths}; a frame's
// changes and turnover are bytes, without turnover null; of a run, paths are {coefficients: [bytes],
// words: bytes}. Throws GszError.
export function readSegment(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < FRAMES_AT || view.getUint32(0, true) !== MAGIC) {
    throw new GszError("magic", `another, in ${bytes.length} bytes`, "a residual segment");
  }
  if (bytes[4] !== VERSION) throw new GszError("version", bytes[4], VERSION);
  const crc = view.getUint32(6, true);
  const found = crc32(bytes.subarray(HEAD_BYTES));
  if (found !== crc) throw new GszError("CRC-32", found.toString(16), crc.toString(16));
  if (bytes[5] >= KINDS.length) throw new GszError("kind", bytes[5], `below ${KINDS.length}`);
  const count = view.getUint16(14, true);
  if (count < 1 || count > MAX_FRAMES) throw new GszError("frames", count, `1 to ${MAX_FRAMES}`);
  const steps = {
    byGroup: GROUPS.map((_, k) => view.getFloat32(STEPS_AT + 4 * k, true)),
    visible: view.getFloat32(STEPS_AT + 4 * GROUPS.length, true),
  };
  checkSteps(steps);
  const kind = KINDS[bytes[5]];
  return {
    kind,
    first: view.getUint32(10, true),
    slots: view.getUint32(16, true),
    steps,
    ...readFrames(bytes, view, count, kind === "run"),
  };
}

// Who dies and who is born: {deaths, parents}, ascending slots. alive: by slot, before.
export function readTurnover(bytes, alive, slots) {
  const reader = new SlotReader(bytes, slots);
  const deaths = reader.slots(-1);
  const parents = reader.slots(0);
  if (reader.at !== bytes.length) throw broken(`${bytes.length - reader.at} bytes too many`);
  if (deaths.some((slot, k) => slot < 0 || slot === deaths[k - 1])) {
    throw broken("one that dies twice");
  }
  if ([deaths, parents].some((some) => some.some((slot) => !alive[slot]))) {
    throw broken("a slot that is empty");
  }
  return { deaths, parents };
}

function readFrames(bytes, view, count, isRun) {
  let at = FRAMES_AT;
  const take = (size, name) => {
    if (bytes.length - at < size) throw new GszError(name, `${bytes.length - at} bytes`, size);
    at += size;
    return at - size;
  };
  const block = (name) => {
    const length = view.getUint32(take(4, name), true);
    const begin = take(length, name);
    return bytes.subarray(begin, begin + length);
  };
  const readPaths = () => {
    const functions = bytes[take(1, "coefficients")];
    if (functions > count) throw new GszError("coefficients", functions, `up to ${count}`);
    const coefficients = Array.from({ length: functions }, (_, k) => block(`coefficient ${k}`));
    return { coefficients, words: block("words") };
  };
  const paths = isRun ? readPaths() : null;
  const frames = [];
  for (let number = 0; number < count; ++number) {
    const name = `frame ${number} of the segment`;
    const flags = bytes[take(1, name)];
    if (flags > TURNOVER) throw new GszError(name, `flags ${flags}`, "0 or 1");
    const turnover = flags ? block(name) : null;
    frames.push({ changes: block(name), turnover });
  }
  if (at !== bytes.length) throw new GszError("length", `${bytes.length} bytes`, at);
  return { frames, paths };
}

function checkSteps({ byGroup, visible }) {
  const [low, high] = STEP_RANGE;
  for (const [k, name] of GROUPS.entries()) {
    const step = byGroup[k];
    if (!(step >= low && step <= high) && !(name === "shN" && step === 0)) {
      throw new GszError(`step of ${name}`, step, `${low} to ${high}`);
    }
  }
  if (!(Math.abs(visible) <= MAX_VISIBLE)) {
    throw new GszError("visibility", visible, `-${MAX_VISIBLE} to ${MAX_VISIBLE}`);
  }
}

// Ascending slots from their count and their distances.
class SlotReader {
  constructor(bytes, limit) {
    this.bytes = bytes;
    this.limit = limit;
    this.at = 0;
  }

  slots(first) {
    const count = this.#integer();
    if (count > this.bytes.length - this.at) {
      throw broken(`${count} slots in ${this.bytes.length - this.at} bytes`);
    }
    const out = new Int32Array(count);
    let slot = first;
    for (let k = 0; k < count; ++k) {
      slot += this.#integer();
      if (slot >= this.limit) throw broken(`slot ${slot} of ${this.limit}`);
      out[k] = slot;
    }
    return out;
  }

  // Seven bits a byte, the lowest first; up to 35.
  #integer() {
    let value = 0;
    for (let k = 0; k < 5 && this.at < this.bytes.length; ++k) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * 2 ** (7 * k);
      if (byte < 128) return value;
    }
    throw broken("an integer without an end");
  }
}

function broken(found) {
  return new GszError("births and deaths", found);
}
