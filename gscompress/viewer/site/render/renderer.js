// Scenes into a canvas: instanced quads in WebGL2, gathered front to back in half floats.

import { SCREEN_FRAGMENT, SCREEN_VERTEX, SPLAT_FRAGMENT, SPLAT_VERTEX } from "./shaders.js";

const SAMPLERS = ["means", "logScales", "quats", "opacityLogits", "sh"];

export class Renderer {
  constructor(canvas) {
    const options = { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true };
    const gl = canvas.getContext("webgl2", options);
    if (!gl) throw new Error("This browser has no WebGL2, which the viewer needs.");
    this.gl = gl;
    this.canvas = canvas;
    this.splats = makeProgram(gl, SPLAT_VERTEX, SPLAT_FRAGMENT);
    this.screen = makeProgram(gl, SCREEN_VERTEX, SCREEN_FRAGMENT);
    this.precise = gl.getExtension("EXT_color_buffer_float") !== null ||
      gl.getExtension("EXT_color_buffer_half_float") !== null;
    this.gathered = gl.createTexture();
    this.frame = gl.createFramebuffer();
    this.width = 0;
    this.height = 0;
  }

  // Room on the graphics card for a scene of `count` Gaussians.
  makeRoom({ count, shDegree, mode, colourSpace }) {
    return new SceneOnCard(this.gl, count, shDegree, mode, colourSpace);
  }

  // Draw `parts`: [{card, left, right}] with the share of the width that each one gets.
  draw(parts, camera, background) {
    const { gl, canvas } = this;
    this.#resize(canvas.width, canvas.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.viewport(0, 0, this.width, this.height);
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.SCISSOR_TEST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE_MINUS_DST_ALPHA, gl.ONE);
    gl.useProgram(this.splats.program);
    this.#setCamera(camera);
    for (const part of parts) {
      this.#confine(part);
      part.card.draw(this.splats);
    }
    gl.disable(gl.BLEND);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.useProgram(this.screen.program);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.gathered);
    gl.uniform1i(this.screen.at("gathered"), 0);
    gl.uniform3fv(this.screen.at("background"), background);
    gl.bindVertexArray(null);
    for (const part of parts.length > 0 ? parts : [{ left: 0, right: 1 }]) {
      this.#confine(part);
      gl.uniform1i(this.screen.at("linear"), part.card?.linear ? 1 : 0);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }
    gl.disable(gl.SCISSOR_TEST);
  }

  // Once the graphics card has done what was asked of it so far.
  async finished() {
    const { gl } = this;
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    while (fence && gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED) {
      await new Promise(requestAnimationFrame);
    }
    gl.deleteSync(fence);
  }

  // Draw into a part's share of the width only.
  #confine({ left, right }) {
    const from = Math.round(left * this.width);
    const width = Math.max(0, Math.round(right * this.width) - from);
    this.gl.scissor(from, 0, width, this.height);
  }

  #setCamera(camera) {
    const { gl, splats } = this;
    gl.uniformMatrix3fv(splats.at("rotation"), true, camera.rotation.flat());
    gl.uniform3fv(splats.at("translation"), camera.translation);
    gl.uniform3fv(splats.at("eye"), camera.position);
    gl.uniform4f(splats.at("lens"), camera.fx, camera.fy, camera.cx, camera.cy);
    gl.uniform2f(splats.at("size"), this.width, this.height);
  }

  #resize(width, height) {
    const { gl } = this;
    if (width === this.width && height === this.height) return;
    this.width = width;
    this.height = height;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.gathered);
    const format = this.precise ? gl.RGBA16F : gl.RGBA8;
    const type = this.precise ? gl.HALF_FLOAT : gl.UNSIGNED_BYTE;
    gl.texImage2D(gl.TEXTURE_2D, 0, format, width, height, 0, gl.RGBA, type, null);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.framebufferTexture2D(
      gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.gathered, 0);
  }
}

