// Plays a clip on the stage: the clock, and what has been decoded for it ahead of time.

import { Download } from "../download.js";
import { readManifest } from "../stream/manifest.js";
import { Mirror } from "./mirror.js";

const MOST_ERRORS = 100; // that are kept

export class Player {
  // onChange: called when something is to be told anew; onError: with a text, "" when that is over.
  constructor(stage, { onChange, onError }) {
    Object.assign(this, { onChange, onError });
    this.stage = stage;
    this.mirror = new Mirror(stage);
    this.manifest = null;
    this.worker = null;
    this.playing = false;
    this.loops = true;
    this.shown = null; // {number, place, bytes, milliseconds, gaussians}: the frame on the stage
    this.ahead = []; // frames that are decoded, or lost
    this.ended = false; // nothing comes after those
    this.wanted = false; // whether the next frame is to be shown as soon as it is there
    this.starved = false; // whether the clock stands still until there is one
    this.serial = 0;
    this.clock = { place: 0, time: 0 };
    this.drawn = 0; // frames that were shown
    this.errors = [];
    this.busy = false;
    this.waiting = []; // who waits for what was sought
    this.idle = Promise.resolve(); // when nothing is being shown any more
    this.network = { retries: 0, resumed: 0 }; // of the segments' downloads
  }

  get frames() {
    return this.manifest.frames;
  }

  // The number of the frame on the stage.
  get number() {
    return this.shown?.number ?? 0;
  }

  // Fetch the manifest of a clip, and show its first frame. Throws what is wrong.
  async open(url) {
    this.manifest = readManifest(await new Download(url).bytes());
    if (this.frames === 0) throw new Error("The clip has no frames yet.");
    this.worker = new Worker(new URL("./clip_worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#receive(data);
    this.worker.onerror = (event) => this.#fail(event.message ?? "a worker failed");
    this.worker.postMessage({ manifest: this.manifest, base: url, loops: this.loops });
    await this.seek(0);
  }

  // Show a frame, done when it or, if that is damaged, the next key frame is drawn.
  seek(number) {
    const frame = Math.max(0, Math.min(number, this.frames - 1));
    this.ahead = [];
    this.ended = false;
    this.onError("");
    this.worker.postMessage({ seek: frame, serial: ++this.serial });
    return this.#settle();
  }

  // Until the frame `number` is what is on the screen, all of it, and nothing else is on its way;
  // while it plays, until it does no longer. Gives its number.
  async settled() {
    do {
      await this.idle;
      await this.stage.settled();
    } while (this.busy || this.wanted || this.playing);
    return this.number;
  }

  // Show the frame so many further.
  step(count) {
    this.pause();
    return count === 1 && this.ahead.length > 0 ? this.#settle() : this.seek(this.number + count);
  }

  async play() {
    if (this.playing) return;
    this.playing = true;
    this.onChange();
    if (this.ended && this.ahead.length === 0) await this.seek(0);
    this.#setClock();
    this.#run();
  }

  pause() {
    this.playing = false;
    this.onChange();
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  setLoops(loops) {
    this.loops = loops;
    this.worker.postMessage({ loops });
    this.#cutRounds();
    this.onChange();
  }

  // Without loops: away with what was decoded of the next round.
  #cutRounds() {
    if (this.loops || !this.shown) return;
    const round = ({ place, number }) => place - number;
    const later = this.ahead.findIndex((frame) => round(frame) > round(this.shown));
    if (later < 0) return;
    this.ahead.length = later;
    this.ended = true;
    this.worker.postMessage({ stop: ++this.serial });
  }

  #settle() {
    const settled = new Promise((resolve) => { this.waiting.push(resolve); });
    this.wanted = true;
    this.#run();
    return settled;
  }

  #receive(message) {
    if (message.manifest) this.#grow(message.manifest);
    else if (message.network) this.#count(message.network);
    else if (message.serial !== this.serial) return;
    else if (message.failure) this.#fail(message.failure);
    else if (message.ended) this.ended = true;
    else this.ahead.push({ number: message.lost, ...message });
    this.#cutRounds();
    this.#run();
  }

  #grow(manifest) {
    this.manifest = manifest;
    this.onChange();
  }

  #count(network) {
    this.network = network;
    this.onChange();
  }

  #lose({ lost, error }) {
    this.errors = [...this.errors.slice(1 - MOST_ERRORS), { frame: lost, error }];
    this.onError(`frame ${lost}: ${error}`);
  }

  #fail(text) {
    this.ended = true;
    this.onError(text);
    this.#run();
  }

  #setClock(place = this.shown?.place ?? 0) {
    this.clock = { place, time: performance.now() };
  }

  // The place of the frame that the clock wants to be shown.
  #due() {
    const seconds = (performance.now() - this.clock.time) / 1000;
    return this.clock.place + Math.floor(seconds * this.manifest.fps);
  }

  // Show frames as they are due; one such loop at a time.
  #run() {
    if (!this.busy) this.idle = this.#showAll();
  }

  async #showAll() {
    this.busy = true;
    try {
      while ((this.wanted || this.playing) && (await this.#advance()));
    } catch (error) { // of the graphics card
      this.pause();
      this.onError(error.message);
    } finally {
      this.busy = false;
    }
  }

  // False: it goes on when something has come.
  async #advance() {
    if (this.wanted) return this.#showWanted();
    if (this.ahead.length > 0) {
      await this.#showDue();
      return true;
    }
    if (this.ended) this.pause();
    else this.starved = true;
    return false;
  }

  async #showWanted() {
    while (this.ahead[0]?.error) this.#lose(this.ahead.shift());
    if (this.ahead.length === 0 && !this.ended) return false;
    const waiting = this.waiting.splice(0);
    this.wanted = false;
    if (this.ahead.length > 0) await this.#show([this.ahead.shift()]);
    this.#setClock();
    for (const resolve of waiting) resolve();
    return true;
  }

  async #showDue() {
    if (this.starved) this.#setClock(this.ahead[0].place);
    this.starved = false;
    const due = this.#due();
    const later = this.ahead.findIndex(({ place }) => place > due);
    if (later === 0) await new Promise(requestAnimationFrame);
    else await this.#show(this.ahead.splice(0, later < 0 ? this.ahead.length : later));
  }

  // Take frames, and draw the last of them.
  async #show(frames) {
    const taken = [];
    for (const frame of frames) {
      if (frame.error) this.#lose(frame);
      else taken.push(frame);
    }
    if (taken.length === 0) return;
    for (const { size } of taken) this.worker.postMessage({ taken: size });
    await this.stage.redraw(() => this.mirror.take(taken));
    const { scene, part, slots, ...facts } = taken.at(-1);
    this.shown = facts;
    ++this.drawn;
    this.onChange();
    await this.stage.renderer.finished(); // or a slow card would fall behind more and more
  }
}
