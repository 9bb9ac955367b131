// Writes a .ksplat with the library that defines the format, GaussianSplats3D.
// node ksplat_bridge.mjs MODULE.js IN.ply OUT.ksplat LEVEL DEGREE
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';

const [, , library, input, output, level, degree] = process.argv;
globalThis.window ??= globalThis; // it asks its window for a timer
const { PlyParser, SplatBufferGenerator } = await import(pathToFileURL(library).href);
const file = fs.readFileSync(input);
const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
const splats = PlyParser.parseToUncompressedSplatArray(bytes, Number(degree));
const generator = SplatBufferGenerator.getStandardGenerator(0, Number(level));
const buffer = generator.generateFromUncompressedSplatArray(splats);
fs.writeFileSync(output, new Uint8Array(buffer.bufferData));
