// A file to a scene, in a worker of its own.

import { Download } from "./download.js";

// source: {bytes} or {url}. Calls `onLevel` with each part of the scene, as open_worker.js tells it,
// and `onBytes(received, size)` as they arrive; done when all is there. The error's text says what is
// wrong with the file. signal: aborts it, with the signal's reason as the error.
export async function openInWorker(source, { onLevel, onBytes, signal }) {
  const feeder = source.url ? await Feeder.fetching(source.url) : new Feeder(source.bytes.length);
  if (signal.aborted) feeder.cancel();
  signal.throwIfAborted();
  const worker = new Worker(new URL("./open_worker.js", import.meta.url), { type: "module" });
  const opened = new Promise((resolve, reject) => {
    let shown = Promise.resolve();
    worker.onmessage = ({ data }) => {
      if (data.error) reject(new Error(data.error));
      else if (data.done) shown.then(resolve, reject);
      else shown = shown.then(() => (signal.aborted ? null : onLevel(data)));
    };
    worker.onerror = (event) => reject(new Error(event.message ?? "a worker failed"));
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  try {
    const feeding = feeder.feed(worker, source.bytes, onBytes);
    await Promise.race([opened, feeding.then(() => opened)]);
    await feeding; // to its very end: a download that is broken off counts as failed
  } catch (error) {
    feeder.cancel();
    throw error;
  } finally {
    worker.terminate();
  }
}

// Hands a file's bytes to a worker, at once or as they are fetched.
class Feeder {
  static async fetching(url) {
    const download = new Download(url);
    const size = await download.open();
    if (size !== null) return new Feeder(size, download);
    const bytes = await download.bytes(); // how many there are shows at the end
    const chunks = async function* () { yield bytes; };
    return new Feeder(bytes.length, { chunks, cancel() {} });
  }

  constructor(size, download = null) {
    this.size = size;
    this.download = download;
  }

  async feed(worker, bytes, onBytes) {
    let received = 0;
    const pass = (chunk) => {
      received += chunk.length;
      worker.postMessage({ chunk }, [chunk.buffer]);
      onBytes(received, this.size);
    };
    worker.postMessage({ size: this.size });
    onBytes(0, this.size);
    if (bytes) pass(bytes);
    if (this.download) for await (const chunk of this.download.chunks()) pass(chunk);
    worker.postMessage({ end: true });
  }

  cancel() {
    this.download?.cancel();
  }
}
