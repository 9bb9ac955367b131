// The bar to play a clip with, its keys, and what is told of the frame on the stage.

import { Player } from "./player.js";

const $ = (id) => document.getElementById(id);

export class Bar {
  // onChange: called when the statistics are others; tell: shows a text, or with "" none.
  constructor(stage, { name, url }, { onChange, tell }) {
    this.name = name;
    this.url = url;
    this.player = new Player(stage, {
      onChange: () => {
        this.#update();
        onChange();
      },
      onError: (text) => tell(text && `${name}: ${text}`),
    });
    this.keys = [
      [" ", "play or pause", () => this.player.toggle()],
      [",", "the frame before", () => this.player.step(-1)],
      [".", "the next frame", () => this.player.step(1)],
      ["l", "begin anew at the end, or stop there", () => this.player.setLoops(!this.player.loops)],
    ];
  }

  // Show the first frame. Throws an Error that says what is wrong with the clip.
  async open() {
    const { player } = this;
    await player.open(this.url);
    $("player").hidden = false;
    $("play").onclick = () => player.toggle();
    $("loop").onchange = () => player.setLoops($("loop").checked);
    $("seek").oninput = () => player.seek($("seek").valueAsNumber);
    this.#update();
  }

  // Of the frame on the stage.
  lines() {
    const { manifest, shown, ahead, network } = this.player;
    if (!shown) return [];
    return [
      `frame ${shown.number + 1} of ${manifest.frames}, ${manifest.fps} per second`,
      `${Math.round(shown.bytes).toLocaleString("en")} bytes of ` +
        `${manifest.bytes.toLocaleString("en")}`,
      `${shown.gaussians.toLocaleString("en")} Gaussians, degree ${manifest.sh_degree}`,
      `decoded in ${shown.milliseconds.toFixed(0)} ms, ${ahead.length} frames ahead`,
      ...(network.retries > 0
        ? [`${network.retries} downloads broke, ${network.resumed} went on where they were`] : []),
    ];
  }

  #update() {
    const { player } = this;
    $("play").textContent = player.playing ? "\u25ae\u25ae" : "\u25b6";
    $("loop").checked = player.loops;
    $("seek").max = player.frames - 1;
    if (document.activeElement !== $("seek") || player.playing) $("seek").value = player.number;
    const seconds = (frame) => (frame / player.manifest.fps).toFixed(1);
    $("time").value = `${seconds(player.number)} / ${seconds(player.frames)} s`;
  }
}
