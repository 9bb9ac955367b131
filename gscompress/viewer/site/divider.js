// The divider between two scenes: a slider for mouse, pen, finger and keyboard.

const STEP = 0.02; // of the width, for an arrow key
const STRIDE = 0.1; // for page up and page down

export class Divider {
  constructor(element, stage) {
    this.element = element;
    this.stage = stage;
  }

  // Put it at a share of the width, and show it where there is something to divide.
  move(share) {
    const { element, stage } = this;
    stage.setSplit(share);
    const percent = Math.round(100 * stage.split);
    element.hidden = !stage.isSplit();
    element.style.left = `${100 * stage.split}%`;
    element.setAttribute("aria-valuenow", percent);
    element.setAttribute("aria-valuetext", `${percent}% to the left scene`);
  }

  nudge(steps) {
    this.move(this.stage.split + steps * STEP);
  }

  toggle() {
    this.stage.splitOn = !this.stage.splitOn;
    this.move(this.stage.split);
  }

  listen() {
    const { element } = this;
    element.addEventListener("pointerdown", (event) => element.setPointerCapture(event.pointerId));
    element.addEventListener("pointermove", (event) => {
      if (element.hasPointerCapture(event.pointerId)) this.move(event.clientX / innerWidth);
    });
    element.addEventListener("keydown", (event) => {
      const target = this.#targetOf(event.key);
      if (target === null || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.move(target);
    });
  }

  // Where a key moves it to while it has the focus; null: nowhere. As WAI-ARIA has it for sliders.
  #targetOf(key) {
    const { split } = this.stage;
    switch (key) {
      case "ArrowLeft": case "ArrowDown": return split - STEP;
      case "ArrowRight": case "ArrowUp": return split + STEP;
      case "PageDown": return split - STRIDE;
      case "PageUp": return split + STRIDE;
      case "Home": return 0;
      case "End": return 1;
      default: return null;
    }
  }
}
