// What is told of the scenes that are shown: bytes, Gaussians, how long it took.

const MEGA = 1e6;

// Write a box for each side into `place`. sides: facts of the scenes {name, bytes, count, ...} or
// {name, lines()}; arriving: by side {name, received, size}, or null; fps: of the drawing.
export function showStatistics(place, { sides, arriving, fps }) {
  const boxes = [];
  for (const k of [0, 1]) {
    const lines = sides[k] ? linesOf(sides[k], k > 0 ? sides[0] : null) : [];
    if (sides[k] && k === sides.findIndex(Boolean) && fps > 0 && !sides[k].lines) {
      lines.push(`${fps.toFixed(fps < 10 ? 1 : 0)} frames per second`);
    }
    if (sides[k] || arriving[k]) boxes.push(box(sides[k], lines, arriving[k]));
  }
  place.replaceChildren(...boxes);
}

function linesOf(side, reference) {
  if (side.lines) return side.lines();
  const whole = reference?.bytes > 0 && side.bytes > 0 ? reference.bytes / side.bytes : 1;
  return [
    `${side.bytes.toLocaleString("en")} bytes${whole >= 1.05 ? `, ${whole.toFixed(1)}x smaller` : ""}`,
    `${side.count.toLocaleString("en")} Gaussians, degree ${side.shDegree}`,
    `decoded in ${side.milliseconds.toFixed(0)} ms${side.level}`,
  ];
}

function box(side, lines, arriving) {
  const found = document.createElement("div");
  const add = (tag, properties) =>
    found.append(Object.assign(document.createElement(tag), properties));
  if (side) add("b", { textContent: side.name });
  for (const textContent of lines) add("span", { textContent });
  if (arriving) {
    const { name, received, size } = arriving;
    if (side?.name !== name) add("b", { textContent: name });
    const text = received < size
      ? `${(received / MEGA).toFixed(1)} of ${(size / MEGA).toFixed(1)} MB here` : "being decoded";
    add("span", { textContent: text });
    add("progress", { max: size || 1, value: received, ariaLabel: `Loading ${name}` });
  }
  return found;
}
