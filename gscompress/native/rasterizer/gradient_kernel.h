// Gradients, part 2: from the splats to the parameters of the Gaussians.
//
// The most memory is read and written here, so Gaussians are taken in the order of the scene.
#pragma once

#include "backward_kernel.h"
#include "kernels.h"
#include "project_kernel.h"
#include "projection.h"
#include "sh.h"

namespace gscompress::raster::GSC_SIMD {

// Up to kLanes splats, and the sums of their slots. Lanes past the end repeat the last splat.
struct GradientBlock {
  const Splat* splats;
  int count;
  alignas(64) float sums[kGradientSlot][kLanes];
  size_t id[kLanes];

  GSC_INLINE Floats column(const float* p, int width, int c) const {
    alignas(64) float lanes[kLanes];
    for (int i = 0; i < kLanes; ++i) lanes[i] = p[id[i] * static_cast<size_t>(width) + c];
    return load(lanes);
  }
  GSC_INLINE void scatter(Floats v, float* p, int width, int c) const {
    alignas(64) float lanes[kLanes];
    store(lanes, v);
    for (int i = 0; i < count; ++i) p[id[i] * static_cast<size_t>(width) + c] = lanes[i];
  }
};

template <int kSize>
GSC_INLINE void sum_slots(const Slots& slots, size_t splat, int lane, GradientBlock& block) {
  float total[kSize] = {};
  const size_t first = slots.first[splat], end = first + slots.count[splat];
  for (size_t slot = first; slot < end; ++slot) {
    const float* v = slots.values + slot * kSize;
    for (int k = 0; k < kSize; ++k) total[k] += v[k];
  }
  const uint32_t clamped = block.splats[lane].clamped;
  for (int k = 0; k < kSize; ++k) block.sums[k][lane] = total[k];
  for (int c = 0; c < 3; ++c) {
    if (clamped >> c & 1) block.sums[c][lane] = 0;
  }
}

// Gradient by the harmonics of one Gaussian: basis[k] color.
GSC_INLINE void write_sh_gradient(const float* basis, int bases, const float* color, float* out) {
  using Float4 = float __attribute__((vector_size(16)));
  const Float4 by_color{color[0], color[1], color[2], 0};
  for (int k = 0; k + 1 < bases; ++k) {
    const Float4 row = by_color * basis[k * kLanes];
    std::memcpy(out + 3 * k, &row, sizeof row);  // the fourth lane is written again by the next row
  }
  for (int c = 0; c < 3; ++c) out[3 * (bases - 1) + c] = color[c] * basis[(bases - 1) * kLanes];
}

// Writes the gradient by the harmonics; adds the one by the means, through the viewing direction.
GSC_INLINE void sh_gradient(const View& view, const Scene& scene, const GradientBlock& block,
                            Vec3 mean, float* out, Vec3* by_mean) {
  const int bases = view.bases;
  const size_t row = 3 * static_cast<size_t>(bases);
  Floats inverse_distance;
  const Vec3 d = view_direction(view, mean, inverse_distance);
  alignas(64) Floats basis[kMaxBases];
  sh_basis(bases, d.x, d.y, d.z, basis);
  alignas(64) float dots[kMaxBases][kLanes];  // coefficient . dL/dcolor
  for (int lane = 0; lane < kLanes; ++lane) {
    const float color[3] = {block.sums[0][lane], block.sums[1][lane], block.sums[2][lane]};
    if (lane < block.count)
      write_sh_gradient(reinterpret_cast<const float*>(basis) + lane, bases, color,
                        out + block.id[lane] * row);
    if (!by_mean) continue;
    const float* sh = scene.sh + block.id[lane] * row;
    for (int k = 0; k < bases; ++k)
      dots[k][lane] = sh[3 * k] * color[0] + sh[3 * k + 1] * color[1] + sh[3 * k + 2] * color[2];
  }
  if (!by_mean) return;
  Floats weight[kMaxBases], g[3];
  for (int k = 0; k < bases; ++k) weight[k] = load(dots[k]);
  sh_basis_gradient(bases, d.x, d.y, d.z, weight, g);
  const Floats along = g[0] * d.x + g[1] * d.y + g[2] * d.z;
  by_mean->x += (g[0] - along * d.x) * inverse_distance;
  by_mean->y += (g[1] - along * d.y) * inverse_distance;
  by_mean->z += (g[2] - along * d.z) * inverse_distance;
}

// Gradients by the image position, the image covariance before the blur (symmetric) and the
// opacity.
struct SplatGradient {
  Floats x, y, xx, xy, yy, opacity;
};

GSC_INLINE SplatGradient splat_gradient(const View& view, const Projection& p, Floats opacity,
                                        const GradientBlock& block) {
  const Floats h = load(block.sums[3]), hx = load(block.sums[4]), hxx = load(block.sums[5]);
  const Floats hy = load(block.sums[6]), hxy = load(block.sums[7]), hyy = load(block.sums[8]);
  const Floats inverse_det = Floats(1.0f) / p.det;
  const Floats a = p.yy * inverse_det, b = -p.xy * inverse_det, c = p.xx * inverse_det;  // conic Q
  SplatGradient g;
  g.x = a * hx + b * hy;
  g.y = b * hx + c * hy;
  // dL/dQ = -1/2 H with H the second moments of h; so dL/dcovariance = 1/2 Q H Q.
  const Floats e00 = a * hxx + b * hxy, e01 = a * hxy + b * hyy;
  const Floats e10 = b * hxx + c * hxy, e11 = b * hxy + c * hyy;
  g.xx = (e00 * a + e01 * b) * 0.5f;
  g.xy = (e00 * b + e01 * c) * 0.5f;
  g.yy = (e10 * b + e11 * c) * 0.5f;
  g.opacity = h / opacity;  // h is alpha dL/dalpha, the same for any factor of alpha
  if (view.antialiased) {
    // alpha has the factor sqrt(sharp / det): half the gradients of its logarithm, times h.
    const Floats half_h = h * 0.5f;
    const Floats inverse_sharp = half_h / p.sharp_det, blurred = half_h * inverse_det;
    g.xx += (p.yy - view.blur) * inverse_sharp - p.yy * blurred;
    g.yy += (p.xx - view.blur) * inverse_sharp - p.xx * blurred;
    g.xy -= p.xy * (inverse_sharp - blurred);
  }
  return g;
}

GSC_INLINE void quat_gradient(const Projection& p, const Floats* r, Floats* out) {
  const Floats w = p.quat[0], x = p.quat[1], y = p.quat[2], z = p.quat[3];
  const Floats two(2.0f);
  const Floats xy = r[1] + r[3], xz = r[2] + r[6], yz = r[5] + r[7];
  const Floats wx = r[7] - r[5], wy = r[2] - r[6], wz = r[3] - r[1];
  const Floats g[4] = {two * (x * wx + y * wy + z * wz),
                       two * (y * xy + z * xz + w * wx - two * x * (r[4] + r[8])),
                       two * (x * xy + z * yz + w * wy - two * y * (r[0] + r[8])),
                       two * (x * xz + y * yz + w * wz - two * z * (r[0] + r[4]))};
  const Floats along = g[0] * w + g[1] * x + g[2] * y + g[3] * z;
  for (int i = 0; i < 4; ++i) out[i] = (g[i] - along * p.quat[i]) * p.inverse_norm;
}

struct ShapeGradient {
  Floats quat[4], scale[3];
  Vec3 camera;  // by the mean in camera coordinates
};

GSC_INLINE ShapeGradient shape_gradient(const View& view, const Projection& p, const Floats* scale,
                                        const SplatGradient& g) {
  ShapeGradient out;
  Floats by_turned[6], by_jacobian[6], by_rotation[9];
  for (int j = 0; j < 3; ++j) {
    const Floats a = p.axes[j], b = p.axes[3 + j];
    const Floats by_a = (g.xx * a + g.xy * b) * 2.0f, by_b = (g.xy * a + g.yy * b) * 2.0f;
    out.scale[j] = by_a * p.turned[j] + by_b * p.turned[3 + j];
    by_turned[j] = by_a * scale[j];
    by_turned[3 + j] = by_b * scale[j];
  }
  for (int i = 0; i < 3; ++i) {
    const Floats* r = p.rotation + 3 * i;
    for (int h = 0; h < 2; ++h) {
      const Floats* t = by_turned + 3 * h;
      by_jacobian[3 * h + i] = t[0] * r[0] + t[1] * r[1] + t[2] * r[2];
    }
    for (int j = 0; j < 3; ++j)
      by_rotation[3 * i + j] =
          p.jacobian_view[i] * by_turned[j] + p.jacobian_view[3 + i] * by_turned[3 + j];
  }
  quat_gradient(p, by_rotation, out.quat);

  // Rows of J V: focal / z (V[0] - x/z V[2]) and the same for y; and the centre, focal x / z.
  const float* v = view.rotation;
  const Floats zero(0.0f), rz = p.inverse_z;
  const float focal[2] = {view.fx, view.fy};
  const Floats tangent[2] = {p.tangent_x, p.tangent_y};
  const Floats free[2] = {p.camera.x * rz, p.camera.y * rz};
  const Floats by_center[2] = {g.x, g.y};
  Floats by_tangent[2], by_inverse_z = zero;
  for (int h = 0; h < 2; ++h) {
    const Floats* t = by_jacobian + 3 * h;
    const Floats to_plane = t[0] * v[3 * h] + t[1] * v[3 * h + 1] + t[2] * v[3 * h + 2];
    const Floats to_depth = t[0] * v[6] + t[1] * v[7] + t[2] * v[8];
    by_inverse_z += (to_plane - tangent[h] * to_depth) * focal[h];
    const Mask inside = (free[h] >= tangent[h]) & (free[h] <= tangent[h]);
    by_tangent[h] = by_center[h] * focal[h] - keep(inside, rz * to_depth * focal[h]);
  }
  out.camera.x = by_tangent[0] * rz;
  out.camera.y = by_tangent[1] * rz;
  out.camera.z = -(by_tangent[0] * free[0] + by_tangent[1] * free[1] + by_inverse_z * rz) * rz;
  return out;
}

GSC_INLINE void write_geometry(const View& view, const Scene& scene, const GradientBlock& block,
                               const SceneGradient& out) {
  const Vec3 mean{block.column(scene.means, 3, 0), block.column(scene.means, 3, 1),
                  block.column(scene.means, 3, 2)};
  Floats quat[4], scale[3];
  for (int c = 0; c < 4; ++c) quat[c] = block.column(scene.quats, 4, c);
  for (int c = 0; c < 3; ++c) scale[c] = block.column(scene.scales, 3, c);
  const Floats opacity = block.column(scene.opacities, 1, 0);
  Projection p;
  p.camera = to_camera(view, mean);
  project(view, quat, scale, p);
  const SplatGradient splat = splat_gradient(view, p, opacity, block);
  const ShapeGradient shape = shape_gradient(view, p, scale, splat);
  const float* v = view.rotation;
  const Vec3 c = shape.camera;
  Vec3 by_mean{c.x * v[0] + c.y * v[3] + c.z * v[6], c.x * v[1] + c.y * v[4] + c.z * v[7],
               c.x * v[2] + c.y * v[5] + c.z * v[8]};
  sh_gradient(view, scene, block, mean, out.sh, &by_mean);
  block.scatter(by_mean.x, out.means, 3, 0);
  block.scatter(by_mean.y, out.means, 3, 1);
  block.scatter(by_mean.z, out.means, 3, 2);
  for (int i = 0; i < 4; ++i) block.scatter(shape.quat[i], out.quats, 4, i);
  for (int i = 0; i < 3; ++i) block.scatter(shape.scale[i], out.scales, 3, i);
  block.scatter(splat.opacity, out.opacities, 1, 0);
  if (out.means2d) {
    block.scatter(splat.x, out.means2d, 2, 0);
    block.scatter(splat.y, out.means2d, 2, 1);
  }
}

// Zeros for the Gaussians [begin, end), which are not seen.
GSC_INLINE void clear_rows(const SceneGradient& out, int bases, size_t begin, size_t end) {
  if (begin >= end) return;
  const auto clear = [begin, end](float* p, int width) {
    const auto w = static_cast<size_t>(width);
    if (p) __builtin_memset(p + begin * w, 0, (end - begin) * w * sizeof(float));
  };
  clear(out.means, 3);
  clear(out.quats, 4);
  clear(out.scales, 3);
  clear(out.opacities, 1);
  clear(out.sh, 3 * bases);
  clear(out.means2d, 2);
}

// Splats [begin, end) are those of the Gaussians [first_id, end_id).
inline void gradient_range(const View& view, const Scene& scene, const Splat* splats,
                           const Slots& slots, size_t begin, size_t end, size_t first_id,
                           size_t end_id, const SceneGradient& out) {
  const bool geometry = out.means != nullptr;
  size_t next_id = first_id;
  for (size_t i = begin; i < end; i += kLanes) {
    GradientBlock block;
    block.splats = splats + i;
    block.count = end - i < kLanes ? static_cast<int>(end - i) : kLanes;
    for (int lane = 0; lane < block.count; ++lane) {
      const size_t id = splats[i + static_cast<size_t>(lane)].id;
      block.id[lane] = id;
      clear_rows(out, view.bases, next_id, id);
      next_id = id + 1;
      if (geometry)
        sum_slots<kGradientSlot>(slots, i + static_cast<size_t>(lane), lane, block);
      else
        sum_slots<kColorSlot>(slots, i + static_cast<size_t>(lane), lane, block);
    }
    for (int lane = block.count; lane < kLanes; ++lane) {
      block.id[lane] = block.id[block.count - 1];
      for (auto& row : block.sums) row[lane] = 0;
    }
    if (geometry) {
      write_geometry(view, scene, block, out);
    } else {
      const Vec3 mean{block.column(scene.means, 3, 0), block.column(scene.means, 3, 1),
                      block.column(scene.means, 3, 2)};
      sh_gradient(view, scene, block, mean, out.sh, nullptr);
    }
  }
  clear_rows(out, view.bases, next_id, end_id);
}

}  // namespace gscompress::raster::GSC_SIMD
