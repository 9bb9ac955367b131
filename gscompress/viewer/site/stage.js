// What is on the canvas: one or two scenes, the camera, the split; draws when something changes.

import { Pose, cameraFor, dot, length, minus, plus, times } from "./render/camera.js";
import { Renderer } from "./render/renderer.js";

const BACKGROUNDS = [[0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 1]];
const DEFAULT_LENS = { width: 1280, height: 720, fx: 900, fy: 900, cx: 640, cy: 360 };
const SURROUNDED = 2.5; // times the median distance: what reaches farther is surroundings
const FRAMES = 20; // of which the mean time is told

export class Stage {
  constructor(canvas, { onFrame }) {
    this.canvas = canvas;
    this.onFrame = onFrame;
    this.renderer = new Renderer(canvas);
    this.shows = []; // by side: {card, sorter}
    this.split = 0.5; // share of the width that the left side gets
    this.splitOn = true;
    this.background = 0;
    this.lens = DEFAULT_LENS;
    this.pose = Pose.lookAt([0, 0, -4], [0, 0, 0], [0, -1, 0]);
    this.up = [0, -1, 0];
    this.target = [0, 0, 0];
    this.home = () => {};
    this.times = [];
    this.serial = 0;
    this.pending = null;
    this.waiting = [];
  }

  // Whether two scenes share the canvas.
  isSplit() {
    return this.sceneCount() === 2 && this.splitOn;
  }

  sceneCount() {
    return this.shows.filter(Boolean).length;
  }

  // Show a scene's next level on a side, done when it is drawn; with level 0 another scene begins.
  async addLevel(side, { scene, level, total, from }) {
    if (level === 0) {
      const old = this.shows[side];
      const card = this.renderer.makeRoom({ ...scene, count: total });
      this.shows[side] = { card, sorter: new Sorter(total, card) };
      old?.card.free();
      old?.sorter.close();
      this.centre = centreOf(scene);
      this.#aim();
    }
    const { card, sorter } = this.shows[side];
    card.put(scene, from);
    sorter.add(scene.means);
    await this.redraw();
  }

  // Show a scene of which the Gaussians change later, in place of `old`; room: for how many. Gives
  // where they are put; `redraw` shows them.
  addMoving(scene, room, old = null) {
    const side = Math.max(0, this.shows.indexOf(old));
    const card = this.renderer.makeRoom({ ...scene, count: room });
    const sorter = new Sorter(room, card);
    this.shows[side] = { card, sorter };
    old?.card.free();
    old?.sorter.close();
    this.centre = centreOf(scene);
    if (!old) this.#aim();
    return this.shows[side];
  }

  // Look through a camera {width, height, fx, fy, cx, cy, viewmat}.
  setCamera(camera) {
    this.home = () => {
      this.lens = camera;
      this.pose = Pose.fromViewmat(camera.viewmat);
      this.up = times(this.pose.axes[1], -1);
      this.#aim();
    };
    return this.reset();
  }

  // Without cameras: from a distance, at the middle.
  lookAround() {
    this.home = () => {
      const { middle, reach } = this.centre;
      this.lens = DEFAULT_LENS;
      this.up = [0, -1, 0];
      this.pose = Pose.lookAt(plus(middle, times([0.5, -0.4, -1], 2.5 * reach)), middle, this.up);
      this.target = middle;
    };
    return this.reset();
  }

  reset() {
    this.home();
    return this.redraw();
  }

  turn(yaw, pitch) {
    this.pose = this.pose.turned(this.target, times(this.up, -1), -yaw, -pitch);
    this.redraw();
  }

  pan(dx, dy) {
    const scale = this.#distance() / (this.lens.fx * this.#fit());
    this.#shift(this.pose.moved(-dx * scale, -dy * scale, 0));
  }

