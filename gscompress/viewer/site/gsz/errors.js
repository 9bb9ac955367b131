// The one error that this decoder raises on purpose: a file is damaged, hostile or too new.

export class GszError extends Error {
  // field: the part of the file at fault; found, expected: what was there and what should be.
  constructor(field, found = "", expected = "") {
    const facts = [found && `found ${found}`, expected && `expected ${expected}`];
    super([field, facts.filter(Boolean).join(", ")].filter(Boolean).join(": "));
    this.name = "GszError";
    this.field = field;
    this.found = String(found);
    this.expected = String(expected);
  }
}

// Run `work`; whatever goes wrong in it with a stream's content is blamed on the chunk `name`.
export function blame(name, work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof GszError && error.field.startsWith("chunk ")) throw error;
    if (error instanceof GszError) {
      throw new GszError(`chunk '${name}'`, error.found || error.field, error.expected);
    }
    throw error;
  }
}

// The error to tell: where memory has not sufficed, the file asks for too much.
export function typed(error) {
  return error instanceof RangeError
    ? new GszError("file", "more Gaussians than there is memory for")
    : error;
}