// A scene's attributes as textures, as they are, and the order in which it is drawn.
class SceneOnCard {
  constructor(gl, count, shDegree, mode, colourSpace) {
    this.gl = gl;
    this.linear = colourSpace === "linear";
    this.terms = (shDegree + 1) ** 2;
    this.antialiased = mode === "mip";
    const most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    this.perRow = Math.min(most, 4096);
    this.shPerRow = Math.floor(most / this.terms);
    if (count > most * this.shPerRow) {
      throw new Error(`This graphics card holds ${most * this.shPerRow} Gaussians at most.`);
    }
    const { perRow, shPerRow, terms } = this;
    this.textures = {
      means: new Table(gl, gl.RGB32F, gl.RGB, 3, count, perRow),
      logScales: new Table(gl, gl.RGB32F, gl.RGB, 3, count, perRow),
      quats: new Table(gl, gl.RGBA32F, gl.RGBA, 4, count, perRow),
      opacityLogits: new Table(gl, gl.R32F, gl.RED, 1, count, perRow),
      sh: new Table(gl, gl.RGB16F, gl.RGB, 3, count * terms, shPerRow * terms),
    };
    this.order = gl.createBuffer();
    this.vertices = gl.createVertexArray();
    this.count = 0;
  }

  // Put the Gaussians of `scene` into the places from `from` on.
  put(scene, from) {
    for (const name of SAMPLERS) this.putSome(name, scene[name], from);
  }

  // Put some values of one attribute into the places from `from` on.
  putSome(name, values, from) {
    this.textures[name].put(values, name === "sh" ? from * this.terms : from);
  }

  // `order`: Uint32Array of the splats to draw, front to back.
  setOrder(order) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.order);
    gl.bufferData(gl.ARRAY_BUFFER, order, gl.DYNAMIC_DRAW);
    this.count = order.length;
  }

  draw(splats) {
    const { gl } = this;
    SAMPLERS.forEach((name, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, this.textures[name].texture);
      gl.uniform1i(splats.at(name), unit);
    });
    for (const name of ["perRow", "shPerRow", "terms"]) gl.uniform1i(splats.at(name), this[name]);
    gl.uniform1i(splats.at("antialiased"), this.antialiased ? 1 : 0);
    gl.bindVertexArray(this.vertices);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.order);
    const index = gl.getAttribLocation(splats.program, "index");
    gl.enableVertexAttribArray(index);
    gl.vertexAttribIPointer(index, 1, gl.UNSIGNED_INT, 0, 0);
    gl.vertexAttribDivisor(index, 1);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.count);
  }

  free() {
    for (const { texture } of Object.values(this.textures)) this.gl.deleteTexture(texture);
    this.gl.deleteBuffer(this.order);
    this.gl.deleteVertexArray(this.vertices);
  }
}

// A texture as a table: entries of `width` numbers, `perRow` in a row.
class Table {
  constructor(gl, internal, format, width, count, perRow) {
    Object.assign(this, { gl, format, width, perRow });
    this.texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    const rows = Math.max(1, Math.ceil(count / perRow));
    gl.texStorage2D(gl.TEXTURE_2D, 1, internal, perRow, rows);
  }

  // Write entries from number `from` on: the rest of a row, whole rows, the begin of a row.
  put(values, from) {
    const { gl, width, perRow } = this;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    const count = values.length / width;
    for (let done = 0; done < count; ) {
      const x = (from + done) % perRow;
      const y = Math.floor((from + done) / perRow);
      const left = count - done;
      const rows = x === 0 ? Math.floor(left / perRow) : 0;
      const columns = rows > 0 ? perRow : Math.min(left, perRow - x);
      gl.texSubImage2D(gl.TEXTURE_2D, 0, x, y, columns, Math.max(rows, 1), this.format, gl.FLOAT,
        values, done * width);
      done += columns * Math.max(rows, 1);
    }
  }
}

function makeProgram(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) {
      throw new Error(`A shader does not compile: ${gl.getShaderInfoLog(shader)}`);
    }
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    throw new Error(`The shaders do not link: ${gl.getProgramInfoLog(program)}`);
  }
  const places = new Map();
  const at = (name) => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(program, name));
    return places.get(name);
  };
  return { program, at };
}
