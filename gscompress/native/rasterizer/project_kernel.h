// Stage 1: visible Gaussians become splats.
#pragma once

#include "kernels.h"
#include "projection.h"
#include "sh.h"

namespace gscompress::raster::GSC_SIMD {

// sum_k basis[k] sh[k]: the colour before offset and clamp.
GSC_INLINE void sh_color(const float* sh, const float* basis, int stride, int bases, float* color) {
  using Float4 = float __attribute__((vector_size(16)));
  Float4 even{}, odd{};
  const auto row = [sh](int k) {
    Float4 r;
    std::memcpy(&r, sh + 3 * k, sizeof r);  // the fourth lane is the next coefficient: ignored
    return r;
  };
  int k = 0;
  for (; k + 2 < bases; k += 2) {
    even += row(k) * basis[k * stride];
    odd += row(k + 1) * basis[(k + 1) * stride];
  }
  if (k + 1 < bases) even += row(k) * basis[k * stride], ++k;
  even += odd;
  const float last = basis[k * stride];
  for (int c = 0; c < 3; ++c) color[c] = even[c] + sh[3 * k + c] * last;
}

// Unit direction from the camera to the points, and 1 / distance.
GSC_INLINE Vec3 view_direction(const View& view, Vec3 mean, Floats& inverse_distance) {
  const Vec3 d{mean.x - view.position[0], mean.y - view.position[1], mean.z - view.position[2]};
  const Floats length2 = d.x * d.x + d.y * d.y + d.z * d.z;
  inverse_distance = Floats(1.0f) / sqrt(max(length2, 1e-24f));
  return {d.x * inverse_distance, d.y * inverse_distance, d.z * inverse_distance};
}

// The lanes that can be seen, and the parts of a Splat as vectors.
struct SplatLanes {
  Floats x, y, xx, xy, yy, peak, half_x, half_y, slope, reach, top_x;
};

GSC_INLINE uint32_t make_splats(const View& view, const Projection& p, Floats opacity,
                                SplatLanes& s) {
  if (view.antialiased) opacity *= sqrt(p.sharp_det / p.det);
  s.peak = log2(max(opacity, 1e-10f)) * 0.125f;
  // alpha >= 1/255 inside of the ellipse d^T conic d = level; a little more, against rounding.
  const Floats level = (s.peak - kLog2AlphaMin) * (16 * kLn2) + 2e-3f;
  s.half_x = sqrt(level * p.xx);
  s.half_y = sqrt(level * p.yy);
  s.x = p.camera.x * p.inverse_z * view.fx + view.cx;
  s.y = p.camera.y * p.inverse_z * view.fy + view.cy;
  const Floats inverse_det = Floats(1.0f) / p.det;
  s.xx = p.yy * inverse_det * kDiagonal;
  s.xy = -p.xy * inverse_det * kCross;
  s.yy = p.xx * inverse_det * kDiagonal;
  const Floats inverse_xx = Floats(1.0f) / p.xx;
  s.slope = p.xy * inverse_xx;
  s.reach = sqrt(p.det) * inverse_xx;
  s.top_x = p.xy * s.half_y / p.yy;
  const float w = static_cast<float>(view.width), h = static_cast<float>(view.height);
  return bits(opacity >= kAlphaMin) & bits(p.det < 3e38f) & bits(s.x + s.half_x > 0.5f) &
         bits(s.x - s.half_x < w - 0.5f) & bits(s.y + s.half_y > 0.5f) &
         bits(s.y - s.half_y < h - 0.5f);
}

// Writes the splat of one lane but for its colour.
GSC_INLINE void write_splat(const SplatLanes& s, int lane, uint32_t id, Splat& out) {
  const auto at = [lane](const Floats& v) {
    float f;
    std::memcpy(&f, reinterpret_cast<const char*>(&v) + 4 * lane, 4);
    return f;
  };
  out.x = at(s.x);
  out.y = at(s.y);
  out.xx = at(s.xx);
  out.xy = at(s.xy);
  out.yy = at(s.yy);
  out.peak = at(s.peak);
  out.half_x = at(s.half_x);
  out.half_y = at(s.half_y);
  out.slope = at(s.slope);
  out.reach = at(s.reach);
  out.top_x = at(s.top_x);
  out.id = id;
}

GSC_INLINE void set_color(Splat& splat, const float* color) {
  splat.clamped = 0;
  for (int c = 0; c < 3; ++c) {
    const float v = color[c] + 0.5f;
    splat.clamped |= static_cast<uint32_t>(v < 0) << c;
    splat.color[c] = v < 0 ? 0 : v;
  }
}

// Reads Gaussian attributes of kLanes consecutive rows; rows past the end repeat the last one.
struct BlockReader {
  const Scene& scene;
  size_t begin;
  int count;

