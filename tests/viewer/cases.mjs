// Runs cases that test_decoder.py writes: JSON lines in, JSON lines out.
//
// {"file": path}: the digest of a decoded .gsz, as tests/checks.py has it, or its error.
// {"coder", "data" (base64), "count", "contexts"}: the values of a stream of symbols, or its error.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { GszError } from "../../gscompress/viewer/site/gsz/errors.js";
import { decodeGsz } from "../../gscompress/viewer/site/gsz/scene.js";
import { decodeSymbols } from "../../gscompress/viewer/site/gsz/symbols.js";

function digest(scene) {
  const hash = createHash("sha256");
  for (const name of ["means", "opacityLogits", "logScales", "quats", "sh"]) {
    hash.update(new Uint8Array(scene[name].buffer));
  }
  return hash.update(scene.mode).digest("hex").slice(0, 32);
}

async function run({ file, coder, data, count, contexts }) {
  if (file !== undefined) {
    const bytes = new Uint8Array(readFileSync(file));
    const started = performance.now();
    const scene = await decodeGsz(bytes);
    return { digest: digest(scene), milliseconds: performance.now() - started };
  }
  const bytes = new Uint8Array(Buffer.from(data, "base64"));
  const values = decodeSymbols(coder, bytes, count, contexts ? Uint16Array.from(contexts) : null);
  return { values: Array.from(values) };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await run(JSON.parse(line));
  } catch (error) {
    answer = error instanceof GszError
      ? { error: error.message, field: error.field }
      : { defect: `${error.stack}` };
  }
  console.log(JSON.stringify(answer));
}
