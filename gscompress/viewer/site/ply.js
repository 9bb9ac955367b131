// A binary PLY as 3DGS trainers write it, to the scene that decodeGsz gives.

import { GszError } from "./gsz/errors.js";

const MAX_HEADER = 1 << 16;
const MEANS = ["x", "y", "z"];
const SCALES = ["scale_0", "scale_1"]; // and scale_2, but for files of 2DGS trainers
const FLAT = Math.log(1e-6); // the log-scale that they have not
const QUATS = ["rot_0", "rot_1", "rot_2", "rot_3"];
const COLOURS = ["f_dc_0", "f_dc_1", "f_dc_2"];
const REQUIRED = [...MEANS, "opacity", ...SCALES, ...QUATS, ...COLOURS];
const SIZES = { float: 4, float32: 4, double: 8, uchar: 1, uint8: 1, char: 1, int8: 1, ushort: 2,
  uint16: 2, short: 2, int16: 2, int: 4, int32: 4, uint: 4, uint32: 4 };

export function readPly(bytes) {
  const { count, stride, offsets, start, mode, colourSpace } = readHeader(bytes);
  if (bytes.length - start < count * stride) {
    throw new GszError("PLY", `${bytes.length - start} bytes of data`, count * stride);
  }
  const terms = 1 + Object.keys(offsets).filter((name) => name.startsWith("f_rest_")).length / 3;
  const shDegree = Math.sqrt(terms) - 1;
  if (![0, 1, 2, 3, 4].includes(shDegree)) throw new GszError("PLY", `${terms} harmonics`);
  const view = new DataView(bytes.buffer, bytes.byteOffset + start);
  const column = (names) => {
    const places = names.map((name) => {
      if (offsets[name] === undefined) throw new GszError("PLY", `no property '${name}'`);
      return offsets[name];
    });
    const out = new Float32Array(count * names.length);
    for (let i = 0, at = 0; i < count; ++i) {
      for (const place of places) out[at++] = view.getFloat32(i * stride + place, true);
    }
    return out;
  };
  const flat = offsets.scale_2 === undefined;
  const scales = column(flat ? SCALES : [...SCALES, "scale_2"]);
  const colours = [...COLOURS];
  for (let k = 0; k < terms - 1; ++k) {
    for (let c = 0; c < 3; ++c) colours.push(`f_rest_${c * (terms - 1) + k}`);
  }
  return {
    count,
    shDegree,
    mode: flat ? "2dgs" : mode,
    colourSpace,
    means: column(MEANS),
    opacityLogits: column(["opacity"]),
    logScales: flat ? flattened(scales) : scales,
    quats: column(QUATS),
    sh: column(colours),
  };
}

// Pairs of log-scales with a third one.
function flattened(pairs) {
  return Float32Array.from({ length: 1.5 * pairs.length }, (_, k) =>
    (k % 3 === 2 ? FLAT : pairs[2 * Math.floor(k / 3) + (k % 3)]));
}

export function isPly(bytes) {
  return bytes.length >= 3 && String.fromCharCode(...bytes.subarray(0, 3)) === "ply";
}

// Whether a file is a PLY that `readPly` is for: binary, of Gaussians as they are. Others are packed
// in chunks, text, of the other byte order, or want something to be applied.
export function isPlainPly(bytes) {
  try {
    const { offsets } = readHeader(bytes);
    return REQUIRED.every((name) => offsets[name] !== undefined);
  } catch {
    return false;
  }
}

// Places of the float properties of the element `vertex`, which must be the only one.
function readHeader(bytes) {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, MAX_HEADER));
  const end = text.indexOf("end_header\n");
  if (!text.startsWith("ply") || end < 0) {
    throw new GszError("file", "no .gsz and no binary PLY", "a .gsz or a PLY of Gaussians");
  }
  const offsets = {};
  let count = 0;
  let stride = 0;
  let elements = 0;
  let mode = "default";
  let colourSpace = "srgb";
  for (const line of text.slice(0, end).split(/\r?\n/)) {
    const [word, a, b] = line.trim().split(/\s+/);
    if (word === "comment" && a === "SplatRenderMode:") mode = b;
    if (word === "comment" && a === "SplatColorSpace:") colourSpace = b;
    if (word === "comment" && a === "antialiased" && b === "1") mode = "mip"; // Postshot
    if (word === "format" && a !== "binary_little_endian") throw new GszError("PLY", `format ${a}`);
    if (word === "element") {
      ++elements;
      count = Number(b);
      if (a !== "vertex" || elements > 1 || !Number.isSafeInteger(count) || count < 0) {
        throw new GszError("PLY", `element ${a} ${b}`, "Gaussians as the only element 'vertex'");
      }
    }
    if (word === "property") {
      if (SIZES[a] === undefined) throw new GszError("PLY", `property of type ${a}`);
      if (b === "filter_3D") throw new GszError("PLY", "a filter that is not applied yet");
      if (SIZES[a] === 4 && a.startsWith("float")) offsets[b] = stride;
      stride += SIZES[a];
    }
  }
  return { count, stride, offsets, start: end + "end_header\n".length, mode, colourSpace };
}
