// Decodes one stream of planes at a time, for pool.js.

import { GszError } from "./errors.js";
import { decodeHere } from "./scene.js";

self.onmessage = async ({ data: job }) => {
  try {
    const planes = await decodeHere(job);
    self.postMessage({ planes }, planes.map((plane) => plane.buffer));
  } catch (error) {
    self.postMessage(error instanceof GszError
      ? { error: { found: error.found || error.field, expected: error.expected } }
      : { failure: String(error?.message ?? error) });
  }
};