  GSC_INLINE Floats column(const float* p, int width, int c) const {
    const float* first = p + begin * static_cast<size_t>(width) + c;
    if (count == kLanes) return load_strided(first, width);
    alignas(64) float lanes[kLanes];
    for (int i = 0; i < kLanes; ++i) lanes[i] = first[(i < count ? i : count - 1) * width];
    return load(lanes);
  }
  GSC_INLINE Vec3 mean() const {
    return {column(scene.means, 3, 0), column(scene.means, 3, 1), column(scene.means, 3, 2)};
  }
  GSC_INLINE void quat(Floats* q) const {
    for (int c = 0; c < 4; ++c) q[c] = column(scene.quats, 4, c);
  }
  GSC_INLINE void scale(Floats* s) const {
    for (int c = 0; c < 3; ++c) s[c] = column(scene.scales, 3, c);
  }
  GSC_INLINE Floats opacity() const { return column(scene.opacities, 1, 0); }
};

// Colours of the splats out[0], out[1], ... which are the set bits of `visible` among the lanes.
GSC_INLINE void color_splats(const View& view, const Scene& scene, Vec3 mean, uint32_t visible,
                             Splat* out) {
  Floats inverse_distance;
  const Vec3 d = view_direction(view, mean, inverse_distance);
  alignas(64) Floats basis[kMaxBases];
  sh_basis(view.bases, d.x, d.y, d.z, basis);
  const auto* values = reinterpret_cast<const float*>(basis);
  const size_t row = 3 * static_cast<size_t>(view.bases);
  for (; visible; visible &= visible - 1, ++out) {
    float color[3];
    sh_color(scene.sh + out->id * row, values + __builtin_ctz(visible), kLanes, view.bases, color);
    set_color(*out, color);
  }
}

inline size_t project_range(const View& view, const Scene& scene, size_t begin, size_t end,
                            size_t first, Splat* splats, DepthKey* keys) {
  size_t made = 0;
  for (size_t block = begin; block < end; block += kLanes) {
    const int count = end - block < kLanes ? static_cast<int>(end - block) : kLanes;
    const BlockReader read{scene, block, count};
    const Vec3 mean = read.mean();
    Projection p;
    p.camera = to_camera(view, mean);
    const Floats opacity = read.opacity();
    uint32_t visible = bits(p.camera.z >= kNear) & bits(p.camera.z <= kFar) &
                       bits(opacity >= kAlphaMin) & ((1u << count) - 1);
    if (!visible) continue;
    Floats quat[4], scale[3];
    read.quat(quat);
    read.scale(scale);
    project(view, quat, scale, p);
    SplatLanes lanes;
    visible &= make_splats(view, p, opacity, lanes);
    if (!visible) continue;
    alignas(64) float depth[kLanes];
    store(depth, p.camera.z);
    const size_t before = made;
    for (uint32_t m = visible; m; m &= m - 1, ++made) {
      const int lane = __builtin_ctz(m);
      write_splat(lanes, lane, static_cast<uint32_t>(block) + static_cast<uint32_t>(lane),
                  splats[made]);
      std::memcpy(&keys[made].depth, depth + lane, 4);
      keys[made].splat = static_cast<uint32_t>(first + made);
    }
    color_splats(view, scene, mean, visible, splats + before);
  }
  return made;
}

}  // namespace gscompress::raster::GSC_SIMD
