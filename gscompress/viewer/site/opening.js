// A file to a scene, in a worker of its own.

// source: {bytes} or {url}, an absolute address. Calls `onLevel` with each part of the scene, as
// open_worker.js tells it; done when all is there. The error's text says what is wrong with it.
export function openInWorker(source, onLevel) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./open_worker.js", import.meta.url), { type: "module" });
    let shown = Promise.resolve();
    const finish = (settle, value) => {
      worker.terminate();
      shown.then(() => settle(value), reject);
    };
    worker.onmessage = ({ data }) => {
      if (data.error) finish(reject, new Error(data.error));
      else if (data.done) finish(resolve);
      else shown = shown.then(() => onLevel(data));
    };
    worker.onerror = (event) => finish(reject, new Error(event.message ?? "a worker failed"));
    worker.postMessage(source, source.bytes ? [source.bytes.buffer] : []);
  });
}
