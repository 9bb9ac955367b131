// A file's bytes to a scene, in a worker of its own.

// Gives {scene, milliseconds}; the error's text says what is wrong with the file.
export function openInWorker(bytes) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./open_worker.js", import.meta.url), { type: "module" });
    const finish = (settle, value) => {
      worker.terminate();
      settle(value);
    };
    worker.onmessage = ({ data }) => (data.error
      ? finish(reject, new Error(data.error))
      : finish(resolve, data));
    worker.onerror = (event) => finish(reject, new Error(event.message ?? "a worker failed"));
    worker.postMessage({ bytes }, [bytes.buffer]);
  });
}
