"""A palette of spherical harmonics of which cameras see as little error as can be.

Errors e of a Gaussian's coefficients change the images by e^T G e, as `gscompress.codecs.sh_search`
has it. The constant term is coded by itself, so it can make up for what the palette loses: what is
left then is the Schur complement of G. Every Gaussian is seen from few directions, and two or three
share an entry: most of their differences are in directions from which nobody looks, so the entry
that is best for their images is nearly perfect where their mean is not.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.guidance import Sightings
from gscompress.codecs.harmonics import image_metric
from gscompress.codecs.parallel import in_parallel
from gscompress.gaussians import Array, Gaussians
from gscompress.io.codebook import even_codebook, nearest_level, palette, scalar_codebook

__all__ = ["SeenPalette"]

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

DAMPING = 1.0
"""Views from everywhere that are added to each Gaussian's views, as in the codec `ycocg`."""

PULL = 1e-3
"""How much an entry is drawn to the mean of its Gaussians where their images do not care."""

UNSEEN = 1e-6
"""What a Gaussian that no camera sees counts, in pixels."""

_BLOCK = 1 << 13
_CACHED = 1 << 11
"""Gaussians whose views, in as many harmonics, stay in a core's cache."""

_STEPS = 2.0 ** -np.arange(3, 12, 0.5)
"""Steps of the numbers of a palette that are tried, the coarsest first."""


@dataclass(frozen=True, eq=False)
class SeenPalette:
    """A palette and who has which entry.

    Attributes:
        entries: Before their numbers are rounded; k coefficients of red, then green and blue.
        labels: The entry of each Gaussian.
        metrics: What errors of an entry cost, summed over its Gaussians.
        shares: How much the constant term of a Gaussian sinks as a coefficient rises, so that the
            images stay the same on average.
    """

    entries: Array  # [W, k, 3]
    labels: Index  # [N]
    metrics: Array  # [W, k, k]
    shares: Array  # [N, k]

    @classmethod
    def fit(cls, scene: Gaussians, sightings: Sightings, size: int) -> SeenPalette:
        """The palette of at most ``size`` entries for a scene that is seen like that."""
        n, k = len(scene), scene.sh.shape[1] - 1
        vectors = scene.sh[:, 1:]
        weights = sightings.visibility()
        entries, labels = palette(
            vectors.reshape(n, 3 * k), weights + weights.mean() * 1e-6 + 1e-30, size
        )
        count = len(entries)
        metrics = np.zeros((count, k, k), np.float32)
        wanted = np.zeros((count, k, 3))
        shares = np.empty((n, k), np.float32)

        def sums(rows: slice) -> tuple[Index, Array, Array]:
            """Metrics, and these times the coefficients, added up by entry."""
            left, shares[rows] = _without_constant(scene.means[rows], sightings.select(rows), k)
            pulled = left @ vectors[rows]
            order = np.argsort(labels[rows], kind="stable")
            mine = labels[rows][order]
            starts = np.flatnonzero(np.diff(mine, prepend=-1))
            metric, wants = (np.add.reduceat(part[order], starts) for part in (left, pulled))
            return mine[starts], metric, wants

        blocks = [slice(begin, begin + _CACHED) for begin in range(0, n, _CACHED)]
        side_by_side = os.cpu_count() or 1
        for first in range(0, len(blocks), side_by_side):
            few = blocks[first : first + side_by_side]
            # Added in their order, so that the same scene gives the same bytes.
            for mine, metric, pulled in in_parallel(*(partial(sums, rows) for rows in few)):
                metrics[mine] += metric
                wanted[mine] += pulled
        shaped = entries.reshape(count, k, 3)
        if not np.array_equal(entries[labels], vectors.reshape(n, 3 * k)):
            shaped = _solved(shaped, metrics, wanted)
        return cls(shaped, labels, metrics, shares)

    def codebook(self, allowed: float, size: int) -> Array:  # [up to size]
        """Levels for the entries' numbers: the coarsest even ones that lose no more than allowed.

        Numbers that are few already, from a file that was quantised before, are their own levels.

        Args:
            allowed: Squared error of all images.
            size: The most levels.
        """
        numbers = self.entries.ravel()
        different = np.unique(numbers)
        if len(different) <= size:
            return different
        used = np.repeat(np.einsum("wkk->w", self.metrics) + 1e-30, self.entries[0].size)
        nearest = scalar_codebook(numbers, used.astype(np.float64), size)
        for step in _STEPS:
            levels = even_codebook(numbers, float(step), size)
            if self._cost(levels) <= allowed:
                return levels
        even = even_codebook(numbers, float(_STEPS[-1]), size)
        return min(nearest, even, key=self._cost)

    def made_up(self, rounded: Array, sh: Array) -> Array:  # [W, k, 3], [N, K, 3] -> [N, 3]
        """The constant terms that go with rounded entries."""
        out = sh[:, 0].copy()
        for begin in range(0, len(out), _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            error = rounded[self.labels[rows]] - sh[rows, 1:]
            out[rows] -= np.einsum("nk,nkc->nc", self.shares[rows], error)
        return out

    def _cost(self, levels: Array) -> float:
        error = levels[nearest_level(self.entries, levels)] - self.entries
        return float(np.einsum("wkc,wkc->", error, self.metrics @ error))


def _without_constant(
    means: Array, sightings: Sightings, k: int
) -> tuple[Array, Array]:  # [B, k, k], [B, k]
    """The metric of the higher coefficients, and how the constant term makes up for each."""
    whole = image_metric(means, sightings, k + 1, DAMPING)
    shares = whole[:, 0, 1:] / whole[:, :1, 0]
    left = whole[:, 1:, 1:] - whole[:, 1:, :1] * shares[:, None]
    left[sightings.visibility() == 0] *= UNSEEN
    return left.astype(np.float32), shares.astype(np.float32)


def _solved(entries: Array, metrics: Array, wanted: Floats) -> Array:
    """The entries that lose least, drawn a little to where they were."""
    k = entries.shape[1]
    out = np.empty_like(entries)
    for begin in range(0, len(entries), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        metric = metrics[rows].astype(np.float64)
        pull = PULL / k * np.einsum("wkk->w", metric)[:, None, None] + 1e-30
        towards = wanted[rows] + pull * entries[rows]
        out[rows] = np.linalg.solve(metric + pull * np.eye(k), towards)
    return out
