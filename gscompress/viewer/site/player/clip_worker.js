// Decodes a clip in a thread apart, some frames ahead of what is shown.
//
// Told {manifest, base}, then {seek, serial} to go to a frame, {stop: serial} to go nowhere,
// {taken}, the bytes of each frame that was shown, and {loops}. Answers, each with the serial of the
// last seek: the frames that reader.js gives, with the place where they come in what is played,
// rounds counted; {ended} at the end; {failure} if something of ours went wrong. Also {manifest}
// when that has grown, and {network: {retries, resumed}} when downloads broke.

import { Download } from "../download.js";
import { Pool } from "../gsz/pool.js";
import { readManifest } from "../stream/manifest.js";
import { widthsOf } from "../stream/slots.js";
import { ClipReader } from "./reader.js";

const MOST_AHEAD = 30; // frames
const MOST_BYTES = 1 << 27; // of frames ahead; one may be larger
const MOST_WORKERS = 4;
const network = { retries: 0, resumed: 0 };
const state = { serial: 0, loops: false, frames: 0, bytes: 0, reader: null, wake: () => {} };
const breaths = new MessageChannel();
const breathing = [];
breaths.port1.onmessage = () => breathing.shift()();

self.onmessage = ({ data }) => {
  if (data.manifest) open(data);
  if (data.loops !== undefined) state.loops = data.loops;
  if (data.taken !== undefined) {
    --state.frames;
    state.bytes -= data.taken;
  }
  if (data.stop !== undefined) state.serial = data.stop;
  if (data.seek !== undefined) {
    Object.assign(state, { serial: data.serial, frames: 0, bytes: 0 });
    play(data.seek, data.serial);
  }
  state.wake();
};

function open({ manifest, base }) {
  const pool = new Pool(Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 1));
  const fetchFile = (url, wanted) => get(new URL(url, base), wanted);
  const refresh = async () => {
    const now = readManifest(await fetchFile("manifest.json"));
    self.postMessage({ manifest: now });
    return now;
  };
  state.reader = new ClipReader(manifest, { fetchFile, refresh, session: () => pool.session() });
}

async function get(url, { size = null, again = false } = {}) {
  const before = network.retries;
  try {
    const cache = again ? "reload" : "default";
    return await new Download(url, { size, cache, counts: network }).bytes();
  } finally {
    if (network.retries > before) self.postMessage({ network });
  }
}

async function play(from, serial) {
  try {
    let rounds = 0; // frames of those that are over
    let last = -1;
    for await (const frame of state.reader.frames(from, () => state.loops)) {
      await breathe();
      while (serial === state.serial && isFull()) {
        await new Promise((resolve) => { state.wake = resolve; });
      }
      if (serial !== state.serial) return;
      if (frame.skipped !== undefined) continue;
      const number = frame.number ?? frame.lost;
      if (number <= last) rounds += state.reader.manifest.frames;
      last = number;
      tell({ ...frame, place: rounds + number, serial });
    }
    self.postMessage({ ended: true, serial });
  } catch (error) {
    self.postMessage({ failure: `${error.name}: ${error.message}`, serial });
  }
}

function isFull() {
  return state.frames >= MOST_AHEAD || (state.frames > 0 && state.bytes >= MOST_BYTES);
}

function tell(message) {
  const scene = message.scene ?? message.part;
  if (scene === undefined) return self.postMessage(message);
  const arrays = Object.keys(widthsOf(scene.shDegree)).map((name) => scene[name].buffer);
  const size = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  ++state.frames;
  state.bytes += size;
  return self.postMessage({ ...message, size }, arrays);
}

// Lets messages in.
function breathe() {
  return new Promise((resolve) => {
    breathing.push(resolve);
    breaths.port2.postMessage(null);
  });
}
