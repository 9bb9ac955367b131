// The page: what is shown, from where, and the keys.

import { Controls } from "./controls.js";
import { openInWorker } from "./opening.js";
import { readInriaCameras } from "./render/camera.js";
import { Stage } from "./stage.js";

const $ = (id) => document.getElementById(id);
const SIDES = 2; // the reference on the left, what is compared with it on the right

const KEYS = [
  ["[", "previous camera", () => chooseCamera(state.camera - 1)],
  ["]", "next camera", () => chooseCamera(state.camera + 1)],
  ["s", "split on or off", () => toggleSplit()],
  ["x", "exchange the sides", () => exchange()],
  ["ArrowLeft", "move the split to the left", () => moveSplit(stage.split - 0.02)],
  ["ArrowRight", "move the split to the right", () => moveSplit(stage.split + 0.02)],
  ["b", "background black, grey or white", () => stage.nextBackground()],
  ["r", "back to the chosen camera", () => chooseCamera(state.camera)],
  ["h", "hide or show all but the scene", () => document.body.classList.toggle("plain")],
  ["f", "full screen", () => toggleFullScreen()],
  ["?", "these keys", () => $("help").showModal()],
];

const state = { sides: [], cameras: [], camera: 0, convert: "" };
const stage = new Stage($("canvas"), { onFrame: showStats });
const controls = new Controls($("canvas"), stage);

// Tests and curious people look here.
window.viewer = { stage, state, chooseCamera, moveSplit, player: null };
window.viewer.ready = start();

async function start() {
  listen();
  const answer = await fetch("scene.json").catch(() => null);
  const manifest = answer?.ok ? await answer.json() : { files: [], cameras: [] };
  state.convert = manifest.convert ?? "";
  setCameras(manifest.cameras);
  $("drop").hidden = manifest.files.length > 0 || manifest.clip !== undefined;
  if (manifest.clip) await openClip(manifest.clip);
  for (const [side, file] of manifest.files.slice(0, SIDES).entries()) {
    await open(side, file, { url: new URL(file.url, location.href).href });
  }
}

// Show a clip {name, url}, which plays.
async function openClip({ name, url }) {
  const { Bar } = await import("./player/bar.js");
  const where = new URL(url, location.href).href;
  const bar = new Bar(stage, { name, url: where }, { onChange: showStats, tell });
  window.viewer.player = bar.player;
  try {
    await bar.open();
    KEYS.unshift(...bar.keys);
    listKeys();
    state.sides[0] = { name, lines: () => bar.lines() };
    if (state.cameras.length === 0) await stage.lookAround();
    showStats();
  } catch (error) {
    tell(`${name}: ${error.message}`);
  }
}

// Show a file on a side, level by level as they arrive; source: as openInWorker takes it.
async function open(side, { name, bytes }, source) {
  tell("");
  const begun = performance.now();
  const facts = { name, bytes, count: 0, milliseconds: 0, firstFrame: 0 };
  try {
    await openInWorker(source, async (part) => {
      const fresh = part.level === 0;
      facts.count = part.from + part.scene.count;
      facts.milliseconds = part.milliseconds;
      facts.shDegree = part.scene.shDegree;
      facts.level = part.levels > 1 ? `, level ${part.level + 1} of ${part.levels}` : "";
      await stage.addLevel(side, part);
      if (fresh) {
        state.sides[side] = facts;
        facts.firstFrame = performance.now() - begun;
        $("drop").hidden = true;
        if (state.cameras.length === 0) stage.lookAround();
        moveSplit(stage.split);
      }
      showStats();
    });
    facts.complete = performance.now() - begun;
  } catch (error) {
    tell(`${name}: ${error.message}`);
  }
}

async function openDropped(files) {
  for (const file of files) {
    const data = new Uint8Array(await file.arrayBuffer());
    if (file.name.endsWith(".json")) {
      useDroppedCameras(file.name, data);
      continue;
    }
    const side = stage.sceneCount() === 0 ? 0 : SIDES - 1;
    const ours = /\.(gsz|ply)$/i.test(file.name) && !/\.compressed\.ply$/i.test(file.name);
    const bytes = data.length;
    try {
      const readable = ours || !state.convert ? data : await convert(file.name, data);
      await open(side, { name: file.name, bytes }, { bytes: readable });
    } catch (error) {
      tell(`${file.name}: ${error.message}`);
    }
  }
}

