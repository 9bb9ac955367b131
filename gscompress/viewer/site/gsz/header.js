// The header: a JSON object, read with suspicion.

import { GszError } from "./errors.js";
import { decompressExactly } from "./zstd.js";

const MAX_DEPTH = 32; // of lists and objects in each other
const MAX_DIGITS = 20; // of an integer: 64 bits
// Strings (keys with their colon), numbers, brackets.
const TOKEN = /("(?:[^"\\]|\\[\s\S])*")(\s*:)?|-?\d[\d.eE+-]*|[[\]{}]/g;
const LONE_SURROGATE = /\p{Surrogate}/u;

export function parseHeader(stored, size, packed) {
  const text = packed ? decompressExactly(stored, size, "header") : stored;
  if (text.length !== size) throw new GszError("header", `${text.length} bytes`, size);
  let header;
  try {
    const decoded = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
    checkDepth(decoded);
    header = JSON.parse(decoded);
    checkTokens(decoded);
  } catch (error) {
    throw error instanceof GszError ? error : new GszError("header", error.message, "JSON");
  }
  if (!isObject(header)) throw new GszError("header", typeof header, "a JSON object");
  return header;
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// An integer of the header from 0 to `most`.
export function integerOf(header, key, most) {
  const value = header[key];
  if (!Number.isSafeInteger(value) || value < 0 || value > most) {
    throw new GszError(`header, '${key}'`, value, `an integer from 0 to ${most}`);
  }
  return value;
}

function checkDepth(text) {
  let depth = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "[" || token === "{") {
      if (++depth > MAX_DEPTH) throw new GszError("header", `nested deeper than ${MAX_DEPTH}`);
    } else if (token === "]" || token === "}") {
      --depth;
    }
  }
}

// Refuse what JSON.parse lets pass and the native decoder does not: keys that occur twice, numbers
// that are not finite or too long, halves of characters.
function checkTokens(text) {
  const keys = []; // of each open object or list
  for (const [token, string, colon] of text.matchAll(TOKEN)) {
    if (token === "[" || token === "{") {
      keys.push(new Set());
    } else if (token === "]" || token === "}") {
      keys.pop();
    } else if (string === undefined) {
      checkNumber(token);
    } else {
      const content = JSON.parse(string);
      if (LONE_SURROGATE.test(content)) throw new GszError("header", "half a character", "JSON");
      if (colon === undefined) continue;
      if (keys.at(-1).has(content)) throw new GszError("header", "a key occurs twice", "JSON");
      keys.at(-1).add(content);
    }
  }
}

function checkNumber(digits) {
  const long = /^-?\d+$/.test(digits) && digits.length > MAX_DIGITS;
  if (long || !Number.isFinite(Number(digits))) {
    throw new GszError("header", `the number ${digits.slice(0, MAX_DIGITS)}...`, "a smaller one");
  }
}
