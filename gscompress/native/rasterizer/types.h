// What the stages of the rasterizer hand to each other. Plain data only: these types are shared by
// units that are compiled for different instruction sets, so nothing here may own memory or be
// virtual.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gscompress::raster {

// Image semantics of gsplat 1.5.3.
inline constexpr float kAlphaMin = 1.0f / 255.0f;  // a splat adds nothing below this opacity
inline constexpr float kAlphaMax = 0.999f;         // opacity of one splat at one pixel is cut here
inline constexpr float kStop = 1e-4f;              // a pixel is finished when so little passes
inline constexpr float kBlur = 0.3f;               // View::blur of an ordinary view
inline constexpr float kNear = 0.01f;
inline constexpr float kFar = 1e10f;
inline constexpr float kFrustumMargin = 0.3f;  // of tan(fov / 2), where the Jacobian is clamped

inline constexpr int kTile = 16;  // side of a tile in pixels
inline constexpr int kHalf = 8;   // a tile is blended as two halves of 8 x 16 pixels
inline constexpr int kMaxBases = 25;

// The exponent of a splat is evaluated as y = log2(alpha) / 8 and raised by three squarings.
inline constexpr float kLog2E = 1.44269504088896341f;
inline constexpr float kLn2 = 0.693147180559945309f;
inline constexpr float kDiagonal = -0.5f * kLog2E / 8;  // y per unit of the conic's diagonal
inline constexpr float kCross = -kLog2E / 8;            // y per unit of its off-diagonal
inline constexpr float kLog2AlphaMin = -7.99435343685886f / 8;

// A camera and the settings of one view.
struct View {
  float rotation[9];     // world to camera, row-major
  float translation[3];  // world to camera
  float position[3];     // of the camera, in the world
  float fx, fy, cx, cy;
  float blur;                        // added to the diagonal of 2-D covariances, in pixels^2
  float min_x, max_x, min_y, max_y;  // of x / z and y / z, where the Jacobian is clamped
  int width, height;
  int tiles_x, tiles_y;
  float background[3];
  int bases;  // spherical harmonics per colour channel: 1, 4, 9, 16 or 25
  int antialiased;
};

// The Gaussians of a scene, activated. Borrowed from the caller.
struct Scene {
  const float* means;      // [n, 3]
  const float* quats;      // [n, 4] wxyz, of any length but 0
  const float* scales;     // [n, 3]
  const float* opacities;  // [n]
  const float* sh;         // [n, bases, 3]
  size_t size;
};

// A visible Gaussian on the image; one cache line. With d = pixel - (x, y),
// log2(alpha) / 8 = peak + xx dx^2 + xy dx dy + yy dy^2.
struct alignas(64) Splat {
  float x, y;        // centre in pixels
  float xx, xy, yy;  // scaled conic
  float peak;        // log2(opacity) / 8
  float color[3];    // clamped at 0
  float half_x,
      half_y;          // half the extent, in pixels, of the ellipse outside of which alpha < 1/255
  float slope, reach;  // its rows at dx: slope dx +- reach sqrt(half_x^2 - dx^2)
  float top_x;         // dx at which it reaches dy = half_y
  uint32_t id;         // of the Gaussian in the scene
  uint32_t clamped;    // bit c is set where the colour channel c was clamped at 0
};
static_assert(sizeof(Splat) == 64);

// One splat on one tile, packed: bits 0-15 the rows that it covers, per half of the tile (first
// row, last row; first > last: none); bits 16-43 the splat; bits 44-63 the tile while binning,
// afterwards the ordinal of this tile among those that the splat touches.
inline constexpr int kSplatBits = 28;
inline constexpr int kTileBits = 20;
inline constexpr uint64_t kMaxSplats = uint64_t{1} << kSplatBits;
inline constexpr uint64_t kMaxTiles = uint64_t{1} << kTileBits;

struct Pair {
  uint64_t bits;

  static Pair make(uint64_t high, uint64_t splat, uint64_t rows) {
    return {high << (16 + kSplatBits) | splat << 16 | rows};
  }
  uint32_t rows() const { return static_cast<uint32_t>(bits & 0xffff); }
  uint32_t splat() const { return static_cast<uint32_t>(bits >> 16 & (kMaxSplats - 1)); }
  uint32_t high() const { return static_cast<uint32_t>(bits >> (16 + kSplatBits)); }
};

// A depth and the splat that lies there.
struct DepthKey {
  uint32_t depth;  // bits of a positive float: ordered as integers
  uint32_t splat;
};

// The pairs of every tile, front to back.
struct TileLists {
  const Splat* splats;
  const Pair* pairs;
  const uint64_t* begins;  // [tiles + 1]
};

// What the tiles have to say about their splats: a slot of floats per pair, those of a splat side
// by side, so that no two threads write to one place and sums have one order.
struct Slots {
  const uint32_t* first;  // [splats]: slot of its ordinal 0
  const uint32_t* count;  // [splats]
  float* values;          // [pairs, floats of a slot]
};

// The gradient of some loss by the image.
struct ImageGradient {
  const float* color;  // [height, width, 3]
  const float* alpha;  // [height, width], or null for zeros
};

// The gradient of the loss by what was rendered. `sh` is always there, the others all or none but
// for means2d, which may be null by itself.
struct SceneGradient {
  float* means;      // [n, 3]
  float* quats;      // [n, 4]
  float* scales;     // [n, 3]
  float* opacities;  // [n]
  float* sh;         // [n, bases, 3]
  float* means2d;    // [n, 2] pixels
};

// Scores of the Gaussians, to which those of a view are added.
struct ScoreSums {
  double* weight_sum;
  double* weight_sq_sum;
  float* weight_max;
  int64_t* hits;
  double* removal_effect;     // or null: then it is not computed
  double* transmittance_sum;  // or null, with the next: then they are not computed
  int64_t* dominated;
};

struct RenderedImage {
  const float* color;  // [height, width, 3]
  const float* alpha;  // [height, width]
};

struct Image {
  float* color;  // [height, width, 3]
  float* alpha;  // [height, width]
};

}  // namespace gscompress::raster
