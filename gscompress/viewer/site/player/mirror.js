// The Gaussians of a clip as they are now: here, on the graphics card, and where they are sorted.

import { widthsOf } from "../stream/slots.js";

const BLOCK = 512; // slots that are put on the card together
const SPARE = 1.25; // room for slots that are born later

export class Mirror {
  constructor(stage) {
    this.stage = stage;
    this.room = 0;
    this.count = 0;
    this.scene = null; // arrays with room for more than `count`
    this.place = null; // {card, sorter}
    this.stale = {}; // by attribute: blocks that are not on the card yet
  }

  // Frames one after the other, of which the last is to be drawn.
  take(frames) {
    for (const { scene, slots, part } of frames) {
      if (scene) this.#replace(scene);
      else this.#change(slots, part);
    }
    this.#flush();
  }

  // All slots of a scene.
  #replace(scene) {
    this.count = scene.count;
    if (scene.count > this.room) return this.#move(scene);
    this.#each((name, width) => {
      this.scene[name].set(scene[name]);
      this.stale[name].fill(1, 0, Math.ceil(scene.count / BLOCK));
    });
    return this.place.sorter.replace(scene.means);
  }

  // The slots that changed; those behind the last one so far are appended.
  #change(slots, part) {
    const last = slots.reduce((most, slot) => Math.max(most, slot), -1);
    if (last >= this.room) this.#move({ ...this.scene, count: this.count }, last + 1);
    this.#each((name, width) => this.#write(name, width, slots, part[name]));
    const { sorter } = this.place;
    if (last >= this.count) {
      this.count = last + 1;
      sorter.replace(this.scene.means.subarray(0, 3 * this.count));
    } else if (slots.length > 0) {
      sorter.move(slots, part.means);
    }
  }

  // Put what is stale on the card.
  #flush() {
    this.#each((name, width) => {
      const stale = this.stale[name];
      for (let block = stale.indexOf(1); block >= 0; block = stale.indexOf(1, block)) {
        let end = block;
        while (stale[end] === 1) stale[end++] = 0;
        const to = Math.min(end * BLOCK, this.count);
        const values = this.scene[name].subarray(width * block * BLOCK, width * to);
        this.place.card.putSome(name, values, block * BLOCK);
        block = end;
      }
    });
  }

  // To a place with more room.
  #move(scene, least = scene.count) {
    this.room = Math.ceil(SPARE * Math.max(least, this.count));
    const roomy = { ...scene };
    this.widths = widthsOf(scene.shDegree);
    this.#each((name, width) => {
      roomy[name] = new Float32Array(this.room * width);
      roomy[name].set(scene[name].subarray(0, scene.count * width));
      this.stale[name] = new Uint8Array(Math.ceil(this.room / BLOCK)).fill(1, 0,
        Math.ceil(scene.count / BLOCK));
    });
    this.scene = roomy;
    const means = roomy.means.subarray(0, 3 * scene.count);
    this.place = this.stage.addMoving({ ...scene, means }, this.room, this.place);
    this.place.sorter.replace(means);
  }

  #write(name, width, slots, from) {
    const to = this.scene[name];
    const stale = this.stale[name];
    for (let k = 0; k < slots.length; ++k) {
      let moved = false;
      for (let c = 0, at = slots[k] * width; c < width; ++c, ++at) {
        if (to[at] === from[k * width + c]) continue;
        to[at] = from[k * width + c];
        moved = true;
      }
      if (moved) stale[Math.floor(slots[k] / BLOCK)] = 1;
    }
  }

  #each(work) {
    for (const [name, width] of Object.entries(this.widths)) work(name, width);
  }
}
