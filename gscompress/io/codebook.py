"""Codebooks by k-means: 256 numbers for an attribute, 65536 vectors for spherical harmonics.

Weighted: what is seen more is kept better. Deterministic: the same input gives the same codebook.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Array, Gaussians

__all__ = [
    "even_codebook",
    "nearest_level",
    "nearest_vectors",
    "palette",
    "palette_codebook",
    "scalar_codebook",
    "visibility",
]

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

SCALAR_ROUNDS = 300
PALETTE_ROUNDS = 6
COARSE_ROUNDS = 6
COARSE_SAMPLE = 1 << 15
CELL_SIZE = 128
"""Vectors per coarse cell, about."""

PROBES = 4
"""Coarse cells in which the nearest vector is searched."""

FEW_DISTINCT = 1024
"""Distinct values up to which the best levels are found exactly, in a second."""

ROUNDING_SHARE = 0.05
"""Of the error of a palette: what rounding its numbers may add."""

EVEN_SHARE = 0.7
"""Of the levels on each side of 0: those that are evenly spaced where not all can be."""

_BLOCK = 1 << 22
"""Distances held at a time; 16 MB."""


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
    return np.concatenate([-outer[::-1], [0], outer]).astype(np.float32)


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

    Two levels, since a plain search costs N times ``size``: coarse cells first, each of which gets
    entries by its share of the error; then rounds of k-means in which a vector looks for its entry
    in the cells nearest to it only.

    Returns:
        Palette [size, D] and the index of each vector's entry [N]. Fewer than ``size`` vectors make
        a shorter palette.
    """
    n = len(vectors)
    if n <= size:
        return vectors.copy(), np.arange(n)
    rng = np.random.default_rng(0)
    cells = max(1, min(512, size // CELL_SIZE))
    centres = _coarse(vectors, weights, cells, rng)
    probes = _nearest_cells(vectors, centres, min(PROBES, cells))
    entries, owner = _first_entries(vectors, weights, centres, probes[:, 0], size, rng)
    labels = _search(vectors, probes, entries, owner)
    for _ in range(PALETTE_ROUNDS):
        entries = _means(vectors, weights, labels, entries)
        labels = _search(vectors, probes, entries, owner)
    return entries, labels


def nearest_vectors(vectors: Array, entries: Array) -> Index:
    """Index of the nearest entry for each vector, by looking at all."""
    out = np.empty(len(vectors), np.intp)
    half = np.sum(entries * entries, axis=1) / 2
    rows = max(1, _BLOCK // max(1, len(entries)))
    for first in range(0, len(vectors), rows):
        block = vectors[first : first + rows]
        out[first : first + rows] = np.argmin(half - block @ entries.T, axis=1)
    return out


def _coarse(vectors: Array, weights: Floats, cells: int, rng: np.random.Generator) -> Array:
    chosen = rng.permutation(len(vectors))[:COARSE_SAMPLE]
    sample, share = vectors[chosen], weights[chosen]
    centres = sample[:cells].copy()
    for _ in range(COARSE_ROUNDS):
        centres = _means(sample, share, nearest_vectors(sample, centres), centres)
    return centres


def _nearest_cells(vectors: Array, centres: Array, count: int) -> Index:  # [N, count]
    """The nearest cells, the very nearest first."""
    out = np.empty((len(vectors), count), np.intp)
    half = np.sum(centres * centres, axis=1) / 2
    rows = max(1, _BLOCK // len(centres))
    for first in range(0, len(vectors), rows):
        distance = half - vectors[first : first + rows] @ centres.T
        near = np.argpartition(distance, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distance, near, axis=1), axis=1, kind="stable")
        out[first : first + rows] = np.take_along_axis(near, order, axis=1)
    return out


def _first_entries(
    vectors: Array,
    weights: Floats,
    centres: Array,
    cell: Index,
    size: int,
    rng: np.random.Generator,
) -> tuple[Array, Index]:
    """Entries drawn from each cell, and the cell of each, ascending."""
    d = vectors.shape[1]
    error = np.sum((vectors - centres[cell]) ** 2, axis=1) * weights
    members = np.bincount(cell, minlength=len(centres))
    # Of k entries in a cell of D dimensions the error falls as k^(-2/D); the total is least for
    # shares that go with error^(D / (D + 2)).
    wanted = np.bincount(cell, error, len(centres)) ** (d / (d + 2))
    shares = _allot(wanted, members, size)
    keys = np.log(rng.random(len(vectors))) / np.maximum(error, error.max() * 1e-9 + 1e-30)
    order = np.lexsort((-keys, cell))
    starts = np.cumsum(members) - members
    rank = np.arange(len(vectors)) - starts[cell[order]]
    chosen = order[rank < shares[cell[order]]]
    return vectors[chosen].copy(), cell[chosen]


def _allot(wanted: Floats, most: Index, total: int) -> Index:
    """Whole numbers in proportion to ``wanted``, none above ``most``, that sum up to ``total``."""
    shares = np.zeros(len(wanted), np.intp)
    wanted = wanted + wanted.sum() * 1e-9 + 1e-30
    while (left := total - int(shares.sum())) > 0:
        room = most - shares
        share = np.where(room > 0, wanted, 0)
        share = share / share.sum() * left
        step = np.minimum(np.floor(share).astype(np.intp), room)
        if not step.any():
            step[np.argsort(-share, kind="stable")[:left]] = 1
            step = np.minimum(step, room)
        shares += step
    return shares


def _search(vectors: Array, probes: Index, entries: Array, owner: Index) -> Index:  # [N]
    """The nearest entry of the probed cells, cell by cell."""
    best = np.full(len(vectors), np.inf, np.float32)
    labels = np.zeros(len(vectors), np.intp)
    half = np.sum(entries * entries, axis=1) / 2
    cells = int(probes.max()) + 1
    bounds = np.searchsorted(owner, np.arange(cells + 1))
    flat = probes.ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(cells + 1))
    rows = order // probes.shape[1]
    for cell in range(cells):
        low, high = bounds[cell], bounds[cell + 1]
        if low == high:
            continue
        step = max(1, _BLOCK // int(high - low))
        for first in range(int(starts[cell]), int(starts[cell + 1]), step):
            mine = rows[first : min(first + step, int(starts[cell + 1]))]
            distance = half[low:high] - vectors[mine] @ entries[low:high].T
            found = np.argmin(distance, axis=1)
            least = distance[np.arange(len(mine)), found]
            better = least < best[mine]
            best[mine[better]] = least[better]
            labels[mine[better]] = low + found[better]
    return labels


def _means(vectors: Array, weights: Floats, labels: Index, entries: Array) -> Array:
    """Weighted means of the vectors of each label; entries that none has stay."""
    total = np.bincount(labels, weights, len(entries))
    used = total > 0
    out = entries.copy()
    for column in range(vectors.shape[1]):
        sums = np.bincount(labels, weights * vectors[:, column], len(entries))
        out[used, column] = sums[used] / total[used]
    return out
