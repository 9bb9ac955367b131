// Raw float arrays to SPZ and back with @adobe/spz, Niantic's library compiled to WebAssembly.
//
//   node spz_bridge.mjs PACKAGE_FOLDER encode IN OUT SH1_BITS SH_REST_BITS
//   node spz_bridge.mjs PACKAGE_FOLDER decode IN OUT
//
// The raw file is little-endian: int32 count, int32 SH degree, then float32 positions [N, 3],
// log-scales [N, 3], rotations xyzw [N, 4], opacity logits [N], SH DC [N, 3], SH rest [N, K-1, 3].

import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [folder, verb, input, output, sh1Bits, shRestBits] = process.argv.slice(2);
const { default: createSpzModule } = await import(pathToFileURL(join(folder, 'dist', 'spz.js')));
const spz = await createSpzModule();
const FIELDS = ['positions', 'scales', 'rotations', 'alphas', 'colors', 'sh'];
const widths = (degree) => [3, 3, 4, 1, 3, 3 * ((degree + 1) ** 2 - 1)];

const file = readFileSync(input);
if (verb === 'encode') {
    const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
    const [numPoints, shDegree] = new Int32Array(bytes, 0, 2);
    const cloud = { numPoints, shDegree, antialiased: false, extensions: [] };
    let offset = 8;
    widths(shDegree).forEach((width, k) => {
        cloud[FIELDS[k]] = new Float32Array(bytes, offset, numPoints * width);
        offset += 4 * numPoints * width;
    });
    const packed = spz.saveSpzToBuffer(cloud, {
        version: 4,
        from: spz.CoordinateSystem.UNSPECIFIED,
        sh1Bits: Number(sh1Bits),
        shRestBits: Number(shRestBits),
    });
    writeFileSync(output, packed);
} else {
    const cloud = spz.loadSpzFromBuffer(new Uint8Array(file), {
        to: spz.CoordinateSystem.UNSPECIFIED,
    });
    const head = Buffer.from(new Int32Array([cloud.numPoints, cloud.shDegree]).buffer);
    const parts = FIELDS.map((name) => {
        const values = new Float32Array(cloud[name]);
        return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    });
    writeFileSync(output, Buffer.concat([head, ...parts]));
}
