// Colours: words of a codebook for some Gaussians, own coefficients for the others
// (gscompress/codecs/vectree.py).

import { adaptive, fieldsOf, flag, oneOf, positive, real, views, whole } from "./fields.js";
import { planeSpecs } from "./planes.js";
import { Indices, MAX_WORDS, readWords } from "./words.js";
import { BLOCK, CONSTANT, lumaSteps, writeTerm } from "./ycocg.js";

export function vectree(table, place) {
  const fields = fieldsOf(table, {
    codebook: whole(8192, 1, MAX_WORDS),
    keep_exact: real(0.4, 0, 1),
    split: oneOf(["importance", "error"]),
    joint: flag(true),
    step: positive(1 / 256),
    sh_step: positive(1 / 128),
    word_step: positive(1 / 64),
    chroma: positive(1.5),
    adapt: adaptive(0),
    views: views(0),
  }, place);
  let book = null;
  return {
    async decode(decoded, streams, range) {
      if (decoded.count === 0) {
        decoded.values("sh");
        return;
      }
      const side = decoded.side(range);
      const terms = (decoded.shDegree + 1) ** 2;
      const coded = fields.joint ? terms : terms - 1; // that words and own coefficients hold
      const [constant, own, words] = await Promise.all([
        fields.joint ? null : streams.planes("sh0", CONSTANT, side, range),
        streams.planes("sh.own", ownSpecs(coded), side, range),
        book ?? readBook(fields, streams, coded, decoded.count),
      ]);
      book = words;
      const flags = own[0];
      if (flags.some((flag) => flag < 0 || flag > 1)) {
        throw streams.corrupt("sh.own", "a flag out of range");
      }
      writeOwn(fields, decoded, range, constant, own.slice(4));
      const worded = Uint8Array.from(flags, (flag) => 1 - flag);
      await book.indices.read(streams, side, range, worded);
      writeWords(book, decoded.values("sh"), worded, range, terms - coded, coded);
    },
  };
}

// Who has own coefficients; per channel whether any is not 0; the coefficients.
function ownSpecs(terms) {
  const partners = [-1, -1, 1, 2];
  const gates = [-1, 0, 0, 0];
  for (let channel = 0; channel < 3; ++channel) {
    for (let k = 0; k < terms; ++k) {
      partners.push(channel > 0 ? 4 + (channel - 1) * terms + k : -1);
      gates.push(1 + channel);
    }
  }
  return planeSpecs(partners, { trust: 1, gates });
}

// The words' coefficients [words][terms][3], and the indices.
async function readBook({ codebook, word_step, chroma }, streams, terms, total) {
  const { count, planes } = await readWords(streams, "sh.book", 3 * terms, codebook);
  const values = new Float32Array(3 * terms * count);
  const job = { values, stride: 3 * terms, classes: new Uint8Array(count), chroma };
  for (let k = 0; k < terms; ++k) {
    const [y, o, g] = [planes[k], planes[terms + k], planes[2 * terms + k]];
    writeTerm(job, k, y, o, g, [word_step], 0, count);
  }
  return { values, indices: new Indices("sh.words", [count], total, { some: true }) };
}

// Coefficients from planes; `own`: luma of some or all terms, the last ones, then both chromas.
function writeOwn(fields, decoded, range, constant, own) {
  const terms = (decoded.shDegree + 1) ** 2;
  const coded = own.length / 3;
  const steps = lumaSteps(fields, decoded);
  const job = {
    values: decoded.values("sh").subarray(3 * terms * range.from),
    stride: 3 * terms,
    classes: decoded.side(range).classes,
    chroma: fields.chroma,
  };
  for (let from = 0; from < range.to - range.from; from += BLOCK) {
    const to = Math.min(from + BLOCK, range.to - range.from);
    if (constant !== null) writeTerm(job, 0, ...constant, steps.first, from, to);
    for (let k = 0; k < coded; ++k) {
      const term = terms - coded + k;
      const [y, o, g] = [own[k], own[coded + k], own[2 * coded + k]];
      writeTerm(job, term, y, o, g, term > 0 ? steps.higher : steps.first, from, to);
    }
  }
}

// The words of those that have one, in place of their last `coded` terms.
function writeWords({ values: words, indices }, out, worded, { from, to }, skipped, coded) {
  const [index] = indices.values;
  const width = 3 * coded;
  const stride = width + 3 * skipped;
  for (let i = from; i < to; ++i) {
    if (worded[i - from] === 0) continue;
    const word = words.subarray(index[i] * width, (index[i] + 1) * width);
    out.set(word, i * stride + 3 * skipped);
  }
}
