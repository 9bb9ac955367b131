// node decode.mjs FILE...: the digest of each file's decoded scene, as tests/checks.py has it.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { decodeGsz } from "../../gscompress/viewer/site/gsz/scene.js";

for (const path of process.argv.slice(2)) {
  const bytes = new Uint8Array(readFileSync(path));
  const started = performance.now();
  const scene = await decodeGsz(bytes);
  const milliseconds = performance.now() - started;
  const hash = createHash("sha256");
  for (const name of ["means", "opacityLogits", "logScales", "quats", "sh"]) {
    hash.update(new Uint8Array(scene[name].buffer));
  }
  hash.update(scene.mode);
  console.log(`${hash.digest("hex").slice(0, 32)} ${scene.count} ${milliseconds.toFixed(1)} ${path}`);
}
