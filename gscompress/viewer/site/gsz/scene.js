// A .gsz back to a scene: header, codecs of the groups in coding order (gscompress/format.py,
// gscompress/codecs/scene.py).

import { arcsine, classes, logarithm, rotation24, ycocg } from "./attributes.js";
import { checkSize, parseHead, readChunk } from "./container.js";
import { Decoded } from "./decoded.js";
import { GszError, blame } from "./errors.js";
import { exact } from "./exact.js";
import { fieldsOf, integerOf, isObject } from "./header.js";
import { morton } from "./means.js";
import { CODERS, decodeSymbols } from "./symbols.js";
import { planesDecoder } from "./planes.js";

const CODECS = { morton, classes, arcsine, log: logarithm, rotation24, ycocg, exact };
const GROUPS = ["means", "opacities", "scales", "quats", "sh"];
const WAVES = [["means"], ["opacities", "scales"], ["quats", "sh"]];
const MODES = ["default", "mip", "2dgs"];
const MAX_SH_DEGREE = 4;
const GAUSSIANS_PER_BYTE = 256; // more are a file that has been made to exhaust memory
const GAUSSIANS_FREE = 1 << 16;
const ENTROPY_FIELDS = { mix: {}, rans: { model: "auto" }, zstd: { level: 19 } };

// Decode a whole file. `run` decodes planes: as `decodeHere`, or in workers (pool.js).
//
// Gives {count, shDegree, mode, means, opacityLogits, logScales, quats, sh}: Float32Arrays with the
// same bits as gscompress.Gaussians has. Throws GszError.
export async function decodeGsz(bytes, run = decodeHere) {
  const head = parseHead(bytes);
  checkSize(head, bytes.length);
  const chunks = new Map();
  for (const name of head.entries.keys()) chunks.set(name, readChunk(bytes, head, name));
  const { header } = head;
  const most = bytes.length * GAUSSIANS_PER_BYTE + GAUSSIANS_FREE;
  const decoded = new Decoded(
    integerOf(header, "gaussians", most), integerOf(header, "sh_degree", MAX_SH_DEGREE),
    modeOf(header));
  const { codecs, coder } = componentsOf(header);
  const streams = new Streams(coder, chunks, run);
  for (const wave of WAVES) {
    const values = await Promise.all(
      wave.map((group) => codecs[group].decode(decoded, streams.of(group))));
    wave.forEach((group, k) => { decoded.attributes[group] = values[k]; });
    if (!wave.includes("quats") && codecs.importance) {
      decoded.classes = await codecs.importance.decode(decoded, streams.of("importance"));
      decoded.octaves = codecs.importance.octaves;
    }
  }
  const { means, opacities, scales, quats, sh } = decoded.attributes;
  const { count, shDegree, mode } = decoded;
  return { count, shDegree, mode, means, opacityLogits: opacities, logScales: scales, quats, sh };
}

// Planes of integers in this thread.
export async function decodeHere({ coder, specs, count, bytes, side }) {
  return planesDecoder(coder, specs, count).decode(bytes, 0, count, side);
}

// The named streams of a file, read for an attribute group.
class Streams {
  constructor(coder, chunks, run, group = "") {
    this.coder = coder;
    this.chunks = chunks;
    this.run = run;
    this.group = group;
  }

  of(group) {
    return new Streams(this.coder, this.chunks, this.run, group);
  }

  bytes(name, size = null) {
    const data = this.chunks.get(name);
    if (data === undefined) throw this.corrupt(name, "nothing", "such a chunk");
    if (size !== null && data.length !== size) {
      throw this.corrupt(name, `${data.length} bytes`, size);
    }
    return data;
  }

  symbols(name, count) {
    return blame(name, () => decodeSymbols(this.coder, this.bytes(name), count));
  }

  async planes(name, specs, side) {
    const count = side.nearness.length;
    const job = { coder: this.coder, specs, count, bytes: this.bytes(name), side };
    try {
      return await this.run(job);
    } catch (error) {
      throw error instanceof GszError ? this.corrupt(name, error.found, error.expected) : error;
    }
  }

  corrupt(name, found, expected = "") {
    return new GszError(`chunk '${name}'`, found, expected);
  }
}

function modeOf(header) {
  if (MODES.includes(header.mode)) return header.mode;
  throw new GszError("header, 'mode'", JSON.stringify(header.mode), `one of ${MODES.join(", ")}`);
}

function componentsOf(header) {
  const tables = isObject(header.config) ? header.config.attributes : null;
  if (!isObject(tables) || !GROUPS.every((group) => isObject(tables[group]))) {
    throw new GszError("header, 'config'", "not all attributes and entropy");
  }
  const codecs = {};
  for (const [group, table] of Object.entries(tables)) {
    const use = isObject(table) ? table.use : undefined;
    if (typeof use !== "string" || !Object.hasOwn(CODECS, use)) {
      throw new GszError(`header, '${group}'`, `the codec ${JSON.stringify(use)}`,
        `one that the browser knows: ${Object.keys(CODECS).join(", ")}`);
    }
    codecs[group] = CODECS[use](table, `'${group}'`);
  }
  const entropy = header.config.entropy;
  const coder = isObject(entropy) ? entropy.use : undefined;
  if (!CODERS.includes(coder)) {
    throw new GszError("header, 'entropy'", `the coder ${JSON.stringify(coder)}`,
      `one that the browser knows: ${CODERS.join(", ")}`);
  }
  fieldsOf(entropy, ENTROPY_FIELDS[coder], "'entropy'");
  return { codecs, coder };
}
