// Files that are dropped on the page: which are scenes, which are cameras, and who reads them.

import { isGsz } from "./gsz/container.js";
import { isPlainPly, isPly } from "./ply.js";
import { readInriaCameras } from "./render/camera.js";

const OTHERS = "This page reads .gsz and .ply; 'gscompress view' shows the other formats, and " +
  "'gscompress convert' turns them into one of these.";

// Opens what was dropped, up to two scenes. state: {convert: address that turns other formats into
// PLY, or ""}; open(side, {name, bytes}, source): shows a scene; setCameras: takes cameras; tell:
// shows a text; sideOf(number, count): the side of a scene among those that were dropped together.
export async function openDropped(files, { state, open, setCameras, tell, sideOf }) {
  const scenes = [];
  for (const file of files) {
    try {
      const data = new Uint8Array(await file.arrayBuffer());
      if (/\.json$/i.test(file.name)) setCameras(camerasOf(data));
      else scenes.push({ name: file.name, data });
    } catch (error) {
      tell(`${file.name}: ${error.message}`);
    }
  }
  for (const [number, { name, data }] of scenes.slice(0, 2).entries()) {
    try {
      const bytes = await readable(name, data, state.convert);
      await open(sideOf(number, scenes.length), { name, bytes: data.length }, { bytes });
    } catch (error) {
      tell(`${name}: ${error.message}`);
    }
  }
  if (scenes.length > 2) tell(`Two scenes are shown at a time; ${scenes[2].name} is not.`);
}

// The file itself, or a PLY of what it holds.
async function readable(name, data, convert) {
  if (isGsz(data) || isPlainPly(data)) return data;
  if (!convert && isPly(data)) return data; // readPly says what is wrong with it
  if (!convert) throw new Error(OTHERS);
  const url = `${convert}?name=${encodeURIComponent(name)}`;
  const answer = await fetch(url, { method: "POST", body: data });
  if (!answer.ok) throw new Error(await answer.text());
  return new Uint8Array(await answer.arrayBuffer());
}

function camerasOf(data) {
  try {
    const cameras = readInriaCameras(JSON.parse(new TextDecoder().decode(data)));
    if (cameras.length > 0) return cameras;
  } catch { /* told below */ }
  throw new Error("no cameras.json as the INRIA trainer writes it");
}
