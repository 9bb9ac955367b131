// Planes decoded in workers, side by side.

import { GszError } from "./errors.js";

export class Pool {
  constructor(size) {
    this.waiting = [];
    this.workers = Array.from({ length: size }, () => {
      const worker = new Worker(new URL("./planes_worker.js", import.meta.url), { type: "module" });
      const seat = { worker, task: null };
      worker.onmessage = ({ data }) => this.#finish(seat, data);
      worker.onerror = (event) => this.#finish(seat, { failure: event.message ?? "a worker died" });
      return seat;
    });
  }

  // Runs a job as `decodeHere` of scene.js does.
  run = (job) => new Promise((resolve, reject) => {
    this.waiting.push({ job, resolve, reject });
    this.#start();
  });

  close() {
    for (const { worker } of this.workers) worker.terminate();
  }

  #start() {
    for (const seat of this.workers) {
      if (this.waiting.length === 0) return;
      if (seat.task !== null) continue;
      seat.task = this.waiting.shift();
      seat.worker.postMessage(seat.task.job);
    }
  }

  #finish(seat, { planes, error, failure }) {
    const { resolve, reject } = seat.task;
    seat.task = null;
    if (planes) resolve(planes);
    else reject(error ? new GszError("stream", error.found, error.expected) : new Error(failure));
    this.#start();
  }
}
