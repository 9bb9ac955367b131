"""Two Gaussians into one: moment matching, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Gaussians
from gscompress.render.base import Scores

__all__ = ["Pairs", "nearby_pairs"]

Values = NDArray[np.float64]
Indices = NDArray[np.intp]

MAX_OPACITY = 0.999
"""Where renderers cut the opacity of one Gaussian."""
THINNEST = 1e-12
"""Smallest variance of a merged Gaussian, relative to its largest."""

NEIGHBOURS = 5
WINDOW = 8
SHIFTS = 3
BITS = 20


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs (i, j) of the Gaussians of a scene, and the Gaussian that each would become.

    With opacities o, covariances S, and A = ab + bc + ca of the three scales (the mean projected
    area but for a constant), the mass of a Gaussian is m = o A, and f = m_i / (m_i + m_j):

        mean        f mu_i + (1 - f) mu_j
        covariance  f S_i + (1 - f) S_j + f (1 - f) d d^T,  d = mu_i - mu_j
        opacity     min((m_i + m_j) / A of that covariance, 0.999)
        harmonics   means of both, weighted by the sums of w^2 that the cameras saw (by mass where
                    they saw none): the least squared error of the image

    Attributes:
        scene: The scene.
        first: Index i of each pair [M].
        second: Index j [M].
        means: [M, 3].
        covariances: [M, 3, 3].
        opacities: [M].
        share: Weight of i's harmonics [M].
    """

    scene: Gaussians
    first: Indices
    second: Indices
    means: Values
    covariances: Values
    opacities: Values
    share: Values

    @classmethod
    def of(cls, scene: Gaussians, first: Indices, second: Indices, scores: Scores) -> Pairs:
        """The pairs (first, second) of a scene."""
        i, j = _Fields.of(scene, first), _Fields.of(scene, second)
        mass_i, mass_j = i.opacities * i.areas, j.opacities * j.areas
        f = mass_i / (mass_i + mass_j)
        column, square = f[:, None], f[:, None, None]
        d = i.means - j.means
        between = (square * (1 - square)) * d[:, :, None] * d[:, None, :]
        covariances = square * i.covariances + (1 - square) * j.covariances + between
        areas = _areas(np.maximum(np.linalg.eigvalsh(covariances), 0))
        opacities = np.minimum((mass_i + mass_j) / np.maximum(areas, 1e-300), MAX_OPACITY)
        seen_i, seen_j = (scores.weight_sq_sum[k].astype(np.float64) for k in (first, second))
        seen = seen_i + seen_j
        share = np.where(seen > 0, seen_i / np.where(seen > 0, seen, 1), f)
        means = column * i.means + (1 - column) * j.means
        return cls(scene, first, second, means, covariances, opacities, share)

    def select(self, index: NDArray[np.generic]) -> Pairs:
        """Some of the pairs."""
        parts = (self.first, self.second, self.means, self.covariances, self.opacities, self.share)
        return Pairs(self.scene, *(part[index] for part in parts))

    def merged(self) -> Gaussians:
        """The Gaussians that they become [M]."""
        variances, axes = np.linalg.eigh(self.covariances)
        variances = np.maximum(variances, THINNEST * variances[:, 2:])
        axes[:, :, 0] *= np.sign(np.linalg.det(axes))[:, None]
        share = self.share[:, None, None]
        sh = share * self.scene.sh[self.first] + (1 - share) * self.scene.sh[self.second]
        opacities = np.clip(self.opacities, 1e-7, MAX_OPACITY)
        return Gaussians(
            means=self.means.astype(np.float32),
            quats=_quats(axes).astype(np.float32),
            log_scales=(0.5 * np.log(variances)).astype(np.float32),
            opacity_logits=np.log(opacities / (1 - opacities)).astype(np.float32),
            sh=sh.astype(np.float32),
            mode=self.scene.mode,
        )

    def costs(self, scores: Scores) -> Values:  # [M]
        """Estimate of the squared error that merging adds to the images, as removal effects are.

        e_shape (R_i + R_j) + H |c_i - c_j|^2: with the removal effects R, what the images lose of
        both where the shape is wrong, and with H = W_i W_j / (W_i + W_j) of the sums W of w^2 the
        error of their common colour, exactly, if the shapes were right. |c_i - c_j|^2 is the mean
        over all directions. e_shape is the relative squared error of the opacity field,
        |f_i + f_j - f_m|^2 / |f_i + f_j|^2 with f(x) = o exp(-1/2 (x - mu)^T S^-1 (x - mu)), in
        closed form: the integral of two such functions is
        o_i o_j (2 pi)^(3/2) sqrt(|S_i| |S_j| / |S_i + S_j|) exp(-1/2 d^T (S_i + S_j)^-1 d).
        (splat-transform ranks by such a field error; here it is weighted by what cameras see.)
        """
        i, j = _Fields.of(self.scene, self.first), _Fields.of(self.scene, self.second)
        dets = np.prod(np.maximum(np.linalg.eigvalsh(self.covariances), 0), axis=1)
        m = _Fields(self.means, self.covariances, self.opacities, dets, dets)
        both = i.inner(i) + j.inner(j) + 2 * i.inner(j)
        error = both + m.inner(m) - 2 * i.inner(m) - 2 * j.inner(m)
        shape = np.maximum(error, 0) / np.maximum(both, 1e-300)
        effects = scores.removal_effect.astype(np.float64)
        shape_cost = shape * (effects[self.first] + effects[self.second])
        colour = colour_costs(self.scene, self.first, self.second, scores)
        return np.asarray(shape_cost + colour, dtype=np.float64)


