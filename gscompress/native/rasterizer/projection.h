// Projection of Gaussians to the image: local affine approximation of the perspective map.
//
// Source: Zwicker et al., EWA Volume Splatting, 2001. Written for vectors of Gaussians.
#pragma once

#include "simd.h"
#include "types.h"

namespace gscompress::raster::GSC_SIMD {

struct Vec3 {
  Floats x, y, z;
};

// kLanes Gaussians and what their projection is made of.
struct Projection {
  Vec3 camera;       // the mean in camera coordinates
  Floats inverse_z;  // 1 / z
  Floats tangent_x;  // x / z, clamped to the margin of the frustum
  Floats tangent_y;
  Floats jacobian_view[6];  // J V [2, 3]: derivative of the image by the world
  Floats quat[4];           // normalised, wxyz
  Floats inverse_norm;      // of the quaternion
  Floats rotation[9];       // of the Gaussian [3, 3]
  Floats turned[6];         // J V R [2, 3]
  Floats axes[6];           // J V R S [2, 3]: its half axes on the image, as columns
  Floats xx, xy, yy;        // covariance on the image, blurred
  Floats sharp_det;         // determinant before the blur
  Floats det;               // and after
};

GSC_INLINE Vec3 to_camera(const View& view, Vec3 p) {
  const float* r = view.rotation;
  const float* t = view.translation;
  return {p.x * r[0] + p.y * r[1] + (p.z * r[2] + t[0]),
          p.x * r[3] + p.y * r[4] + (p.z * r[5] + t[1]),
          p.x * r[6] + p.y * r[7] + (p.z * r[8] + t[2])};
}

GSC_INLINE void rotation_of(const Floats* q, Floats* r) {
  const Floats w = q[0], x = q[1], y = q[2], z = q[3];
  const Floats one(1.0f), two(2.0f);
  r[0] = one - two * (y * y + z * z);
  r[1] = two * (x * y - w * z);
  r[2] = two * (x * z + w * y);
  r[3] = two * (x * y + w * z);
  r[4] = one - two * (x * x + z * z);
  r[5] = two * (y * z - w * x);
  r[6] = two * (x * z - w * y);
  r[7] = two * (y * z + w * x);
  r[8] = one - two * (x * x + y * y);
}

// Everything of `p` but `camera`, which is given.
GSC_INLINE void project(const View& view, const Floats* quat, const Floats* scale, Projection& p) {
  p.inverse_z = Floats(1.0f) / p.camera.z;
  p.tangent_x = clamp(p.camera.x * p.inverse_z, view.min_x, view.max_x);
  p.tangent_y = clamp(p.camera.y * p.inverse_z, view.min_y, view.max_y);
  const Floats jx = p.inverse_z * view.fx, jy = p.inverse_z * view.fy;
  for (int j = 0; j < 3; ++j) {
    const float* v = view.rotation;
    p.jacobian_view[j] = jx * (Floats(v[j]) - p.tangent_x * v[6 + j]);
    p.jacobian_view[3 + j] = jy * (Floats(v[3 + j]) - p.tangent_y * v[6 + j]);
  }
  const Floats norm2 =
      quat[0] * quat[0] + quat[1] * quat[1] + quat[2] * quat[2] + quat[3] * quat[3];
  p.inverse_norm = Floats(1.0f) / sqrt(norm2);
  for (int i = 0; i < 4; ++i) p.quat[i] = quat[i] * p.inverse_norm;
  rotation_of(p.quat, p.rotation);
  for (int i = 0; i < 2; ++i) {
    const Floats* u = p.jacobian_view + 3 * i;
    for (int j = 0; j < 3; ++j) {
      const Floats* r = p.rotation;
      p.turned[3 * i + j] = u[0] * r[j] + u[1] * r[3 + j] + u[2] * r[6 + j];
      p.axes[3 * i + j] = p.turned[3 * i + j] * scale[j];
    }
  }
  const Floats* a = p.axes;
  const Floats* b = p.axes + 3;
  const Floats xx = a[0] * a[0] + a[1] * a[1] + a[2] * a[2];
  const Floats yy = b[0] * b[0] + b[1] * b[1] + b[2] * b[2];
  p.xy = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  // Lagrange's identity: no cancellation where xx yy is close to xy^2 (long, thin Gaussians).
  const Floats m0 = a[0] * b[1] - a[1] * b[0];
  const Floats m1 = a[1] * b[2] - a[2] * b[1];
  const Floats m2 = a[2] * b[0] - a[0] * b[2];
  p.sharp_det = m0 * m0 + m1 * m1 + m2 * m2;
  p.det = p.sharp_det + (xx + yy) * view.blur + view.blur * view.blur;
  p.xx = xx + view.blur;
  p.yy = yy + view.blur;
}

}  // namespace gscompress::raster::GSC_SIMD