// Other formats are read by the server, where there is one.
async function convert(name, data) {
  const url = `${state.convert}?name=${encodeURIComponent(name)}`;
  const answer = await fetch(url, { method: "POST", body: data });
  if (!answer.ok) throw new Error(await answer.text());
  return new Uint8Array(await answer.arrayBuffer());
}

function useDroppedCameras(name, data) {
  try {
    setCameras(readInriaCameras(JSON.parse(new TextDecoder().decode(data))));
  } catch (error) {
    tell(`${name}: no cameras.json as the INRIA trainer writes it (${error.message})`);
  }
}

function setCameras(cameras) {
  state.cameras = cameras;
  $("cameras").hidden = cameras.length === 0;
  $("camera").replaceChildren(...cameras.map(({ name }, k) => new Option(name, k)));
  if (cameras.length > 0) chooseCamera(0);
}

function chooseCamera(number) {
  const count = state.cameras.length;
  if (count === 0) return stage.reset();
  state.camera = ((number % count) + count) % count;
  $("camera").value = state.camera;
  return stage.setCamera(state.cameras[state.camera]);
}

function moveSplit(share) {
  stage.setSplit(share);
  const divider = $("divider");
  divider.hidden = stage.sceneCount() < SIDES || !stage.splitOn;
  divider.style.left = `${100 * stage.split}%`;
  divider.setAttribute("aria-valuenow", Math.round(100 * stage.split));
}

function toggleSplit() {
  stage.splitOn = !stage.splitOn;
  moveSplit(stage.split);
}

function exchange() {
  state.sides.reverse();
  stage.exchange();
  showStats();
}

function toggleFullScreen() {
  return document.fullscreenElement
    ? document.exitFullscreen()
    : document.documentElement.requestFullscreen();
}

function tell(text) {
  $("message").textContent = text;
  $("message").hidden = text === "";
}

function showStats() {
  const fps = stage.framesPerSecond();
  $("stats").replaceChildren(...state.sides.filter(Boolean).map((side, k) => {
    const box = document.createElement("div");
    const lines = side.lines?.() ?? [
      `${side.bytes.toLocaleString("en")} bytes`,
      `${side.count.toLocaleString("en")} Gaussians, degree ${side.shDegree}`,
      `decoded in ${side.milliseconds.toFixed(0)} ms${side.level}`,
      ...(k === 0 && fps > 0 ? [`${fps.toFixed(0)} frames per second`] : []),
    ];
    box.append(Object.assign(document.createElement("b"), { textContent: side.name }));
    for (const text of lines) {
      box.append(Object.assign(document.createElement("span"), { textContent: text }));
    }
    return box;
  }));
}

function listKeys() {
  $("keys").replaceChildren(...KEYS.map(([key, what]) => {
    const row = document.createElement("tr");
    const cell = row.insertCell();
    const textContent = key === " " ? "space" : key;
    cell.append(Object.assign(document.createElement("kbd"), { textContent }));
    row.insertCell().textContent = what;
    return row;
  }));
}

function listen() {
  listKeys();
  addEventListener("keydown", (event) => {
    const { target } = event;
    if (target.matches?.("select, input") || event.ctrlKey || event.metaKey) return;
    if (event.key === " " && target.matches?.("button")) return; // that presses it
    const found = KEYS.find(([key]) => key === event.key);
    if (found && !$("help").open) {
      event.preventDefault();
      found[2]();
    }
  });
  $("previous").onclick = () => chooseCamera(state.camera - 1);
  $("next").onclick = () => chooseCamera(state.camera + 1);
  $("camera").onchange = () => chooseCamera(Number($("camera").value));
  $("help-button").onclick = () => $("help").showModal();
  const divider = $("divider");
  divider.onpointerdown = (event) => divider.setPointerCapture(event.pointerId);
  divider.onpointermove = (event) => {
    if (divider.hasPointerCapture(event.pointerId)) moveSplit(event.clientX / innerWidth);
  };
  addEventListener("resize", () => stage.redraw());
  addEventListener("dragover", (event) => {
    event.preventDefault();
    $("drop").hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) $("drop").hidden = stage.sceneCount() > 0;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").hidden = stage.sceneCount() > 0;
    window.viewer.dropped = openDropped([...event.dataTransfer.files]);
  });
  controls.listen();
}
