"""Where the matter of a scene is: its centre, its size, and whether it surrounds the viewer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError
from gscompress.gaussians import Gaussians

__all__ = ["Extent", "area_weights", "measure", "sample_matter", "weighted_quantile"]

Points = NDArray[np.float64]

TAIL = 8.0
"""Ratio of the 98 % to the 50 % quantile of the distance from the centre, weighted by detail,
above which a scene is unbounded. Single objects have 2 to 3, captured places more than 20."""

SIZE_TREND = 0.3
"""Correlation of log size with log distance above which a scene was captured from within."""

MAX_SHARE = 1 / 500
"""Of all matter, what one Gaussian may count for: a sky is often a handful of huge ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """The rough shape of a scene.

    Attributes:
        centre: Of an object: the middle of the box around it. Of surroundings: where the detail is,
            which is the median position, weighted by opacity over size. Capture is finest where the
            cameras looked, so this finds the subject of an unbounded scene.
        radius: Of an object: of the sphere around it. Of surroundings: distance from the centre
            to what surrounds it, in the median over the opacity-weighted area.
        detail_radius: Distance from where the detail is, within which half of it is.
        surrounds: Whether the scene surrounds the viewer, so that it is seen from within.
        one_sided: Length, 0 to 1, of the mean direction in which matter lies, seen from the centre.
            Near 1 where all photos were taken from about one place, in about one direction.
        up: Unit vector against gravity, a guess. World -y for objects (y points down in OpenCV's
            axes); in surroundings the normal of the flattest matter near that.
    """

    centre: Points  # [3]
    radius: float
    detail_radius: float
    surrounds: bool
    one_sided: float
    up: Points  # [3]


def area_weights(scene: Gaussians) -> Points:  # [N]
    """Opacity times mean projected area in squared world units, as an ellipsoid's three sides."""
    a, b, c = _scales(scene).T
    return np.asarray(scene.opacities * (np.pi / 3) * (a * b + b * c + a * c))


def weighted_quantile(values: Points, weights: Points, q: float) -> float:  # [N], [N]
    """The smallest value below or at which the share ``q`` of the weight lies."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order[min(np.searchsorted(total, q * total[-1]), len(values) - 1)]])


def measure(scene: Gaussians, *, surrounds: bool | None = None) -> Extent:
    """Measure a scene.

    Args:
        scene: The scene.
        surrounds: Whether it surrounds the viewer; None: its Gaussians decide.

    Raises:
        InputError: It holds nothing that could be seen.
    """
    means = scene.means.astype(np.float64)
    opacity = scene.opacities.astype(np.float64)
    if not opacity.sum() > 0:
        raise InputError("scene", found="no visible Gaussians", expected="at least one")
    size = np.median(np.log(_scales(scene)), axis=1)
    # Finer than the finest hundredth counts no more, or needles would decide.
    size = np.maximum(size, np.quantile(size, 0.01))
    detail = opacity * np.exp(size.min() - size)
    centre = np.array([weighted_quantile(means[:, axis], detail, 0.5) for axis in range(3)])
    distance = np.linalg.norm(means - centre, axis=1)
    near, far = (weighted_quantile(distance, detail, q) for q in (0.5, 0.98))
    if surrounds is None:
        surrounds = far > TAIL * near > 0 or _trend(distance, size) > SIZE_TREND
    one_sided = 0.0
    if surrounds:
        area = _capped(area_weights(scene))
        radius = weighted_quantile(distance, area, 0.5)
        ways = (means - centre) / np.maximum(distance, 1e-12)[:, None]
        one_sided = float(np.linalg.norm(np.average(ways, axis=0, weights=area)))
        up = _flat_normal(scene.select(distance <= weighted_quantile(distance, opacity, 0.5)))
    else:
        centre, radius = _sphere_around(means, area_weights(scene))
        up = np.array([0.0, -1, 0])
    radius = max(radius, float(np.median(_scales(scene))))
    return Extent(centre, radius, near, bool(surrounds), one_sided, up)


def sample_matter(scene: Gaussians, count: int, seed: int) -> Points:  # [count, 3]
    """Points on the Gaussians: half by opacity-weighted area, half by opacity alone.

    Area alone would leave next to none on fine things, opacity alone next to none on walls.
    """
    rng = np.random.default_rng(seed)
    area = _capped(area_weights(scene))
    opacity = scene.opacities.astype(np.float64)
    weights = area / area.sum() + opacity / opacity.sum()
    part = scene.select(rng.choice(len(scene), count, p=weights / weights.sum()))
    offsets = rng.standard_normal((count, 3)) * _scales(part)
    return np.asarray(part.means + _rotate(part.unit_quats.astype(np.float64), offsets))


def _scales(scene: Gaussians) -> Points:  # [N, 3]
    """Scales in world units, kept within what float64 can square and multiply."""
    return np.asarray(np.exp(np.clip(scene.log_scales.astype(np.float64), -100, 100)))


def _sphere_around(means: Points, weights: Points) -> tuple[Points, float]:
    ends = [
        [weighted_quantile(means[:, axis], weights, q) for q in (0.005, 0.995)] for axis in range(3)
    ]
    centre = np.mean(ends, axis=1)
    return centre, weighted_quantile(np.linalg.norm(means - centre, axis=1), weights, 0.99)


def _capped(weights: Points) -> Points:
    """Weights of which none is more than ``MAX_SHARE`` of their sum, where there are enough."""
    share = max(MAX_SHARE, 2 / len(weights))
    for _ in range(32):
        weights = np.minimum(weights, share * weights.sum())
    return weights


def _flat_normal(scene: Gaussians) -> Points:  # [3]
    """The normal of floors and tables: common among flat Gaussians, and near world -y."""
    scales = np.sort(_scales(scene), axis=1)
    thin = np.eye(3)[np.argmin(scene.log_scales, axis=1)]
    normals = _rotate(scene.unit_quats.astype(np.float64), thin)
    weights = _capped(area_weights(scene) * (1 - scales[:, 0] / scales[:, 1]))
    if not weights.sum() > 0:  # all of them balls
        return np.array([0.0, -1, 0])
    share, axes = np.linalg.eigh((normals * weights[:, None]).T @ normals)
    best = axes[:, np.argmax(share * (0.5 + np.abs(axes[1])))]
    return np.asarray(-best if best @ (1e-6, 1, 1e-3) > 0 else best)


def _trend(distance: Points, size: Points) -> float:
    """Correlation of log distance and log size; 0 where one of them is constant."""
    logs = np.log(np.maximum(distance, 1e-12))
    logs, size = (np.clip(v, *np.quantile(v, [0.01, 0.99])) for v in (logs, size))
    spread = logs.std() * size.std()
    return float(((logs - logs.mean()) * (size - size.mean())).mean() / spread) if spread else 0.0


def _rotate(quats: Points, vectors: Points) -> Points:  # [N, 4] unit wxyz, [N, 3]
    w, axis = quats[:, :1], quats[:, 1:]
    cross = 2 * np.cross(axis, vectors)
    return np.asarray(vectors + w * cross + np.cross(axis, cross))
