// Runs cases that test_decoder.py writes: JSON lines in, JSON lines out.
//
// {"file": path}: the digest of a decoded .gsz, as tests/checks.py has it, or its error.
// {"coder", "data" (base64), "count", "contexts"}: the values of a stream of symbols, or its error.
// {"key", "segments"}: the digests of a group's frames, up to an error; paths of files.
// {"play", "from", "rounds", "grown"}: what is played of the clip in a folder, as test_clip_decoder.py
// reads it; grown: the folder in which there is more of it later.
// {"download": url, "size", "patience"}: length and digest of what came, and what it took.
// {"component": group or "entropy", "table"}: whether a component of the header is accepted.
// {"peak": true}: the most memory that this process has had, in bytes, and its seconds of work.
// {"manifest" (base64)}: its number of frames, or its error. {"sha256" (base64)}: the hash.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { Download, FetchError } from "../../gscompress/viewer/site/download.js";
import { ClipReader } from "../../gscompress/viewer/site/player/reader.js";
import { GszError } from "../../gscompress/viewer/site/gsz/errors.js";
import { codecOf, coderOf, decodeGsz } from "../../gscompress/viewer/site/gsz/scene.js";
import { openHere } from "../../gscompress/viewer/site/gsz/streams.js";
import { decodeSymbols } from "../../gscompress/viewer/site/gsz/symbols.js";
import { GroupDecoder, KeyFrame } from "../../gscompress/viewer/site/stream/group.js";
import { readManifest } from "../../gscompress/viewer/site/stream/manifest.js";
import { sha256, sha256Here } from "../../gscompress/viewer/site/stream/sha256.js";
import { selected, widthsOf } from "../../gscompress/viewer/site/stream/slots.js";

function digest(scene) {
  const hash = createHash("sha256");
  for (const name of ["means", "opacityLogits", "logScales", "quats", "sh"]) {
    hash.update(new Uint8Array(scene[name].buffer));
  }
  return hash.update(scene.mode).digest("hex").slice(0, 32);
}

function decoded(base64) {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

function fileAt(path) {
  return new Uint8Array(readFileSync(path));
}

async function decodeGroup({ key, segments }) {
  const digests = [];
  try {
    const group = new GroupDecoder(new KeyFrame(await decodeGsz(fileAt(key))));
    digests.push(digest(group.scene()));
    for (const segment of segments) {
      for (const { changed } of group.advance(fileAt(segment))) {
        digests.push(digest(group.scene()));
        if (!changed.every((slot, k) => k === 0 || changed[k - 1] < slot)) throw new Error("order");
      }
    }
    return { digests };
  } catch (error) {
    if (!(error instanceof GszError)) throw error;
    return { digests, error: error.message };
  }
}

// What the page would have, frame by frame: {number, bytes, gaussians, digest} or {lost, error}.
async function play({ play: begun, from, rounds = 1, grown = null }) {
  let folder = begun;
  const fetchFile = async (url) => {
    try {
      return fileAt(`${folder}/${url}`);
    } catch (error) {
      throw new FetchError(error.code);
    }
  };
  const session = () => ({ open: openHere, close() {} });
  const manifest = readManifest(fileAt(`${folder}/manifest.json`));
  const refresh = async () => {
    folder = grown;
    return readManifest(fileAt(`${folder}/manifest.json`));
  };
  const reader = new ClipReader(manifest, { fetchFile, session, refresh });
  const told = [];
  let scene = null;
  let round = 0; // that is over
  for await (const frame of reader.frames(from, () => rounds > 1 && round < rounds)) {
    if (frame.skipped !== undefined) continue;
    round += frame.number === manifest.frames - 1 ? 1 : 0;
    if (frame.error) {
      told.push(frame);
      continue;
    }
    scene = frame.scene ?? withPart(scene, frame.slots, frame.part);
    const seen = Array.from(scene.opacityLogits.keys()).filter((k) => scene.opacityLogits[k] > -80);
    const { number, bytes, gaussians } = frame;
    told.push({ number, bytes, gaussians, whole: frame.scene !== undefined,
      digest: digest(selected(scene, seen)) });
  }
  return { told };
}

function withPart(scene, slots, part) {
  const count = Math.max(scene.count, ...slots.map((slot) => slot + 1));
  const out = { ...scene, count };
  for (const [name, width] of Object.entries(widthsOf(scene.shDegree))) {
    out[name] = new Float32Array(count * width);
    out[name].set(scene[name]);
    slots.forEach((slot, k) =>
      out[name].set(part[name].subarray(k * width, (k + 1) * width), slot * width));
  }
  return out;
}

async function download({ download: url, size = null, patience }) {
  const counts = { retries: 0, resumed: 0 };
  try {
    const bytes = await new Download(url, { size, patience, counts }).bytes();
    const digest = createHash("sha256").update(bytes).digest("hex");
    return { bytes: bytes.length, digest, ...counts };
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    return { error: error.message };
  }
}

// Linux says of maxRSS what the process that started this one had, if that was more.
function peakMemory() {
  if (process.platform !== "linux") return 1024 * process.resourceUsage().maxRSS;
  return 1024 * Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))[1]);
}

async function run(asked) {
  const { file, coder, data, count, contexts } = asked;
  if (asked.key !== undefined) return decodeGroup(asked);
  if (asked.play !== undefined) return play(asked);
  if (asked.download !== undefined) return download(asked);
  if (asked.manifest !== undefined) return { frames: readManifest(decoded(asked.manifest)).frames };
  if (asked.sha256 !== undefined) {
    const bytes = decoded(asked.sha256);
    return { native: await sha256(bytes), own: sha256Here(bytes) };
  }
  if (asked.component !== undefined) {
    const { component, table } = asked;
    if (component === "entropy") coderOf(table);
    else codecOf(component, table);
    return { accepted: true };
  }
  if (asked.peak !== undefined) {
    return { bytes: peakMemory(), seconds: process.resourceUsage().userCPUTime / 1e6 };
  }
  if (file !== undefined) {
    const bytes = new Uint8Array(readFileSync(file));
    const started = performance.now();
    const scene = await decodeGsz(bytes);
    return { digest: digest(scene), milliseconds: performance.now() - started };
  }
  const bytes = decoded(data);
  const values = decodeSymbols(coder, bytes, count, contexts ? Uint16Array.from(contexts) : null);
  return { values: Array.from(values) };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await run(JSON.parse(line));
  } catch (error) {
    answer = error instanceof GszError
      ? { error: error.message, field: error.field }
      : { defect: `${error.stack}` };
  }
  console.log(JSON.stringify(answer));
}
