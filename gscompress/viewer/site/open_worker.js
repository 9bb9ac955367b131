// Opens one file in a thread apart, from its bytes or its address; tells of each level as it comes.
//
// Asked {bytes} or {url}; answers {level, levels, total, from, scene, milliseconds, received} for
// each level, then {done: true}; or {error}.

import { checkSize, headBytes, parseHead } from "./gsz/container.js";
import { GszError } from "./gsz/errors.js";
import { Pool } from "./gsz/pool.js";
import { SceneDecoder } from "./gsz/scene.js";
import { readPly } from "./ply.js";

const MOST_WORKERS = 4;
const FIRST_BYTE = 0x89; // of a .gsz

self.onmessage = async ({ data: { bytes, url } }) => {
  try {
    const source = bytes ? new Arrived(bytes) : await Download.from(url);
    await source.until(1);
    if (source.bytes[0] === FIRST_BYTE) await openGsz(source);
    else await openPly(source);
    self.postMessage({ done: true });
  } catch (error) {
    // Typed errors are the file's fault; the rest is told too, for there is nobody else to tell.
    const kind = error instanceof GszError ? "" : `${error.name}: `;
    self.postMessage({ error: `${kind}${error.message}` });
  }
};

async function openGsz(source) {
  let wanted = 1;
  while (headBytes(source.bytes.subarray(0, wanted)) > wanted || wanted < 24) {
    wanted = Math.max(24, headBytes(source.bytes.subarray(0, wanted)));
    if (!(await source.until(wanted))) break; // parseHead says what is wrong
  }
  const head = parseHead(source.bytes.subarray(0, source.received));
  if (source.size !== null) checkSize(head, source.size);
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
        received: decoder.ends[level],
      });
    }
    await source.until(Infinity);
    checkSize(head, source.received);
  } finally {
    pool.close();
  }
}

async function openPly(source) {
  await source.until(Infinity);
  const started = performance.now();
  const scene = readPly(source.bytes.subarray(0, source.received));
  const milliseconds = performance.now() - started;
  tell(scene, { level: 0, levels: 1, total: scene.count, from: 0, milliseconds,
    received: source.received });
}

function tell(scene, facts) {
  const arrays = [scene.means, scene.opacityLogits, scene.logScales, scene.quats, scene.sh];
  self.postMessage({ scene, ...facts }, arrays.map((array) => array.buffer));
}

// A file that is here.
class Arrived {
  constructor(bytes) {
    this.bytes = bytes;
    this.received = bytes.length;
    this.size = bytes.length;
  }

  async until(count) {
    return count <= this.received;
  }
}

// A file that is being fetched; `bytes` has room for all of it.
class Download {
  static async from(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new GszError("", (await answer.text()) || answer.statusText);
    const size = Number(answer.headers.get("Content-Length"));
    const encoded = answer.headers.get("Content-Encoding"); // then the length is of other bytes
    if (!(size > 0) || encoded) return new Arrived(new Uint8Array(await answer.arrayBuffer()));
    return new Download(answer.body.getReader(), size);
  }

  constructor(reader, size) {
    this.reader = reader;
    this.bytes = new Uint8Array(size);
    this.size = size;
    this.received = 0;
  }

  // Waits for so many bytes of it; false if it ends before.
  async until(count) {
    while (this.received < count) {
      const { done, value } = await this.reader.read();
      if (done) return false;
      if (value.length > this.size - this.received) throw new GszError("end", "more bytes than told");
      this.bytes.set(value, this.received);
      this.received += value.length;
    }
    return true;
  }
}
