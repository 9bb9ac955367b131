// Opens one file in a thread apart: bytes in, a scene out.

import { GszError } from "./gsz/errors.js";
import { Pool } from "./gsz/pool.js";
import { decodeGsz } from "./gsz/scene.js";
import { readPly } from "./ply.js";

const MOST_WORKERS = 4;

self.onmessage = async ({ data: { bytes } }) => {
  let pool = null;
  try {
    const started = performance.now();
    let scene;
    if (bytes[0] === 0x89) {
      pool = new Pool(Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 1));
      scene = await decodeGsz(bytes, pool.run);
    } else {
      scene = readPly(bytes);
    }
    const milliseconds = performance.now() - started;
    const arrays = [scene.means, scene.opacityLogits, scene.logScales, scene.quats, scene.sh];
    self.postMessage({ scene, milliseconds }, arrays.map((array) => array.buffer));
  } catch (error) {
    // Typed errors are the file's fault; the rest is told too, for there is nobody else to tell.
    const kind = error instanceof GszError ? "" : `${error.name}: `;
    self.postMessage({ error: `${kind}${error.message}` });
  } finally {
    pool?.close();
  }
};