  // Nearer for negative `folds`.
  zoom(folds) {
    this.pose = this.pose.moved(0, 0, this.#distance() * (1 - Math.exp(folds)));
    this.redraw();
  }

  setSplit(share) {
    this.split = Math.max(0, Math.min(1, share));
    this.redraw();
  }

  exchange() {
    this.shows.reverse();
    this.redraw();
  }

  nextBackground() {
    this.background = (this.background + 1) % BACKGROUNDS.length;
    this.redraw();
  }

  framesPerSecond() {
    const total = this.times.reduce((sum, time) => sum + time, 0);
    return total > 0 ? (1000 * this.times.length) / total : 0;
  }

  // Sort for the camera of now and draw; resolves once that, or something later, is drawn. change:
  // what is to be done to a scene before; never between the sorting and the drawing of another
  // redraw, which would show the new Gaussians in the order of the old ones.
  redraw(change = () => {}) {
    ++this.serial;
    const drawn = new Promise((resolve, reject) => {
      this.waiting.push({ change, resolve, reject });
    });
    this.pending ??= this.#loop();
    return drawn;
  }

  // Until what is on the screen is what there is to be drawn, all of it: sorted, drawn, done by the
  // graphics card, and part of the page.
  async settled() {
    for (let serial = -1; serial !== this.serial; ) {
      ({ serial } = this);
      await this.pending;
      await this.renderer.finished();
      // The picture of the canvas is taken over when the first of these is over.
      for (let k = 0; k < 2; ++k) await new Promise(requestAnimationFrame);
    }
  }

  // While there are changes: one frame after the other, each sorted for its own camera.
  async #loop() {
    for (let done = -1; done !== this.serial; ) {
      done = this.serial;
      const begun = performance.now();
      const waiting = this.waiting.splice(0).filter(makeChange);
      const scale = window.devicePixelRatio || 1;
      const width = Math.max(1, Math.round(this.canvas.clientWidth * scale));
      const height = Math.max(1, Math.round(this.canvas.clientHeight * scale));
      const camera = cameraFor(this.pose, this.lens, width, height);
      await Promise.all(this.shows.filter(Boolean).map(({ sorter }) => sorter.sort(camera)));
      await new Promise(requestAnimationFrame);
      this.canvas.width = width;
      this.canvas.height = height;
      this.renderer.draw(this.#parts(), camera, BACKGROUNDS[this.background]);
      this.times.push(performance.now() - begun);
      if (this.times.length > FRAMES) this.times.shift();
      this.onFrame();
      for (const { resolve } of waiting) resolve();
    }
    this.pending = null;
  }

  #parts() {
    const [left, right] = this.shows;
    if (!this.isSplit()) {
      const card = (left ?? right)?.card;
      return card ? [{ card, left: 0, right: 1 }] : [];
    }
    return [
      { card: left.card, left: 0, right: this.split },
      { card: right.card, left: this.split, right: 1 },
    ];
  }

  // Turn around what the camera looks at: the point of its axis nearest to the scene's middle.
  #aim() {
    const { position, axes: [, , forward] } = this.pose;
    const { middle, radius } = this.centre ?? { middle: [0, 0, 0], radius: 1 };
    const along = Math.max(dot(minus(middle, position), forward), 0.2 * radius);
    this.target = plus(position, times(forward, along));
  }

  #shift(pose) {
    this.target = plus(this.target, minus(pose.position, this.pose.position));
    this.pose = pose;
    this.redraw();
  }

  #distance() {
    return Math.max(length(minus(this.target, this.pose.position)), 1e-6);
  }

  #fit() {
    return Math.min(
      this.canvas.clientWidth / this.lens.width, this.canvas.clientHeight / this.lens.height);
  }
}

function makeChange({ change, reject }) {
  try {
    change();
    return true;
  } catch (error) { // of the graphics card
    reject(error);
    return false;
  }
}

// Sorts one scene's splats in a worker.
class Sorter {
  constructor(total, card) {
    this.total = total;
    this.card = card;
    this.resolve = () => {};
    this.worker = new Worker(new URL("./render/sort_worker.js", import.meta.url));
    this.worker.onmessage = ({ data }) => {
      this.card.setOrder(data.order);
      this.resolve();
    };
    this.worker.postMessage({ total });
    this.key = "";
  }

  add(means) {
    this.worker.postMessage({ means });
    this.key = ""; // what was sorted is not all
  }

  // Gaussians that are where others were.
  move(slots, means) {
    this.worker.postMessage({ slots, means });
    this.key = "";
  }

  sort({ rotation, translation }) {
    const key = [...rotation[2], translation[2]].join();
    if (key === this.key) return Promise.resolve();
    this.key = key;
    return new Promise((resolve) => {
      this.resolve = resolve;
      this.worker.postMessage({ row: rotation[2], offset: translation[2] });
    });
  }

  // All Gaussians anew.
  replace(means) {
    this.worker.postMessage({ total: this.total });
    this.add(means);
  }

  close() {
    this.worker.onmessage = null;
    this.worker.terminate();
    this.resolve();
  }
}

// Median of (a sample of) the positions, the median distance to it, and how far what one wants to
// see reaches: all of a single thing, the inner half where there are surroundings.
function centreOf({ means, count }) {
  const stride = 3 * Math.max(1, Math.floor(count / 4096));
  const middleOf = (values) => (values.length ? values.sort()[values.length >> 1] : 0);
  const column = (axis) => means.filter((_, k) => k % stride === axis);
  const middle = [0, 1, 2].map((axis) => middleOf(column(axis)));
  const distances = new Float32Array(Math.ceil(means.length / stride));
  for (let k = 0, at = 0; at < means.length; ++k, at += stride) {
    distances[k] = length(minus([means[at], means[at + 1], means[at + 2]], middle));
  }
  const radius = middleOf(distances) || 1; // sorts them
  const most = distances[Math.floor(0.98 * distances.length)] ?? 0;
  return { middle, radius, reach: most < SURROUNDED * radius ? Math.max(most, radius) : radius };
}

