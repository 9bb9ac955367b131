"""Codebooks by k-means: 256 numbers for an attribute, 65536 vectors for spherical harmonics.

Weighted: what is seen more is kept better. Deterministic: the same input gives the same codebook.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.kmeans import KMeans
from gscompress.gaussians import Array, Gaussians

__all__ = ["nearest_level", "palette", "scalar_codebook", "visibility"]

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

SCALAR_ROUNDS = 300
PALETTE_ROUNDS = 6


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
