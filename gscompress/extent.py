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
        centre: Where the detail is: the median position, weighted by opacity over size. Capture is
            finest where the cameras looked, so this finds the subject of an unbounded scene.
        radius: Distance from the centre within which 98 % of the opacity-weighted area of an
            object, or half of the (opacity-weighted) Gaussians of surroundings are.
        surrounds: Whether the scene surrounds the viewer, so that it is seen from within.
        up: A unit vector against gravity, guessed: the inner matter is flattest along it.
    """

    centre: Points  # [3]
    radius: float
    surrounds: bool
    up: Points  # [3]


def area_weights(scene: Gaussians) -> Points:  # [N]
    """Opacity times mean projected area in squared world units, as an ellipsoid's three sides."""
    a, b, c = scene.scales.astype(np.float64).T
    return np.asarray(scene.opacities * (np.pi / 3) * (a * b + b * c + a * c))


def weighted_quantile(values: Points, weights: Points, q: float) -> float:  # [N], [N]
    """The smallest value below or at which the share ``q`` of the weight lies."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order[min(np.searchsorted(total, q * total[-1]), len(values) - 1)]])


def measure(scene: Gaussians) -> Extent:
    """Measure a scene.

    Raises:
        InputError: It holds nothing that could be seen.
    """
    means = scene.means.astype(np.float64)
    opacity = scene.opacities.astype(np.float64)
    if not opacity.sum() > 0:
        raise InputError("scene", found="no visible Gaussians", expected="at least one")
    size = np.median(scene.log_scales, axis=1).astype(np.float64)
    # Finer than the finest hundredth counts no more, or needles would decide.
    size = np.maximum(size, np.quantile(size, 0.01))
    detail = opacity * np.exp(size.min() - size)
    centre = np.array([weighted_quantile(means[:, axis], detail, 0.5) for axis in range(3)])
    distance = np.linalg.norm(means - centre, axis=1)
    near, far = (weighted_quantile(distance, detail, q) for q in (0.5, 0.98))
    surrounds = far > TAIL * near > 0 or _trend(distance, size) > SIZE_TREND
    if surrounds:
        radius = weighted_quantile(distance, opacity, 0.5)
    else:
        radius = weighted_quantile(distance, area_weights(scene), 0.98)
    if radius == 0:  # all in one place
        radius = float(scene.scales.max())
    inner = distance <= weighted_quantile(distance, detail, 0.75)
    return Extent(centre, radius, surrounds, _flattest(means[inner], detail[inner]))


def sample_matter(scene: Gaussians, count: int, seed: int) -> Points:  # [count, 3]
    """Points on the Gaussians, spread evenly over their opacity-weighted area."""
    rng = np.random.default_rng(seed)
    weights = area_weights(scene)
    weights = np.minimum(weights, weights.sum() * MAX_SHARE)
    chosen = rng.choice(len(scene), count, p=weights / weights.sum())
    part = scene.select(chosen)
    offsets = rng.standard_normal((count, 3)) * part.scales
    return part.means + _rotate(part.unit_quats.astype(np.float64), offsets)


def _trend(distance: Points, size: Points) -> float:
    """Correlation of log distance and log size; 0 where one of them is constant."""
    logs = np.log(np.maximum(distance, 1e-12))
    logs, size = (np.clip(v, *np.quantile(v, [0.01, 0.99])) for v in (logs, size))
    spread = logs.std() * size.std()
    return float(((logs - logs.mean()) * (size - size.mean())).mean() / spread) if spread else 0.0


def _flattest(points: Points, weights: Points) -> Points:
    """Direction of least spread, pointing to world -y if anything (up, in OpenCV's axes)."""
    if len(points) < 3:
        return np.array([0.0, -1, 0])
    offset = points - np.average(points, axis=0, weights=weights)
    axis = np.linalg.eigh((offset * weights[:, None]).T @ offset)[1][:, 0]
    return np.asarray(-axis if axis @ (0, -1, -1e-3) < 0 else axis)


def _rotate(quats: Points, vectors: Points) -> Points:  # [N, 4] unit wxyz, [N, 3]
    w, axis = quats[:, :1], quats[:, 1:]
    cross = 2 * np.cross(axis, vectors)
    return np.asarray(vectors + w * cross + np.cross(axis, cross))