def colour_costs(
    scene: Gaussians, first: Indices, second: Indices, scores: Scores
) -> Values:  # [M]
    """The part of the costs of merging that comes from colours; see `Pairs.costs`."""
    # Over all directions the harmonics are orthonormal: the mean of their square is 1 / (4 pi).
    difference = np.zeros(len(first))
    for k in range(scene.sh.shape[1]):
        step = scene.sh[first, k].astype(np.float64) - scene.sh[second, k]
        difference += np.square(step).sum(axis=1)
    seen_i, seen_j = (scores.weight_sq_sum[k].astype(np.float64) for k in (first, second))
    seen = seen_i * seen_j / np.maximum(seen_i + seen_j, 1e-300)
    return np.asarray(seen * difference / (4 * np.pi))


def nearby_pairs(scene: Gaussians) -> tuple[Indices, Indices]:
    """Pairs (i < j) of Gaussians that lie near each other, each once, in order.

    Of the ``WINDOW`` Gaussians before and after in Morton order, the ``NEIGHBOURS`` nearest; and
    the same in ``SHIFTS`` - 1 more orders, of positions shifted by a part of the scene's width,
    because each order separates some neighbours.
    """
    from gscompress import _native

    n = len(scene)
    means = scene.means.astype(np.float64)
    low = means.min(axis=0)
    unit = (means - low) / np.maximum(np.max(means.max(axis=0) - low), 1e-30)  # in 0..1
    keys = []
    for shift in range(SHIFTS):
        cells = (unit + shift / SHIFTS) / 2 * ((1 << BITS) - 1)
        order = np.argsort(_native.morton_encode(cells.astype(np.uint32)), kind="stable")
        for offsets in _nearest(means[order]):
            near = order[offsets]
            i, j = np.minimum(order, near), np.maximum(order, near)
            keys.append((i * n + j)[i != j])
    found = np.unique(np.concatenate(keys))
    return found // n, found % n


def _nearest(points: Values) -> Indices:  # [N, 3] -> [NEIGHBOURS, N]
    """Indices of the nearest points within the window; a point itself where there are too few."""
    n = len(points)
    steps = np.array([s for s in range(-WINDOW, WINDOW + 1) if s])
    distance = np.full((len(steps), n), np.inf)
    for row, step in zip(distance, steps, strict=True):
        if abs(step) < n:
            here, there = (slice(max(0, -s), n - max(0, s)) for s in (step, -step))
            row[here] = np.square(points[here] - points[there]).sum(axis=1)
    kept = min(NEIGHBOURS, len(steps))
    best = np.argpartition(distance, kept - 1, axis=0)[:kept]
    near = np.arange(n) + steps[best]
    finite = np.isfinite(np.take_along_axis(distance, best, axis=0))
    return np.where(finite, near, np.arange(n))


@dataclass(frozen=True, eq=False)
class _Fields:
    """Opacity fields of some Gaussians [M]; ``dets`` are the determinants of the covariances."""

    means: Values
    covariances: Values
    opacities: Values
    dets: Values
    areas: Values

    @classmethod
    def of(cls, scene: Gaussians, index: Indices) -> _Fields:
        variances = np.exp(2 * np.clip(scene.log_scales[index].astype(np.float64), -50, 50))
        axes = _rotations(scene.unit_quats[index].astype(np.float64))
        covariances = (axes * variances[:, None, :]) @ axes.transpose(0, 2, 1)
        opacities = np.maximum(scene.opacities[index].astype(np.float64), 1e-12)
        dets = variances.prod(axis=1)
        means = scene.means[index].astype(np.float64)
        return cls(means, covariances, opacities, dets, _areas(variances))

    def inner(self, other: _Fields) -> Values:
        """Integrals of the products, but for the factor (2 pi)^(3/2)."""
        d = self.means - other.means
        total = self.covariances + other.covariances
        (a, b, c), (_, e, f), (_, _, g) = total.transpose(1, 2, 0)
        minors = e * g - f * f, c * f - b * g, b * f - c * e
        det = a * minors[0] + b * minors[1] + c * minors[2]
        # Rounding shows where both are flat; this bound is Minkowski's.
        least = (np.cbrt(self.dets) + np.cbrt(other.dets)) ** 3
        det = np.maximum(np.maximum(det, least), 1e-300)
        x, y, z = d.T
        quadratic = minors[0] * x * x + (a * g - c * c) * y * y + (a * e - b * b) * z * z
        quadratic += 2 * (minors[1] * x * y + minors[2] * x * z + (b * c - a * f) * y * z)
        fall = np.exp(-0.5 * np.maximum(quadratic, 0) / det)
        size = np.sqrt(self.dets * other.dets / det)
        return np.asarray(self.opacities * other.opacities * size * fall)


def _areas(variances: Values) -> Values:  # [M, 3] -> [M]
    a, b, c = np.sqrt(variances).T
    return np.asarray(a * b + b * c + a * c)


def _rotations(quats: Values) -> Values:  # [M, 4] unit wxyz -> [M, 3, 3]
    w, x, y, z = quats.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def _quats(axes: Values) -> Values:  # [M, 3, 3] -> [M, 4] wxyz
    """Quaternions of rotations: the row of q q^T with the largest diagonal entry, normalised."""
    r = axes.transpose(1, 2, 0)
    trace = r[0, 0] + r[1, 1] + r[2, 2]
    outer = np.empty((4, 4, len(axes)))  # 4 q q^T
    outer[0, 0] = 1 + trace
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        outer[k + 1, k + 1] = 1 + 2 * r[k, k] - trace
        outer[0, k + 1] = outer[k + 1, 0] = r[j, i] - r[i, j]
        outer[i + 1, j + 1] = outer[j + 1, i + 1] = r[i, j] + r[j, i]
    best = np.argmax(np.einsum("kkm->km", outer), axis=0)
    rows = outer[best, :, np.arange(len(axes))]
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
