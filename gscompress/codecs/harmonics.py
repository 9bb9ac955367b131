"""Spherical harmonics in numpy, and what errors of their coefficients change in images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.guidance import Sightings
from gscompress.gaussians import Array

__all__ = ["harmonics", "image_metric"]

Doubles = NDArray[np.float64]


def harmonics(directions: Doubles, terms: int) -> Doubles:  # [..., 3] -> [..., K]
    """Real spherical harmonics of unit vectors, with the Condon-Shortley phase.

    By the recurrence of the associated Legendre functions, z^0 .. z^l apart from (x + iy)^m.
    """
    x, y, z = np.moveaxis(directions, -1, 0)
    return np.moveaxis(_harmonics(x, y, z, terms), 0, -1)


def _harmonics(x: Doubles, y: Doubles, z: Doubles, terms: int) -> Doubles:  # [...] -> [K, ...]
    degree = math.isqrt(terms) - 1
    out = np.empty((terms, *x.shape))
    cosine, sine = np.ones_like(x), np.zeros_like(x)  # of m turns, times (1 - z^2)^(m / 2)
    corner = 1.0  # P_m^m / (1 - z^2)^(m / 2)
    for m in range(degree + 1):
        before, legendre = np.zeros_like(z), np.full_like(z, corner)
        for n in range(m, degree + 1):
            norm = (2 * n + 1) / (4 * math.pi) * math.factorial(n - m) / math.factorial(n + m)
            scaled = math.sqrt(norm * (2 if m else 1)) * legendre
            np.multiply(scaled, cosine, out=out[n * n + n + m])
            if m:
                np.multiply(scaled, sine, out=out[n * n + n - m])
            following = ((2 * n + 1) * z * legendre - (n + m) * before) / (n - m + 1)
            before, legendre = legendre, following
        cosine, sine = cosine * x - sine * y, cosine * y + sine * x
        corner *= -(2 * m + 1)
    return out


def image_metric(
    means: Array, sightings: Sightings, terms: int, damping: float
) -> Doubles:  # [N, 3] -> [N, terms, terms]
    """G of each Gaussian: errors e of its coefficients change the images by e^T G e.

    The sum over cameras of weight * Y Y^T, and ``damping`` views from everywhere, each as heavy as
    its typical one. For few Gaussians at a time. A Gaussian that nobody sees gets the identity.
    """
    weights = sightings.weights.astype(np.float64)  # [B, V]
    x, y, z = (
        means[:, axis, None].astype(np.float64) - sightings.eyes[:, axis] for axis in range(3)
    )
    length = np.maximum(np.sqrt(x * x + y * y + z * z), 1e-30)
    basis = _harmonics(x / length, y / length, z / length, terms)  # [terms, B, V]
    gram = np.swapaxes(basis * weights, 0, 1) @ basis.transpose(1, 2, 0)
    total = weights.sum(axis=1)
    typical = np.divide((weights**2).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
    # The mean of Y Y^T over the sphere is the identity / 4 pi. Unseen: any metric truncates.
    everywhere = np.where(total > 0, max(damping, 1e-9) * typical, 1.0) / (4 * math.pi)
    diagonal = np.arange(terms)
    gram[:, diagonal, diagonal] += everywhere[:, None]
    return np.asarray(gram)
