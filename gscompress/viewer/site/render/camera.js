// Cameras: pinholes with a pose, in OpenCV's axes (x right, y down, z forward).

// A pose: position, and the columns of its rotation in the world (right, down, forward).
export class Pose {
  constructor(position, right, down, forward) {
    this.position = position;
    this.axes = [right, down, forward];
  }

  // From a world-to-camera matrix, 16 numbers by rows.
  static fromViewmat(m) {
    const axes = [m.slice(0, 3), m.slice(4, 7), m.slice(8, 11)];
    const position = [0, 1, 2].map(
      (k) => -(m[k] * m[3] + m[4 + k] * m[7] + m[8 + k] * m[11]));
    return new Pose(position, ...axes);
  }

  // Looking from `position` to `target`; `up` points up in the image.
  static lookAt(position, target, up) {
    const forward = normalized(minus(target, position));
    const right = normalized(cross(forward, up));
    return new Pose(position, right, cross(forward, right), forward);
  }

  // Turned by angles around a point: `yaw` around the axis `up`, `pitch` around its own right.
  turned(target, up, yaw, pitch) {
    const turn = (v) => rotated(rotated(v, this.axes[0], pitch), up, yaw);
    const arm = turn(minus(this.position, target));
    return new Pose(plus(target, arm), ...this.axes.map(turn));
  }

  moved(right, down, forward) {
    let { position } = this;
    [right, down, forward].forEach((length, k) => {
      position = plus(position, times(this.axes[k], length));
    });
    return new Pose(position, ...this.axes);
  }
}

// What the renderer takes: the pose and the lens fitted into an image of width x height.
export function cameraFor(pose, lens, width, height) {
  const scale = Math.min(width / lens.width, height / lens.height);
  const rotation = pose.axes; // rows of world-to-camera are the camera's axes
  return {
    position: pose.position,
    rotation,
    translation: rotation.map((axis) => -dot(axis, pose.position)),
    fx: lens.fx * scale,
    fy: lens.fy * scale,
    cx: width / 2 + (lens.cx - lens.width / 2) * scale,
    cy: height / 2 + (lens.cy - lens.height / 2) * scale,
  };
}

// cameras.json of the INRIA trainer as {name, width, height, fx, fy, cx, cy, viewmat}.
export function readInriaCameras(entries) {
  return entries.map((entry) => {
    const { position: p, rotation: r } = entry; // r: camera-to-world by rows
    const axes = [0, 1, 2].map((k) => [r[0][k], r[1][k], r[2][k]]);
    const rows = axes.map((axis) => [...axis, -dot(axis, p)]);
    return {
      name: String(entry.img_name ?? entry.id),
      width: entry.width,
      height: entry.height,
      fx: entry.fx,
      fy: entry.fy,
      cx: entry.width / 2,
      cy: entry.height / 2,
      viewmat: [...rows.flat(), 0, 0, 0, 1],
    };
  });
}

export const plus = (a, b) => a.map((v, k) => v + b[k]);
export const minus = (a, b) => a.map((v, k) => v - b[k]);
export const times = (a, s) => a.map((v) => v * s);
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const length = (a) => Math.hypot(...a);
export const normalized = (a) => times(a, 1 / (length(a) || 1));
export const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0],
];

// v turned around a unit axis (Rodrigues).
function rotated(v, axis, angle) {
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  const along = dot(axis, v) * (1 - c);
  const side = cross(axis, v);
  return v.map((value, k) => value * c + side[k] * s + axis[k] * along);
}
