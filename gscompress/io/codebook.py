"""Codebooks by k-means: 256 numbers for an attribute, 65536 vectors for spherical harmonics.

Weighted: what is seen more is kept better. Deterministic: the same input gives the same codebook.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.kmeans import KMeans
from gscompress.gaussians import Array, Gaussians

__all__ = [
    "even_codebook",
    "nearest_level",
    "palette",
    "palette_codebook",
    "scalar_codebook",
    "visibility",
]

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

SCALAR_ROUNDS = 300
PALETTE_ROUNDS = 6
FEW_DISTINCT = 1024
"""Distinct values up to which the best levels are found exactly, in a second."""

ROUNDING_SHARE = 0.05
"""Of the error of a palette: what rounding its numbers may add."""

EVEN_SHARE = 0.7
"""Of the levels on each side of 0: those that are evenly spaced where not all can be."""


def visibility(scene: Gaussians) -> Floats:  # [N]
    """How much of a Gaussian may be seen: its opacity times the square root of its largest area.

    Without cameras the size on the image is unknown. The area itself would leave nearly all the
    weight to a few large Gaussians far away; its root is between that and equal weights.
    """
    if len(scene) == 0:
        return np.zeros(0)
    extents = np.sort(scene.log_scales.astype(np.float64), axis=1)[:, 1:].sum(axis=1) / 2
    weights = scene.opacities * np.exp(extents - np.median(extents))
    most = np.quantile(weights, 0.99)
    return np.clip(weights, most * 1e-3, most) / most if most > 0 else np.ones(len(scene))


def scalar_codebook(values: Array, weights: Floats, size: int) -> Array:  # [size]
    """The levels, ascending, that come nearest to ``values`` [M] with ``weights`` [M].

    Lloyd's rounds on the sorted values, where a cell's sums are differences of running sums. They
    start from levels as dense as the cube root of the density of the values, which is optimal for
    many levels (Panter and Dite, 1951).
    """
    distinct, group = np.unique(values, return_inverse=True)
    if len(distinct) <= size:
        levels = (
            distinct[np.minimum(np.arange(size), len(distinct) - 1)]
            if len(distinct)
            else np.zeros(1)
        )
        return np.asarray(levels, np.float32)
    x = distinct.astype(np.float64)
    w = np.bincount(group.ravel(), weights, len(x)) + 1e-12
    if len(x) <= FEW_DISTINCT:
        return _best_levels(x, w.astype(np.float64), size).astype(np.float32)
    mass = np.concatenate([[0], np.cumsum(w)])
    moment = np.concatenate([[0], np.cumsum(w * x)])
    counts, edges = np.histogram(x, bins=size // 2, weights=w)
    steps = np.cumsum(np.cbrt(counts) + 1e-3 * np.cbrt(counts).mean())
    starts = (np.arange(size) + 0.5) / size * steps[-1]
    levels = np.interp(starts, np.concatenate([[0], steps]), edges)
    for _ in range(SCALAR_ROUNDS):
        cuts = np.searchsorted(x, (levels[1:] + levels[:-1]) / 2)
        cuts = np.concatenate([[0], cuts, [len(x)]])
        total = np.diff(mass[cuts])
        means = np.diff(moment[cuts]) / np.where(total > 0, total, 1)
        levels = np.sort(np.where(total > 0, means, levels))
    return levels.astype(np.float32)


def _best_levels(x: Floats, w: Floats, size: int) -> Floats:  # [size]
    """The very best levels for few distinct values, ascending: dynamic programming.

    Values on a lattice, of a file that was quantised before, leave the rounds above in a poor end.
    """
    mass, moment, energy = (np.concatenate([[0], np.cumsum(w * x**k)]) for k in range(3))
    last = np.arange(len(x) + 1)
    total = mass[None, :] - mass[:, None]
    total = np.where(total > 0, total, 1)
    cost = energy[None, :] - energy[:, None] - (moment[None, :] - moment[:, None]) ** 2 / total
    cost = np.where(last[:, None] < last[None, :], np.maximum(cost, 0), np.inf)  # cell i..j-1
    least, starts = cost[0], []
    for _ in range(size - 1):
        sums = least[:, None] + cost
        start = np.argmin(sums, axis=0)
        starts.append(start)
        least = sums[start, last]
    cuts = [len(x)]
    for start in reversed(starts):
        cuts.append(int(start[cuts[-1]]))
    cuts = [0, *cuts[::-1]]
    return np.asarray(np.diff(moment[cuts]) / np.diff(mass[cuts]))


def even_codebook(values: Array, step: float, size: int) -> Array:  # [up to size]
    """Levels ``step`` apart around 0, ascending; the outermost further apart to reach all values.

    Of all levels with the same error these have the least entropy (Gish and Pierce, 1968), which is
    what the levels of a file cost in the end.
    """
    side = (size - 1) // 2
    most = float(np.abs(values).max(initial=0))
    if most <= side * step:
        outer = np.arange(1, int(np.ceil(most / step)) + 1) * step if most else np.zeros(0)
    else:
        even = int(EVEN_SHARE * side)
        powers = np.arange(1, side - even + 1)
        low, high = 1.0, 1e6 ** (1 / side)
        while np.sum(high**powers) < most / step - even:
            high *= high
        for _ in range(60):
            middle = (low + high) / 2
            short = np.sum(middle**powers) < most / step - even
            low, high = (middle, high) if short else (low, middle)
        tail = even + np.cumsum(high**powers)
        outer = step * np.concatenate([np.arange(1, even + 1), tail])
    return np.asarray(np.concatenate([-outer[::-1], [0], outer]), dtype=np.float32)


def palette_codebook(
    vectors: Array, weights: Floats, entries: Array, labels: Index, size: int
) -> Array:  # [up to size]
    """Levels for the numbers of a palette.

    Evenly spaced ones, which compress better, as far apart as the error of the palette itself
    allows; the nearest ones where it has next to none.
    """
    used = np.repeat(np.bincount(labels, weights, len(entries)) + 1e-9, entries.shape[1])
    nearest = scalar_codebook(entries.ravel(), used, size)
    distances = np.mean((vectors - entries[labels]) ** 2, axis=1, dtype=np.float64)
    allowed = ROUNDING_SHARE * float(np.sum(distances * weights) / np.sum(weights))

    def error(levels: Array) -> float:
        rounded = levels[nearest_level(entries.ravel(), levels)]
        return float(np.average((entries.ravel() - rounded) ** 2, weights=used))

    if not error(nearest) < allowed:
        return nearest
    even = even_codebook(entries.ravel(), float(np.sqrt(12 * allowed)), size)
    return even if error(even) < 2 * allowed else nearest


def nearest_level(values: Array, levels: Array) -> NDArray[np.uint8]:
    """Index of the nearest of at most 256 ascending levels."""
    bounds = (levels[1:].astype(np.float64) + levels[:-1]) / 2
    return np.searchsorted(bounds, values).astype(np.uint8)


def palette(vectors: Array, weights: Floats, size: int) -> tuple[Array, Index]:
    """The vectors that come nearest to ``vectors`` [N, D] with ``weights`` [N].

    Returns:
        Palette [size, D] and the index of each vector's entry [N]. Vectors of fewer different
        values make a shorter palette.
    """
    return KMeans(size, rounds=PALETTE_ROUNDS, exact_rounds=0).fit(vectors, weights)
