// Decodes streams of planes for pool.js.

import { GszError, typed } from "./errors.js";
import { planesDecoder } from "./planes.js";

const decoders = new Map(); // by number of the stream

self.onmessage = ({ data: { stream, open, bytes, from, to, side, close } }) => {
  if (close !== undefined) {
    decoders.delete(close);
    return;
  }
  try {
    const decoder =
      open ? planesDecoder(open.coder, open.specs, open.count) : decoders.get(stream);
    if (open && !open.once) decoders.set(stream, decoder);
    const planes = decoder.decode(bytes, from, to, side).map((plane) => plane.slice());
    self.postMessage({ planes }, planes.map((plane) => plane.buffer));
  } catch (caught) {
    const error = typed(caught);
    self.postMessage(error instanceof GszError
      ? { error: { field: error.field, found: error.found, expected: error.expected } }
      : { failure: String(error?.message ?? error) });
  }
};
