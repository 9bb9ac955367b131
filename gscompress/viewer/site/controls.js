// Mouse, pen and fingers on the canvas.

const TURN = 0.005; // radians per pixel
const ZOOM = 0.001; // e-folds per unit of the wheel

export class Controls {
  constructor(canvas, stage) {
    this.canvas = canvas;
    this.stage = stage;
    this.pointers = new Map();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    }
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.stage.zoom(event.deltaY * ZOOM);
    }, { passive: false });
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) return;
    const spread = this.#spread();
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.pointers.size > 1) {
      this.stage.zoom(Math.log(spread / this.#spread()) || 0);
      this.stage.pan(dx / 2, dy / 2);
    } else if (event.shiftKey || event.buttons & 6) {
      this.stage.pan(dx, dy);
    } else {
      this.stage.turn(dx * TURN, dy * TURN);
    }
  }

  // Distance of two fingers.
  #spread() {
    const [a, b] = [...this.pointers.values()];
    return b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 1;
  }
}
