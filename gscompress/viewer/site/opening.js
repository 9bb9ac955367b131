// A file to a scene, in a worker of its own.

// source: {bytes} or {url}. Calls `onLevel` with each part of the scene, as open_worker.js tells it;
// done when all is there. The error's text says what is wrong with the file.
export async function openInWorker(source, onLevel) {
  const feeder = source.url ? await Feeder.fetching(source.url) : new Feeder(source.bytes.length);
  const worker = new Worker(new URL("./open_worker.js", import.meta.url), { type: "module" });
  const opened = new Promise((resolve, reject) => {
    let shown = Promise.resolve();
    worker.onmessage = ({ data }) => {
      if (data.error) reject(new Error(data.error));
      else if (data.done) shown.then(resolve, reject);
      else shown = shown.then(() => onLevel(data));
    };
    worker.onerror = (event) => reject(new Error(event.message ?? "a worker failed"));
  });
  try {
    const feeding = feeder.feed(worker, source.bytes);
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
    const answer = await fetch(url);
    if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
    const size = Number(answer.headers.get("Content-Length"));
    const encoded = answer.headers.get("Content-Encoding"); // then the length is of other bytes
    if (size > 0 && !encoded) return new Feeder(size, answer.body.getReader());
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return new Feeder(bytes.length, new Response(bytes).body.getReader());
  }

  constructor(size, reader = null) {
    this.size = size;
    this.reader = reader;
  }

  async feed(worker, bytes) {
    worker.postMessage({ size: this.size });
    if (bytes) worker.postMessage({ chunk: bytes }, [bytes.buffer]);
    while (this.reader) {
      const { done, value } = await this.reader.read();
      if (done) break;
      worker.postMessage({ chunk: value }, [value.buffer]);
    }
    worker.postMessage({ end: true });
  }

  cancel() {
    this.reader?.cancel().catch(() => {});
  }
}
