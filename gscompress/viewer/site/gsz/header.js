// The header: a JSON object, read with suspicion.

import { GszError } from "./errors.js";
import { decompressExactly } from "./zstd.js";

const MAX_DEPTH = 32;
const STRUCTURE = /"(?:[^"\\]|\\[\s\S])*"|[[{]|[\]}]/g;

export function parseHeader(stored, size, packed) {
  const text = packed ? decompressExactly(stored, size, "header") : stored;
  if (text.length !== size) throw new GszError("header", `${text.length} bytes`, size);
  let header;
  try {
    const decoded = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
    checkDepth(decoded);
    header = JSON.parse(decoded);
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

// The fields of a component's table, with the defaults for those it leaves out.
export function fieldsOf(table, defaults, place) {
  const fields = { ...defaults };
  for (const [key, value] of Object.entries(table)) {
    if (key === "use") continue;
    if (!Object.hasOwn(defaults, key)) {
      throw new GszError(`header, ${place}`, `unknown field '${key}'`);
    }
    if (typeof value !== typeof defaults[key] ||
        (typeof value === "number" && !Number.isFinite(value))) {
      throw new GszError(`header, ${place}.${key}`, JSON.stringify(value), typeof defaults[key]);
    }
    fields[key] = value;
  }
  return fields;
}

// Refuse a field of a component that is out of range; `whole`: it must be an integer.
export function checkRange(fields, key, low, high, place, { whole = false } = {}) {
  const value = fields[key];
  if (!(value >= low && value <= high) || (whole && !Number.isInteger(value))) {
    throw new GszError(`header, ${place}.${key}`, value, `${low} to ${high}`);
  }
}

// Steps and the like, and exponents of importance.
export const positive = (fields, key, place) =>
  checkRange(fields, key, Number.MIN_VALUE, Infinity, place);
export const adaptive = (fields, place) =>
  checkRange(fields, "adapt", 0, 8, place, { whole: true });

// The fields, once `check` has not thrown.
export function checked(fields, check) {
  check(fields);
  return fields;
}

function checkDepth(text) {
  let depth = 0;
  for (const [first] of text.matchAll(STRUCTURE)) {
    if (first === "[" || first === "{") {
      if (++depth > MAX_DEPTH) throw new GszError("header", `nested deeper than ${MAX_DEPTH}`);
    } else if (first === "]" || first === "}") {
      --depth;
    }
  }
}
