// The manifest of a clip: which files hold which frames (gscompress/stream/manifest.py).

import { GszError } from "../gsz/errors.js";

const FORMAT = "gscompress clip";
const VERSION = 1;
const MAX_BYTES = 1 << 26; // of the manifest
const MAX_FRAMES = 1e6;
const MAX_SEGMENT = 2 ** 31; // bytes
const MAX_FPS = 1000;
const MAX_SH_DEGREE = 4;
const MODES = ["default", "mip", "2dgs"];
const COLOR_SPACES = ["srgb", "linear"];
const KINDS = ["key", "residual", "trajectory", "latent", "run"];
const URL = /^[A-Za-z0-9_][A-Za-z0-9_.~-]*(?:\/[A-Za-z0-9_][A-Za-z0-9_.~-]*)*$/;
const MAX_URL = 255;
const SHA256 = /^[0-9a-f]{64}$/;

const DOCUMENT = {
  format: (v) => v === FORMAT,
  version: (v) => v === VERSION,
  fps: (v) => typeof v === "number" && v > 0 && v <= MAX_FPS,
  frames: wholeUpTo(MAX_FRAMES),
  sh_degree: wholeUpTo(MAX_SH_DEGREE),
  mode: (v) => MODES.includes(v),
  color_space: (v) => COLOR_SPACES.includes(v),
  gaussians: wholeUpTo(2 ** 53 - 1),
  bytes: wholeUpTo(2 ** 53 - 1),
  groups: Array.isArray,
  complete: (v) => typeof v === "boolean",
  provenance: isTable,
};
const GROUP = {
  first: wholeUpTo(MAX_FRAMES - 1),
  frames: (v) => v > 0 && wholeUpTo(MAX_FRAMES)(v),
  segments: (v) => Array.isArray(v) && v.length > 0,
};
const SEGMENT = {
  url: (v) => typeof v === "string" && v.length <= MAX_URL && URL.test(v),
  kind: (v) => KINDS.includes(v),
  first: wholeUpTo(MAX_FRAMES - 1),
  frames: (v) => v > 0 && wholeUpTo(MAX_FRAMES)(v),
  bytes: (v) => v > 0 && wholeUpTo(MAX_SEGMENT)(v),
  sha256: (v) => typeof v === "string" && SHA256.test(v),
};

// The manifest in some bytes, as it is written. Throws GszError, which names the field.
export function readManifest(bytes) {
  if (bytes.length > MAX_BYTES) throw new GszError("length", bytes.length, `${MAX_BYTES} at most`);
  let manifest;
  try {
    manifest = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new GszError("", error.message, "the JSON of a clip");
  }
  if (isTable(manifest) && manifest.format === FORMAT && manifest.version > VERSION) {
    throw new GszError("version", manifest.version, `${VERSION} at most; reload the page`);
  }
  manifest = { provenance: {}, ...manifest };
  checkFields(manifest, DOCUMENT, "");
  const sums = { frames: 0, bytes: 0 };
  const seen = new Set(["manifest.json"]);
  for (const [number, group] of manifest.groups.entries()) {
    checkGroup(group, `groups[${number}]`, sums, seen);
  }
  if (manifest.complete && sums.frames === 0) throw new GszError("groups", "none", "one");
  for (const name of ["frames", "bytes"]) agree(name, manifest[name], sums[name]);
  return manifest;
}

// The index of the group that holds a frame.
export function groupOf({ groups }, frame) {
  let group = 0;
  for (let end = groups.length; group + 1 < end; ) {
    const middle = (group + end) >> 1;
    if (groups[middle].first <= frame) group = middle;
    else end = middle;
  }
  return group;
}

function checkGroup(group, place, sums, seen) {
  checkFields(group, GROUP, place);
  agree(`${place}.first`, group.first, sums.frames);
  for (const [index, segment] of group.segments.entries()) {
    const at = `${place}.segments[${index}]`;
    checkFields(segment, SEGMENT, at);
    agree(`${at}.first`, segment.first, sums.frames);
    if ((segment.kind === "key") !== (index === 0)) {
      throw new GszError(`${at}.kind`, segment.kind, index === 0 ? "key" : "residual");
    }
    if (index === 0) agree(`${at}.frames`, segment.frames, 1);
    if (seen.has(segment.url)) throw new GszError(`${at}.url`, `'${segment.url}' again`);
    seen.add(segment.url);
    sums.frames += segment.frames;
    sums.bytes += segment.bytes;
  }
  agree(`${place}.frames`, group.frames, sums.frames - group.first);
}

function checkFields(table, fields, place) {
  if (!isTable(table)) throw new GszError(place, JSON.stringify(table)?.slice(0, 80), "an object");
  const at = (name) => (place ? `${place}.${name}` : name);
  for (const [name, isSound] of Object.entries(fields)) {
    if (!Object.hasOwn(table, name)) throw new GszError(at(name), "no such field", "one");
    if (!isSound(table[name])) {
      throw new GszError(at(name), JSON.stringify(table[name]).slice(0, 80), "another value");
    }
  }
  const other = Object.keys(table).find((name) => !Object.hasOwn(fields, name));
  if (other !== undefined) throw new GszError(at(other.slice(0, 80)), "a field that is not known");
}

function agree(place, found, expected) {
  if (found !== expected) throw new GszError(place, found, expected);
}

function isTable(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wholeUpTo(most) {
  return (value) => Number.isInteger(value) && value >= 0 && value <= most;
}
