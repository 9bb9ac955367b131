// A .gsz back to a scene: header, codecs of the groups in coding order, level by level
// (gscompress/format.py, gscompress/codecs/scene.py).

import { rvq, svq } from "./additive.js";
import { arcsine, classes, logarithm, rotation24 } from "./attributes.js";
import { checkSize, parseHead, readChunk } from "./container.js";
import { Decoded } from "./decoded.js";
import { GszError, typed } from "./errors.js";
import { exact } from "./exact.js";
import { fieldsOf, oneOf, whole } from "./fields.js";
import { integerOf, isObject } from "./header.js";
import { morton, octree } from "./means.js";
import { Streams, levelOf, openHere } from "./streams.js";
import { CODERS } from "./symbols.js";
import { vectree } from "./vectree.js";
import { ycocg } from "./ycocg.js";

const CODECS = {
  means: { morton, octree, exact },
  importance: { classes },
  opacities: { arcsine, exact },
  scales: { log: logarithm, rvq, svq, exact },
  quats: { rotation24, rvq, svq, exact },
  sh: { ycocg, vectree, rvq, svq, exact },
};
const GROUPS = ["means", "opacities", "scales", "quats", "sh"];
const WAVES = [["means"], ["opacities", "scales"], ["quats", "sh"]];
const MODES = ["default", "mip", "2dgs"];
const MAX_SH_DEGREE = 4;
const COLOUR_SPACES = ["srgb", "linear"];
const MAX_LEVELS = 16;
const MAX_GAUSSIANS = 2 ** 31 - 1;
const GAUSSIANS_PER_BYTE = 256; // more are a file that has been made to exhaust memory
const GAUSSIANS_FREE = 1 << 16;
const ENTROPY_FIELDS = {
  mix: {},
  rans: { model: oneOf(["auto", "smallest", "static", "adaptive", "binary"]) },
  zstd: { level: whole(19, 1, 22) },
};

// Decode a whole file. `open` decodes planes: here, or in workers (pool.js).
//
// Gives {count, shDegree, mode, colourSpace, means, opacityLogits, logScales, quats, sh}: Float32Arrays with the
// same bits as gscompress.Gaussians has. Throws GszError.
export async function decodeGsz(bytes, open = openHere) {
  const head = parseHead(bytes);
  checkSize(head, bytes.length);
  for (const name of head.entries.keys()) readChunk(bytes, head, name);
  const decoder = new SceneDecoder(head, bytes, open);
  for (const level of decoder.levels.keys()) await decoder.decodeLevel(level);
  return decoder.scene(0, decoder.levels.at(-1));
}

// Decodes a file level by level, as its bytes arrive.
export class SceneDecoder {
  // head: of the file; bytes: room for all of it, in which a level's chunks are there once it is
  // decoded.
  constructor(head, bytes, open = openHere) {
    const { header } = head;
    let stored = 0;
    for (const { length } of head.entries.values()) stored += length;
    const most = Math.min(stored * GAUSSIANS_PER_BYTE + GAUSSIANS_FREE, MAX_GAUSSIANS);
    this.levels = levelsOf(header, integerOf(header, "gaussians", most));
    this.ends = this.levels.map((_, level) => endOfLevel(head, level));
    const degree = integerOf(header, "sh_degree", MAX_SH_DEGREE);
    const mode = choiceOf(header, "mode", MODES);
    this.decoded = withinMemory(() => new Decoded(this.levels, degree, mode));
    this.colourSpace = choiceOf(header, "colour_space", COLOUR_SPACES);
    const { codecs, coder } = componentsOf(header);
    this.codecs = codecs;
    const chunkOf = (name) =>
      (head.entries.has(name) ? readChunk(bytes, head, name) : undefined);
    this.streams = new Streams(coder, this.decoded.count, chunkOf, open);
  }

  // Decode a level; those before it must have been decoded.
  async decodeLevel(level) {
    try {
      await this.#decodeLevel(level);
    } catch (error) {
      throw typed(error);
    }
  }

  async #decodeLevel(level) {
    const { decoded, codecs, streams } = this;
    const range = decoded.range(level);
    for (const [number, wave] of WAVES.entries()) {
      await Promise.all(
        wave.map((group) => codecs[group].decode(decoded, streams.of(group), range)));
      if (number + 1 < WAVES.length && codecs.importance) {
        const own = streams.of("importance");
        await codecs.importance.decode(decoded, own, range, { late: number > 0 });
        decoded.octaves = codecs.importance.octaves;
      }
    }
  }

  // The Gaussians [from, to) as a scene of their own.
  scene(from, to) {
    const { decoded } = this;
    const part = (group) => {
      const width = decoded.width(group);
      const values = decoded.values(group);
      return to - from === decoded.count ? values : values.slice(from * width, to * width);
    };
    return {
      count: to - from,
      shDegree: decoded.shDegree,
      mode: decoded.mode,
      colourSpace: this.colourSpace,
      means: part("means"),
      opacityLogits: part("opacities"),
      logScales: part("scales"),
      quats: part("quats"),
      sh: part("sh"),
    };
  }
}

function withinMemory(work) {
  try {
    return work();
  } catch (error) {
    throw typed(error);
  }
}

// How many bytes of the file must be there to decode a level.
function endOfLevel(head, level) {
  let end = 0;
  for (const [name, { offset, length }] of head.entries) {
    if (levelOf(name) <= level) end = Math.max(end, offset + length);
  }
  return end;
}

function levelsOf(header, count) {
  const { levels } = header;
  const ascend = Array.isArray(levels) && levels.length >= 1 && levels.length <= MAX_LEVELS &&
    levels.every((end, k) => Number.isInteger(end) && end > (k > 0 ? levels[k - 1] : -1));
  if (ascend && levels.at(-1) === count) return levels;
  throw new GszError(
    "header, 'levels'", JSON.stringify(levels), `numbers that ascend to ${count}`);
}

function choiceOf(header, key, known) {
  if (known.includes(header[key])) return header[key];
  throw new GszError(
    `header, '${key}'`, JSON.stringify(header[key]), `one of ${known.join(", ")}`);
}

function componentsOf(header) {
  const tables = isObject(header.config) ? header.config.attributes : null;
  if (!isObject(tables) || !GROUPS.every((group) => isObject(tables[group]))) {
    throw new GszError("header, 'config'", "not all attributes and entropy");
  }
  const codecs = {};
  for (const [group, table] of Object.entries(tables)) codecs[group] = codecOf(group, table);
  return { codecs, coder: coderOf(header.config.entropy) };
}

// The codec of an attribute group that a table of the header describes.
export function codecOf(group, table) {
  const known = Object.hasOwn(CODECS, group) ? CODECS[group] : {};
  const use = isObject(table) ? table.use : undefined;
  if (typeof use !== "string" || !Object.hasOwn(known, use)) {
    throw new GszError(`header, '${group}'`, `the codec ${JSON.stringify(use)}`,
      `one that the browser knows: ${Object.keys(known).join(", ")}`);
  }
  return known[use](table, `'${group}'`);
}

// The name of the coder that a table of the header describes.
export function coderOf(table) {
  const coder = isObject(table) ? table.use : undefined;
  if (!CODERS.includes(coder)) {
    throw new GszError("header, 'entropy'", `the coder ${JSON.stringify(coder)}`,
      `one that the browser knows: ${CODERS.join(", ")}`);
  }
  fieldsOf(table, ENTROPY_FIELDS[coder], "'entropy'");
  return coder;
}
