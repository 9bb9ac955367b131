"""Spherical harmonics rounded so that cameras see as little of it as can be.

Errors e of the coefficients of a Gaussian change the images by e^T G e, as
`gscompress.codecs.sh_search` has it, and here too they are chosen from the highest term down to the
constant one, each making up for what those above it have lost (error feedback: E. Frantar et al.,
"GPTQ", arXiv:2210.17323). That module's integers are of YCoCg and of its own steps; these are of
red, green and blue, on the levels of a format of others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.guidance import Sightings
from gscompress.codecs.harmonics import image_metric
from gscompress.codecs.parallel import by_blocks
from gscompress.gaussians import Array

__all__ = ["PRICES", "Levels", "seen_levels"]

Doubles = NDArray[np.float64]

DAMPING = 1.0
"""Views from everywhere that are added to each Gaussian's views, as in the codec `ycocg`."""

PRICES = (0.1, 0.4)
"""What a bit may be worth: as many squared errors as a Gaussian of median visibility makes when a
coefficient is wrong by one step."""


@dataclass(frozen=True)
class Levels:
    """The values that the coefficients of one term may have: ``origin + step * integer``.

    Attributes:
        step: Between two of them.
        low: The lowest integer.
        high: The highest, less than 256 above it.
        origin: The value of 0.
        top: What is above this is this.
    """

    step: float
    low: int
    high: int
    origin: float = 0.0
    top: float = np.inf

    def nearest(self, values: Doubles) -> Doubles:
        """The integers whose values are nearest; halves go up."""
        integers = np.floor((values - self.origin) / self.step + 0.5)
        return np.asarray(np.clip(integers, self.low, self.high))

    def values(self, integers: Doubles) -> Doubles:
        """What integers stand for."""
        return np.asarray(np.minimum(self.origin + self.step * integers, self.top))


def seen_levels(
    sh: Array,  # [N, K, 3]
    means: Array,  # [N, 3]
    sightings: Sightings,
    levels: list[Levels],  # [K]
    price: float = PRICES[0],
) -> Array:  # [N, K, 3]
    """The coefficients on their levels.

    A Gaussian that nobody sees gets the nearest ones.

    Args:
        sh: Coefficients.
        means: Positions, in the same axes.
        sightings: From where the Gaussians are seen.
        levels: What each term may be.
        price: Of a bit; 0: whatever they cost.
    """
    visibility = sightings.visibility()
    seen = visibility > 0
    out = np.empty(sh.shape, np.float32)
    worth = np.zeros(len(sh))
    if seen.any() and len(levels) > 1:
        # Harmonics average 1 / 4 pi when squared.
        worth[seen] = price * np.median(visibility[seen]) / (4 * np.pi) * levels[-1].step ** 2
    bits = [_bits(grid, sh[:, k]) for k, grid in enumerate(levels)]

    def fill(rows: slice) -> None:
        metric = image_metric(means[rows], sightings.select(rows), len(levels), DAMPING)
        out[rows] = _fed_back(sh[rows].astype(np.float64), metric, levels, bits, worth[rows])

    by_blocks(fill, len(sh))
    return out


def _fed_back(
    target: Doubles,  # [B, K, 3]
    metric: Doubles,  # [B, K, K]
    levels: list[Levels],
    bits: list[Doubles],
    worth: Doubles,  # [B]
) -> Doubles:  # [B, K, 3]
    """With G = L D L^T, e^T G e is the sum over k of D_k (e_k + sum over j > k of L_jk e_j)^2."""
    lower = np.linalg.cholesky(metric)
    pivots = np.einsum("bkk->bk", lower)
    error = np.zeros_like(target)
    chosen = np.empty_like(target)
    for k in range(len(levels) - 1, -1, -1):
        grid, pivot = levels[k], pivots[:, k]
        carried = np.einsum("bj,bjc->bc", lower[:, k + 1 :, k], error[:, k + 1 :]) / pivot[:, None]
        aim = target[:, k] - carried
        best = grid.nearest(aim)
        if k > 0:
            best = _worth_their_bits(aim, best, grid, bits[k], (worth / pivot**2)[:, None])
        chosen[:, k] = grid.values(best)
        error[:, k] = chosen[:, k] - target[:, k]
    return chosen


def _worth_their_bits(
    aim: Doubles, best: Doubles, grid: Levels, bits: Doubles, price: Doubles
) -> Doubles:
    """Of the nearest integers, those next to them towards 0, and 0, what costs least."""

    def cost(integers: Doubles) -> Doubles:
        return np.asarray(
            (grid.values(integers) - aim) ** 2 + price * bits[(integers - grid.low).astype(np.intp)]
        )

    least = cost(best)
    for other in (best - np.sign(best), np.zeros_like(best)):
        tried = cost(other)
        best = np.where(tried < least, other, best)
        least = np.minimum(tried, least)
    return best


def _bits(grid: Levels, values: Array) -> Doubles:  # [levels]
    """What each integer costs, by how often it is the nearest; what never occurs is dear."""
    integers = grid.nearest(values.astype(np.float64)).ravel() - grid.low
    counts = np.bincount(integers.astype(np.intp), minlength=grid.high - grid.low + 1) + 0.01
    return np.asarray(-np.log2(counts / counts.sum()))
