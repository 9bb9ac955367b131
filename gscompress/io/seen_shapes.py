"""Rotations and scales rounded so that cameras see as little of it as can be.

A camera sees a Gaussian flat, along the direction d from which it looks. In the Gaussian's own
axes, each measured in its scale, what is seen of a change E of the covariance is P E P with
P = 1 - d d^T: so the images change by w tr(P E P E), summed over the cameras with their weights w
(sums of squared blending weights). A disc may turn about its normal by more than a step, which
makes room for the other two angles. Positions are not for this: what they may be along a
direction of view is what keeps the Gaussians in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.guidance import Sightings
from gscompress.codecs.parallel import by_blocks
from gscompress.gaussians import Gaussians

__all__ = ["SeenShapes", "least_seen", "turn_per_component"]

Doubles = NDArray[np.float64]

PIXEL = 5.5e-4
"""Blur of an image as a share of the distance: the standard deviation of sqrt(0.3) pixels that
renderers add, in an image that is as far away as 1000 of its pixels are wide."""

DAMPING = 0.02
"""Weight of views from everywhere, as a share of that of the cameras."""

UNSEEN = 1e-4
"""What a Gaussian that no camera sees counts, as a share of an average one."""

MOST = 0.25
"""Error of a log-scale beyond which opacities make up for no more."""

_CACHED = 1 << 11
"""Gaussians whose intermediate results, for each view, stay in a core's cache."""

_EVERYWHERE = np.array(
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]], np.float64
) / np.sqrt([[1], [1], [1], [3], [3], [3], [3]])

_PLACE = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
"""Of the entry (i, j) of a symmetric matrix among its six numbers."""

_OTHERS = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])

_PAIRS = ((1, 2), (2, 0), (0, 1))
"""The two axes that a turn about each axis mixes."""


@dataclass(frozen=True, eq=False)
class SeenShapes:
    """What errors of the shapes of N Gaussians cost in images.

    Attributes:
        turns: Metric of small rotations, as vectors in the Gaussian's own axes.
        scales: What an error of each log-scale costs, when squared.
        spread: By how much the logarithm of the seen area rises with each log-scale.
    """

    turns: Doubles  # [N, 3, 3]
    scales: Doubles  # [N, 3]
    spread: Doubles  # [N, 3]

    @classmethod
    def of(cls, scene: Gaussians, sightings: Sightings) -> SeenShapes:
        """Those of a scene that is seen like that."""
        n = len(scene)
        out = cls(np.empty((n, 3, 3)), np.empty((n, 3)), np.empty((n, 3)))
        least = UNSEEN * float(sightings.visibility().mean()) + 1e-30 if n else 1.0

        def fill(rows: slice) -> None:
            out._fill(rows, scene, sightings.select(rows), least)

        by_blocks(fill, n, _CACHED)
        return out

    def opacities(self, scene: Gaussians, log_scales: NDArray[np.floating]) -> Doubles:  # [N]
        """The scene's opacities, made up for log-scales that are others.

        Where a Gaussian comes out larger by the factor a in area, 1 / sqrt(a) of its opacity brings
        exp(-u^2 / 2) nearest to what it was, to first order: for small errors only.
        """
        errors = np.clip(log_scales - scene.log_scales, -MOST, MOST)
        larger = np.sum(self.spread * errors, axis=1)
        return np.asarray(np.clip(scene.opacities * np.exp(-0.5 * larger), 0, 1))

    def _fill(self, rows: slice, scene: Gaussians, sightings: Sightings, least: float) -> None:
        axes = _axes(_unit(scene.quats[rows].astype(np.float64)))
        ways, distances = _ways(scene.means[rows].astype(np.float64), sightings.eyes)
        seen = sightings.weights.astype(np.float64)
        total = np.maximum(seen.sum(axis=1), least)
        weights = np.empty(ways.shape[1:])
        weights[:, :-7] = seen
        weights[:, -7:] = DAMPING / 7 * total[:, None]
        far = np.average(distances, axis=1, weights=seen + 1e-30)
        squares = np.exp(2 * scene.log_scales[rows].astype(np.float64))
        wide = squares + (PIXEL * far[:, None]) ** 2
        wide = np.maximum(wide, 1e-8 * wide.max(axis=1, keepdims=True) + 1e-60)
        flat = _projections(ways, axes / np.sqrt(wide)[:, None])  # [6, B, V]
        weighted = flat * weights
        first = weighted.sum(axis=2).T
        second = np.swapaxes(weighted, 0, 1) @ flat.transpose(1, 2, 0)
        self.turns[rows] = _of_turns(second, squares, wide)
        own = squares / wide
        self.scales[rows] = own**2 * np.einsum("nii->ni", second)[:, :3]
        self.spread[rows] = own * first[:, :3] / weights.sum(axis=1)[:, None]


