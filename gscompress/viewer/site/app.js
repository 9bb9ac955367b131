// The page: what is shown, from where, and the keys.

import { Controls } from "./controls.js";
import { Divider } from "./divider.js";
import { openDropped } from "./dropping.js";
import { openInWorker } from "./opening.js";
import { Stage } from "./stage.js";
import { showStatistics } from "./statistics.js";

const $ = (id) => document.getElementById(id);
const SIDES = 2; // the reference on the left, what is compared with it on the right

const GIVEN_UP = new Error("another file was opened in its place");

const KEYS = [ // the key, what it does, how, other keys for it
  ["[", "previous camera", () => chooseCamera(state.camera - 1), "PageUp"],
  ["]", "next camera", () => chooseCamera(state.camera + 1), "PageDown"],
  ["s", "split on or off", () => divider.toggle()],
  ["x", "exchange the sides", () => exchange()],
  ["ArrowLeft", "move the split to the left", () => divider.nudge(-1)],
  ["ArrowRight", "move the split to the right", () => divider.nudge(1)],
  ["b", "background black, grey or white", () => stage.nextBackground()],
  ["r", "back to the chosen camera", () => chooseCamera(state.camera)],
  ["h", "hide or show all but the scene", () => document.body.classList.toggle("plain")],
  ["f", "full screen", () => toggleFullScreen()],
  ["?", "these keys", () => toggleHelp()],
];
const KEY_NAMES = {
  " ": "space", ArrowLeft: "\u2190", ArrowRight: "\u2192", PageUp: "PgUp", PageDown: "PgDn",
};

$("unstarted").remove();
const state = { sides: [], arriving: [null, null], cameras: [], camera: 0, convert: "" };
const stage = makeStage();
const controls = new Controls($("canvas"), stage);
const divider = new Divider($("divider"), stage);

// Tests and curious people look here.
window.viewer = {
  stage, state, chooseCamera, moveSplit: (share) => divider.move(share), player: null,
};
window.viewer.ready = start();

function makeStage() {
  try {
    return new Stage($("canvas"), { onFrame: showStats });
  } catch (error) {
    tell(error.message);
    throw error;
  }
}

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

// Show a file on a side, level by level as they arrive; source: as openInWorker takes it. What is
// still arriving for that side is given up.
async function open(side, { name, bytes }, source) {
  const begun = performance.now();
  const facts = { name, bytes, count: 0, milliseconds: 0, firstFrame: 0 };
  const arriving = { name, received: 0, size: bytes, given: new AbortController() };
  state.arriving[side]?.given.abort(GIVEN_UP);
  state.arriving[side] = arriving;
  try {
    await openInWorker(source, {
      signal: arriving.given.signal,
      onBytes: (received, size) => {
        Object.assign(arriving, { received, size });
        showStats();
      },
      onLevel: (part) => showLevel(arriving, part, facts, begun),
    });
    facts.complete = performance.now() - begun;
  } catch (error) {
    if (error !== GIVEN_UP) tellAlso(`${name}: ${error.message}`);
  } finally {
    const place = state.arriving.indexOf(arriving);
    if (place >= 0) state.arriving[place] = null;
    showStats();
  }
}

async function showLevel(arriving, part, facts, begun) {
  const fresh = part.level === 0;
  facts.count = part.from + part.scene.count;
  facts.milliseconds = part.milliseconds;
  facts.shDegree = part.scene.shDegree;
  facts.level = part.levels > 1 ? `, level ${part.level + 1} of ${part.levels}` : "";
  await stage.addLevel(state.arriving.indexOf(arriving), part);
  const side = state.arriving.indexOf(arriving); // -1: another file has been opened there
  if (fresh && side >= 0) {
    state.sides[side] = facts;
    facts.firstFrame = performance.now() - begun;
    $("drop").hidden = true;
    if (state.cameras.length === 0) stage.lookAround();
    divider.move(stage.split);
  }
  showStats();
}

// Where a scene goes that was dropped: beside the one that is there; of two each gets a side.
function sideOf(number, count) {
  if (count > 1) return number;
  return stage.sceneCount() === 0 && !state.arriving[0] ? 0 : SIDES - 1;
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

function exchange() {
  if (stage.sceneCount() < SIDES) return;
  state.sides.reverse();
  state.arriving.reverse();
  stage.exchange();
  showStats();
}

function toggleFullScreen() {
  return document.fullscreenElement
    ? document.exitFullscreen()
    : document.documentElement.requestFullscreen();
}

function tellAlso(text) {
  tell([$("message").textContent, text].filter(Boolean).join("\n"));
}

function tell(text) {
  $("message").textContent = text;
  $("message").hidden = text === "";
}

function showStats() {
  const { sides, arriving } = state;
  showStatistics($("stats"), { sides, arriving, fps: stage.framesPerSecond() });
}

function toggleHelp() {
  if ($("help").open) $("help").close();
  else $("help").showModal();
}

function listKeys() {
  $("keys").replaceChildren(...KEYS.map(([key, what, , ...others]) => {
    const row = document.createElement("tr");
    const cell = row.insertCell();
    for (const name of [key, ...others]) {
      const textContent = KEY_NAMES[name] ?? name;
      cell.append(Object.assign(document.createElement("kbd"), { textContent }), " ");
    }
    row.insertCell().textContent = what;
    return row;
  }));
}

function onKey(event) {
  const { target } = event;
  // AltGr, which some keyboards need for brackets, counts as Ctrl and Alt.
  const command = event.metaKey || (event.ctrlKey && !event.getModifierState("AltGraph"));
  if (target.matches?.("select, input") || command) return;
  if (event.key === " " && target.matches?.("button")) return; // that presses it
  const found = KEYS.find(([key, , , ...others]) => [key, ...others].includes(event.key));
  if (!found || ($("help").open && event.key !== "?")) return;
  event.preventDefault();
  found[2]();
}

function listen() {
  listKeys();
  addEventListener("keydown", onKey);
  $("previous").onclick = () => chooseCamera(state.camera - 1);
  $("next").onclick = () => chooseCamera(state.camera + 1);
  $("camera").onchange = () => {
    chooseCamera(Number($("camera").value));
    if (!$("camera").matches(":focus-visible")) $("camera").blur(); // so that keys work again
  };
  $("help-button").onclick = toggleHelp;
  divider.listen();
  controls.listen();
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
    const files = [...event.dataTransfer.files];
    const tools = { state, open, setCameras, tell: tellAlso, sideOf };
    tell("");
    window.viewer.dropped = openDropped(files, tools);
  });
  $("canvas").addEventListener("webglcontextlost", () =>
    tell("The graphics card has given this page up: reload it."));
}
