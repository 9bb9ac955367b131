// The fields of a codec or coder in the header: what they may be, which is what the native classes
// let pass (gscompress/codecs, gscompress/entropy; tests/viewer/test_header.py compares).

import { GszError } from "./errors.js";

const LAST_ADAPT = 8;

// A kind of field: its default, which values fit, and what those are in words.
const kind = (value, fits, expected) => ({ value, fits, expected });

const isReal = (value) => typeof value === "number" && Number.isFinite(value);

export const whole = (value, low, high) => kind(
  value, (x) => Number.isSafeInteger(x) && x >= low && x <= high, `an integer, ${low} to ${high}`);

export const views = (value) => kind(
  value, (x) => Number.isInteger(x) && x >= 0, "an integer, 0 or more");

export const positive = (value) => kind(value, (x) => isReal(x) && x > 0, "a positive number");

export const real = (value, low, high) => kind(
  value, (x) => isReal(x) && x >= low && x <= high, `${low} to ${high}`);

// From 0 to what is smaller than `high`.
export const below = (value, high) => kind(
  value, (x) => isReal(x) && x >= 0 && x < high, `0 up to below ${high}`);

// Above 0, up to `high`.
export const share = (value, high) => kind(
  value, (x) => isReal(x) && x > 0 && x <= high, `above 0 and at most ${high}`);

export const flag = (value) => kind(value, (x) => typeof x === "boolean", "true or false");

export const oneOf = (names, value = names[0]) => kind(
  value, (x) => names.includes(x), `one of ${names.join(", ")}`);

// The exponent of importance in eighths.
export const adaptive = (value) => whole(value, 0, LAST_ADAPT);

// The values of a component's fields, with the defaults for those that its table leaves out.
export function fieldsOf(table, kinds, place) {
  const fields = {};
  for (const [key, { value }] of Object.entries(kinds)) fields[key] = value;
  for (const [key, value] of Object.entries(table)) {
    if (key === "use") continue;
    if (!Object.hasOwn(kinds, key)) {
      throw new GszError(`header, ${place}`, `unknown field '${key}'`);
    }
    const { fits, expected } = kinds[key];
    if (!fits(value)) {
      throw new GszError(`header, ${place}.${key}`, JSON.stringify(value), expected);
    }
    fields[key] = value;
  }
  return fields;
}
