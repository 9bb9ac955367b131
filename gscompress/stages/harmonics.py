"""Fitting fewer spherical harmonics to what cameras see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.guidance import Sightings
from gscompress.codecs.harmonics import image_metric
from gscompress.gaussians import Array

__all__ = ["refit"]

Doubles = NDArray[np.float64]

_BLOCK = 4096
"""Gaussians that are fitted at a time."""


def refit(
    sh: Array,  # [N, K, 3]
    means: Array,  # [N, 3]
    sightings: Sightings,
    terms: int,
    damping: float,
) -> tuple[Array, Doubles]:  # [N, terms, 3], [N]
    """The first ``terms`` coefficients that change the images least, in closed form.

    Errors e of a Gaussian's coefficients change the images by e^T G e, with G the sum over cameras
    of weight * Y Y^T, Y the harmonics in the camera's direction. With those kept (S) and dropped
    (R), the least is reached by k_S + G_SS^-1 G_SR k_R.

    Args:
        sh: Coefficients.
        means: Positions.
        sightings: From where the Gaussians are seen; one that nobody sees is truncated.
        terms: How many to keep: 1, 4, 9, 16 or 25.
        damping: Views from everywhere that are added to each Gaussian's views, each as heavy as its
            typical one, as in `gscompress.codecs.sh_search`.

    Returns:
        The coefficients, and the squared error of the images that is left.
    """
    n, before = sh.shape[:2]
    out, left = sh[:, :terms].copy(), np.zeros(n)
    if terms >= before:
        return out, left
    for begin in range(0, n, _BLOCK):
        rows = slice(begin, min(begin + _BLOCK, n))
        gram = image_metric(means[rows], sightings.select(rows), before, damping)
        dropped = sh[rows, terms:].astype(np.float64)
        lost = gram[:, :terms, terms:] @ dropped  # [B, terms, 3]
        change = np.linalg.solve(gram[:, :terms, :terms], lost)
        out[rows] += change.astype(np.float32)
        whole = np.einsum("nka,nkl,nla->n", dropped, gram[:, terms:, terms:], dropped)
        left[rows] = np.maximum(whole - np.einsum("nka,nka->n", lost, change), 0)
    return out, left
