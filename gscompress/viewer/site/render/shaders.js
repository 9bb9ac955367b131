// Splats with the image semantics of the native renderer (and of gsplat): dilation of 0.3 px^2,
// cut at alpha 1/255, front to back. The attributes are the raw ones; activations happen here.

export const SPLAT_VERTEX = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;

uniform sampler2D means, logScales, quats, opacityLogits, sh;
uniform int perRow, shPerRow, terms;
uniform bool antialiased;
uniform mat3 rotation;  // world to camera
uniform vec3 translation, eye;
uniform vec4 lens;      // fx, fy, cx, cy in pixels
uniform vec2 size;      // of the image in pixels

in uint index;          // of the splat, front to back
out vec2 place;         // within the ellipse where alpha is 1/255: a unit circle
flat out vec4 paint;    // colour and opacity
flat out float level;   // 2 ln(255 opacity)

const float NEAR = 0.01;
const float DILATION = 0.3;
const float SEEN = 1.0 / 255.0;

vec3 term(ivec2 at, int k) {
  return texelFetch(sh, at + ivec2(k, 0), 0).rgb;
}

// Spherical harmonics (P.-P. Sloan, JCGT 2(2), 2013) with the signs of the 3DGS training codes.
vec3 colour(ivec2 at, vec3 d) {
  vec3 sum = 0.282094791773878143 * term(at, 0);
  if (terms <= 1) return sum;
  float x = d.x, y = d.y, z = d.z;
  sum += 0.488602511902919921 * (z * term(at, 2) - y * term(at, 1) - x * term(at, 3));
  if (terms <= 4) return sum;
  float z2 = z * z, c2 = x * x - y * y, s2 = 2.0 * x * y;
  sum += 0.546274215296039535 * (s2 * term(at, 4) + c2 * term(at, 8))
    - 1.092548430592079070 * z * (y * term(at, 5) + x * term(at, 7))
    + (0.946174695757560018 * z2 - 0.315391565252520006) * term(at, 6);
  if (terms <= 9) return sum;
  float c3 = x * c2 - y * s2, s3 = x * s2 + y * c2;
  float zonal2 = 0.946174695757560018 * z2 - 0.315391565252520006;
  float zonal3 = z * (1.865881662950577200 * z2 - 1.119528997770346320);
  sum += -0.590043589926643510 * (s3 * term(at, 9) + c3 * term(at, 15))
    + 1.445305721320277020 * z * (s2 * term(at, 10) + c2 * term(at, 14))
    + (0.457045799464465752 - 2.285228997322328760 * z2) * (y * term(at, 11) + x * term(at, 13))
    + zonal3 * term(at, 12);
  if (terms <= 16) return sum;
  float c4 = x * c3 - y * s3, s4 = x * s3 + y * c3;
  sum += 0.625835735449176135 * (s4 * term(at, 16) + c4 * term(at, 24))
    - 1.770130769779930530 * z * (s3 * term(at, 17) + c3 * term(at, 23))
    + (3.311611435151459730 * z2 - 0.473087347878779961) * (s2 * term(at, 18) + c2 * term(at, 22))
    + z * (2.007139630671867840 - 4.683325804901024970 * z2) * (y * term(at, 19) + x * term(at, 21))
    + (1.984313483298443070 * z * zonal3 - 1.006230589874905310 * zonal2) * term(at, 20);
  return sum;
}

mat3 rotationOf(vec4 quat) {  // wxyz
  vec4 q = quat / length(quat);
  float w = q.x, x = q.y, y = q.z, z = q.w;
  return mat3(
    1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y),
    2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x),
    2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y));
}

void main() {
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0);  // out of sight unless the end is reached
  int i = int(index);
  ivec2 at = ivec2(i % perRow, i / perRow);
  vec3 mean = texelFetch(means, at, 0).xyz;
  vec3 p = rotation * mean + translation;
  if (p.z < NEAR) return;

  vec2 tangent = 0.5 * size / lens.xy;
  vec2 low = -lens.zw / lens.xy - 0.3 * tangent;
  vec2 high = (size - lens.zw) / lens.xy + 0.3 * tangent;
  vec2 slope = clamp(p.xy / p.z, low, high);
  vec3 scale = exp(texelFetch(logScales, at, 0).xyz);
  mat3 axes = rotation * rotationOf(texelFetch(quats, at, 0));
  axes = mat3(axes[0] * scale.x, axes[1] * scale.y, axes[2] * scale.z);
  vec3 row0 = vec3(1.0, 0.0, -slope.x) * (lens.x / p.z) * axes;
  vec3 row1 = vec3(0.0, 1.0, -slope.y) * (lens.y / p.z) * axes;

  float xx = dot(row0, row0), xy = dot(row0, row1), yy = dot(row1, row1);
  vec3 area = cross(row0, row1);
  float sharp = dot(area, area);
  float det = sharp + DILATION * (xx + yy) + DILATION * DILATION;
  xx += DILATION;
  yy += DILATION;
  float opacity = 1.0 / (1.0 + exp(-texelFetch(opacityLogits, at, 0).x));
  if (antialiased) opacity *= sqrt(sharp / det);
  if (!(opacity >= SEEN)) return;
  level = 2.0 * log(255.0 * opacity);

  float longest = 0.5 * (xx + yy) + length(vec2(0.5 * (xx - yy), xy));
  float shortest = det / longest;
  vec2 along = xx >= yy ? vec2(longest - yy, xy) : vec2(xy, longest - xx);
  along = dot(along, along) > 0.0 ? normalize(along) : vec2(1.0, 0.0);
  place = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  vec2 offset = sqrt(level * longest) * place.x * along
    + sqrt(level * shortest) * place.y * vec2(-along.y, along.x);
  vec2 pixel = p.xy / p.z * lens.xy + lens.zw + offset;
  ivec2 atSh = ivec2((i % shPerRow) * terms, i / shPerRow);
  paint = vec4(max(colour(atSh, normalize(mean - eye)) + 0.5, 0.0), opacity);
  gl_Position = vec4(2.0 * pixel.x / size.x - 1.0, 1.0 - 2.0 * pixel.y / size.y, 0.0, 1.0);
}
`;

export const SPLAT_FRAGMENT = `#version 300 es
precision highp float;
in vec2 place;
flat in vec4 paint;
flat in float level;
out vec4 light;

void main() {
  float square = dot(place, place);
  if (square > 1.0) discard;
  float alpha = min(0.999, paint.a * exp(-0.5 * level * square));
  light = vec4(paint.rgb * alpha, alpha);
}
`;

export const SCREEN_VERTEX = `#version 300 es
void main() {
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
}
`;

export const SCREEN_FRAGMENT = `#version 300 es
precision highp float;
uniform highp sampler2D gathered;
uniform vec3 background;
uniform int linear;
out vec4 pixel;

// IEC 61966-2-1
vec3 toLinear(vec3 c) {
  return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), vec3(greaterThan(c, vec3(0.04045))));
}

vec3 fromLinear(vec3 c) {
  vec3 high = 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055;
  return mix(12.92 * c, high, vec3(greaterThan(c, vec3(0.0031308))));
}

void main() {
  vec4 light = texelFetch(gathered, ivec2(gl_FragCoord.xy), 0);
  vec3 behind = linear == 1 ? toLinear(background) : background;
  vec3 seen = light.rgb + (1.0 - light.a) * behind;
  pixel = vec4(linear == 1 ? fromLinear(max(seen, 0.0)) : seen, 1.0);
}
`;