def _unit(vectors: Doubles) -> Doubles:  # [..., D]
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _axes(quats: Doubles) -> Doubles:  # [B, 4] unit wxyz -> [B, 3, 3], in columns
    w, x, y, z = quats.T
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def _ways(means: Doubles, eyes: NDArray[np.float32]) -> tuple[Doubles, Doubles]:
    """Unit vectors [3, B, V + 7] from the eyes, and from everywhere, and the distances [B, V]."""
    ways = np.empty((3, len(means), len(eyes) + 7))
    seen = ways[:, :, :-7]
    for axis in range(3):
        np.subtract(means[:, axis, None], eyes[:, axis], out=seen[axis])
    distances = np.sqrt(seen[0] ** 2 + seen[1] ** 2 + seen[2] ** 2) + 1e-12
    seen /= distances
    ways[:, :, -7:] = _EVERYWHERE.T[:, None]
    return ways, distances


def _projections(ways: Doubles, axes: Doubles) -> Doubles:  # [3, B, V], [B, 3, 3] -> [6, B, V]
    """1 - d d^T for the directions in axes of any lengths."""
    x, y, z = (sum(axes[:, i, axis, None] * ways[i] for i in range(3)) for axis in range(3))
    length = np.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    out = np.empty((6, *x.shape))
    for k, d in enumerate((x, y, z)):
        np.subtract(1, d * d, out=out[k])
    for k, (i, j) in enumerate(((y, z), (x, z), (x, y)), 3):
        np.multiply(-i, j, out=out[k])
    return out


def _of_turns(second: Doubles, squares: Doubles, wide: Doubles) -> Doubles:  # -> [B, 3, 3]
    """A turn about an axis adds this to the product of the two others: tr(P E P E)."""
    out = np.empty((len(second), 3, 3))
    mixed = [(squares[:, i] - squares[:, j]) / np.sqrt(wide[:, i] * wide[:, j]) for i, j in _PAIRS]
    for k, (i, j) in enumerate(_PAIRS):
        for other, (m, n) in enumerate(_PAIRS):
            both = second[:, _PLACE[n, i], _PLACE[j, m]] + second[:, _PLACE[m, i], _PLACE[j, n]]
            out[:, k, other] = 2 * mixed[k] * mixed[other] * both
    return out


def turn_per_component(quats: Doubles, largest: NDArray[np.integer]) -> Doubles:  # [B, 3, 3]
    """Columns: the turn, in the Gaussian's own axes, that one of three components makes.

    The largest one follows, so that the length stays 1.

    Args:
        quats: Unit quaternions, wxyz [B, 4].
        largest: Place of the component that follows [B].
    """
    others = _OTHERS[largest]
    largest = largest.astype(np.intp)
    w, x, y, z = quats.T
    rows = ((-x, w, z, -y), (-y, -z, w, x), (-z, y, -x, w))
    turns = 2 * np.stack([np.stack(row, axis=1) for row in rows], axis=1)  # [B, 3, 4]
    ratio = np.take_along_axis(quats, others, axis=1)
    ratio /= np.take_along_axis(quats, largest[:, None], axis=1)
    follows = np.take_along_axis(turns, largest[:, None, None], axis=2)
    return np.take_along_axis(turns, others[:, None], axis=2) - follows * ratio[:, None]


def least_seen(target: Doubles, metric: Doubles, top: int, reach: int) -> Doubles:  # [B, 3]
    """Whole numbers e away from ``target`` [B, 3] for which e^T G e is small.

    The number that may err most is tried up to ``reach`` steps away, then each of the others is
    chosen to make up for it (L. Babai, "On Lovasz' lattice reduction", 1986).

    Args:
        target: Numbers from 0 to ``top``.
        metric: G [B, 3, 3], positive semidefinite.
        top: The highest whole number.
        reach: Steps.
    """
    damped = metric + np.eye(3) * (1e-9 * np.einsum("nii->n", metric)[:, None, None] + 1e-60)
    scale = np.sqrt(np.einsum("nii->n", damped))
    damped = damped / (scale * scale)[:, None, None]
    freedom = np.einsum("nii->ni", np.linalg.inv(damped))
    order = np.argsort(-freedom, axis=1)
    x = np.take_along_axis(target, order, axis=1)
    g = np.take_along_axis(damped, order[:, :, None], axis=1)
    g = np.take_along_axis(g, order[:, None, :], axis=2)
    up = g[:, 2, :2] / g[:, 2, 2:]
    left = g[:, :2, :2] - up[:, :, None] * g[:, 2:, :2]
    share = left[:, 0, 1] / left[:, 1, 1]
    alone = left[:, 0, 0] - share * left[:, 0, 1]
    near = np.clip(np.floor(x + 0.5), 0, top)
    best, least = near.copy(), np.full(len(x), np.inf)
    for step in range(-reach, reach + 1):
        a = np.clip(near[:, 0] + step, 0, top)
        of_a = a - x[:, 0]
        aim = x[:, 1] - share * of_a
        for b in (np.floor(aim), np.floor(aim) + 1):
            b = np.clip(b, 0, top)
            of_b = b - x[:, 1]
            rest = up[:, 0] * of_a + up[:, 1] * of_b
            c = np.clip(np.floor(x[:, 2] - rest + 0.5), 0, top)
            cost = g[:, 2, 2] * (c - x[:, 2] + rest) ** 2
            cost += left[:, 1, 1] * (of_b + share * of_a) ** 2 + alone * of_a**2
            better = cost < least
            least = np.where(better, cost, least)
            best[better] = np.stack([a, b, c], axis=1)[better]
    out = np.empty_like(best)
    np.put_along_axis(out, order, best, axis=1)
    return out
