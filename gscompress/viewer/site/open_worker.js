// Opens one file in a thread apart; tells of each level as it comes.
//
// Told {size}, then {chunk} after chunk of the file's bytes, then {end: true}. Answers {scene, level,
// levels, total, from, milliseconds} for each level, then {done: true}; or {error}.

import { checkSize, headBytes, parseHead } from "./gsz/container.js";
import { GszError } from "./gsz/errors.js";
import { Pool } from "./gsz/pool.js";
import { SceneDecoder } from "./gsz/scene.js";
import { readPly } from "./ply.js";

const MOST_WORKERS = 4;
const FIRST_BYTE = 0x89; // of a .gsz

let source = null;

self.onmessage = ({ data }) => {
  if (data.size !== undefined) {
    source = new Arriving(data.size);
    open();
  } else if (data.chunk) {
    source.add(data.chunk);
  } else {
    source.end();
  }
};

async function open() {
  try {
    await source.until(1);
    if (source.bytes[0] === FIRST_BYTE) await openGsz();
    else await openPly();
    self.postMessage({ done: true });
  } catch (error) {
    // Typed errors are the file's fault; the rest is told too, for there is nobody else to tell.
    const kind = error instanceof GszError ? "" : `${error.name}: `;
    self.postMessage({ error: `${kind}${error.message}` });
  }
}

async function openGsz() {
  let wanted = 1;
  while (headBytes(source.bytes.subarray(0, wanted)) > wanted || wanted < 24) {
    wanted = Math.max(24, headBytes(source.bytes.subarray(0, wanted)));
    if (!(await source.until(wanted))) break; // parseHead says what is wrong
  }
  const head = parseHead(source.bytes.subarray(0, source.received));
  checkSize(head, source.bytes.length);
  const pool = new Pool(Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 1));
  try {
    const decoder = new SceneDecoder(head, source.bytes, pool.open);
    let milliseconds = 0;
    for (const level of decoder.levels.keys()) {
      await source.until(decoder.ends[level]);
      const started = performance.now();
      await decoder.decodeLevel(level);
      milliseconds += performance.now() - started;
      const { from, to } = decoder.decoded.range(level);
      tell(decoder.scene(from, to), {
        level, levels: decoder.levels.length, total: decoder.decoded.count, from, milliseconds,
      });
    }
  } finally {
    pool.close();
  }
}

async function openPly() {
  await source.until(Infinity);
  const started = performance.now();
  const scene = readPly(source.bytes.subarray(0, source.received));
  const milliseconds = performance.now() - started;
  tell(scene, { level: 0, levels: 1, total: scene.count, from: 0, milliseconds });
}

function tell(scene, facts) {
  const arrays = [scene.means, scene.opacityLogits, scene.logScales, scene.quats, scene.sh];
  self.postMessage({ scene, ...facts }, arrays.map((array) => array.buffer));
}

// A file's bytes, of which more and more are here.
class Arriving {
  constructor(size) {
    this.bytes = new Uint8Array(size);
    this.received = 0;
    this.ended = false;
    this.wake = () => {};
  }

  add(chunk) {
    this.bytes.set(chunk.subarray(0, this.bytes.length - this.received), this.received);
    this.received = Math.min(this.received + chunk.length, this.bytes.length);
    this.wake();
  }

  end() {
    this.ended = true;
    this.wake();
  }

  // Waits for so many bytes of it; false if it ends before.
  async until(count) {
    while (this.received < count && !this.ended) {
      await new Promise((resolve) => { this.wake = resolve; });
    }
    return count <= this.received;
  }
}
