// A binary PLY as 3DGS trainers write it, to the scene that decodeGsz gives.

import { GszError } from "./gsz/errors.js";

const MAX_HEADER = 1 << 16;
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
  const colours = [0, 1, 2].map((channel) => `f_dc_${channel}`);
  for (let k = 0; k < terms - 1; ++k) {
    for (let c = 0; c < 3; ++c) colours.push(`f_rest_${c * (terms - 1) + k}`);
  }
  return {
    count,
    shDegree,
    mode,
    colourSpace,
    means: column(["x", "y", "z"]),
    opacityLogits: column(["opacity"]),
    logScales: column(["scale_0", "scale_1", "scale_2"]),
    quats: column(["rot_0", "rot_1", "rot_2", "rot_3"]),
    sh: column(colours),
  };
}

// Whether a file is a PLY that `readPly` is for: binary, of Gaussians as they are. Others are of
// another program's making: ascii, of the other byte order, packed in chunks.
export function isPlainPly(bytes) {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, MAX_HEADER));
  if (!text.startsWith("ply")) return false;
  const end = text.indexOf("end_header");
  const head = text.slice(0, end < 0 ? text.length : end);
  return /^format binary_little_endian/m.test(head) && !/^element chunk\b/m.test(head);
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
      if (SIZES[a] === 4 && a.startsWith("float")) offsets[b] = stride;
      stride += SIZES[a];
    }
  }
  return { count, stride, offsets, start: end + "end_header\n".length, mode, colourSpace };
}
