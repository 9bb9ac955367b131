// Trajectories in words: residual vector quantization of coefficients (gscompress/stream/words.py).

import { GszError } from "../gsz/errors.js";
import { GROUPS } from "./layout.js";
import { TemporalCoder } from "./temporal.js";

const MAX_STAGES = 8;
const MAX_WORDS = 1024;
const MAX_WORD = 2 ** 20;
const MAX_WIDTH = 256;
const KEPT = 1;

// Codebooks, and the coder of indices into them.
export class WordCoder {
  // near, other, classes: of all slots; dead: the slots that are empty.
  constructor(layout, books, { near, other, classes, dead }) {
    this.layout = layout;
    this.books = books;
    const widths = books.map(({ stages }) => stages);
    const firsts = widths.map((_, g) => widths.slice(0, g).reduce((sum, one) => sum + one, 0));
    const channels = widths.reduce((sum, one) => sum + one, 0);
    const sets = Array.from({ length: channels }, (_, k) => k);
    this.coder = new TemporalCoder({ widths, firsts, sets, channels });
    this.coder.append({ near, other }, classes);
    this.coder.retire(dead);
  }

  // What the words of a run come to: terms of a Path, one for each function.
  decode(bytes) {
    const { slots, values } = this.coder.decode(bytes, 0);
    const { channels } = this.layout;
    const most = Math.max(...this.books.map(({ functions }) => functions));
    const terms = Array.from({ length: most }, (_, k) => (
      { function: k, slots, values: new Int32Array(slots.length * channels), unit: 1 }));
    for (let m = 0; m < slots.length; ++m) {
      let at = m * this.coder.channels;
      for (const book of this.books) {
        this.#add(book, values.subarray(at, at + book.stages), terms, m * channels);
        at += book.stages;
      }
    }
    return terms;
  }

  // Add the words of a slot to the terms.
  #add({ group, stages, words, functions, table }, index, terms, at) {
    if (index.every((one) => one === 0)) return;
    const width = this.layout.widths[group];
    const first = at + this.layout.firsts[group];
    for (let stage = 0; stage < stages; ++stage) {
      const word = index[stage] - (stage === 0 ? 1 : 0);
      if (word < 0 || word >= words) throw broken(`a word of ${GROUPS[group]} that is not there`);
      let from = (stage * words + word) * functions * width;
      for (let k = 0; k < functions; ++k) {
        for (let c = 0; c < width; ++c) terms[k].values[first + c] += table[from++];
      }
    }
  }
}

// {books, indices}: the codebooks of a run of so many frames, null if those before stay, and the
// bytes of its indices. Throws GszError.
export function readWords(bytes, layout, frames, before) {
  const reader = new Reader(bytes);
  const kept = reader.integer(1);
  if (kept > KEPT) throw broken(`books of the kind ${kept}`);
  if (kept === KEPT) {
    if (before === null) throw broken("books that are not there");
    if (before.books.some(({ functions }) => functions > frames)) {
      throw broken(`books of more functions than ${frames} frames have`);
    }
    return { books: null, indices: reader.rest() };
  }
  const books = layout.widths.map((width, group) => readBook(reader, group, width, frames))
    .filter((book) => book !== null);
  if (books.length === 0) throw broken("no codebook");
  return { books, indices: reader.rest() };
}

// The words of an attribute, [stages][words][functions][channels]; null: it has none.
function readBook(reader, group, width, frames) {
  const stages = reader.integer(1);
  if (stages === 0) return null;
  const functions = reader.integer(1);
  const words = reader.integer(2);
  if (stages > MAX_STAGES || words < 1 || words > MAX_WORDS || functions < 1 ||
      functions > Math.min(frames, Math.trunc(MAX_WIDTH / width))) {
    throw broken(`${stages} books of ${words} words and ${functions} functions`);
  }
  const block = reader.take(reader.integer(4));
  const channels = functions * width;
  const rows = stages * words;
  const { slots, values } = wordCoder(functions, width, rows).decode(block, 0);
  if (values.some((value) => Math.abs(value) > MAX_WORD)) {
    throw broken(`a word of ${GROUPS[group]} that is too large`);
  }
  const table = new Int32Array(rows * channels);
  for (const [k, row] of slots.entries()) {
    table.set(values.subarray(k * channels, (k + 1) * channels), row * channels);
  }
  return { group, stages, words, functions, table };
}

// Words are coded like slots that change once.
function wordCoder(functions, width, rows) {
  const channels = functions * width;
  const sets = Array.from({ length: channels }, (_, c) => Math.trunc(c / width));
  const coder = new TemporalCoder({ widths: [channels], firsts: [0], sets, channels });
  const near = Int32Array.from({ length: rows }, (_, k) => Math.max(k - 1, 0));
  const other = near.map((k) => Math.max(k - 1, 0));
  coder.append({ near, other }, new Uint8Array(rows));
  return coder;
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  take(size) {
    if (this.bytes.length - this.at < size) throw broken("words that are cut off");
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  // Little-endian.
  integer(size) {
    return this.take(size).reduceRight((value, byte) => value * 256 + byte, 0);
  }

  rest() {
    return this.bytes.subarray(this.at);
  }
}

function broken(found) {
  return new GszError("words", found);
}
