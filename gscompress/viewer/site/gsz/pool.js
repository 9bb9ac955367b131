// Planes decoded in workers, side by side: each stream in one worker, where its models learn on.

import { GszError } from "./errors.js";

export class Pool {
  constructor(size) {
    this.seats = Array.from({ length: size }, () => new Seat());
    this.opened = 0;
  }

  // As `openHere` of streams.js, but in the worker that has least to do; `once`: it will not be
  // asked for another range.
  open = (coder, specs, count, { once = false } = {}) => {
    const stream = this.opened++;
    let seat = null;
    return {
      decode: (bytes, from, to, side) => {
        const open = seat === null ? { coder, specs, count, once } : null;
        seat ??= this.seats.reduce((a, b) => (b.load < a.load ? b : a));
        return seat.ask({ stream, open, bytes, from, to, side });
      },
      close: () => seat?.worker.postMessage({ close: stream }),
    };
  };

  // For one file of several: its `open`, and `close` for when it is decoded.
  session() {
    const opened = [];
    const open = (...stream) => {
      opened.push(this.open(...stream));
      return opened.at(-1);
    };
    return { open, close: () => opened.forEach((stream) => stream.close()) };
  }

  close() {
    for (const { worker } of this.seats) worker.terminate();
  }
}

// A worker and what it has been asked for; it answers in order.
class Seat {
  constructor() {
    this.load = 0; // bytes to be decoded
    this.asked = [];
    this.worker = new Worker(new URL("./planes_worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#settle(data);
    this.worker.onerror = (event) => {
      while (this.asked.length > 0) this.#settle({ failure: event.message ?? "a worker failed" });
    };
  }

  ask(job) {
    this.load += job.bytes.length;
    return new Promise((resolve, reject) => {
      this.asked.push({ resolve, reject, load: job.bytes.length });
      this.worker.postMessage(job);
    });
  }

  #settle({ planes, error, failure }) {
    const { resolve, reject, load } = this.asked.shift();
    this.load -= load;
    if (planes) resolve(planes);
    else reject(error ? new GszError(error.field, error.found, error.expected) : new Error(failure));
  }
}
