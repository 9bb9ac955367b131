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
    degree = math.isqrt(terms) - 1
    out = np.empty((*directions.shape[:-1], terms))
    turn = np.ones_like(x, np.complex128)
    corner = 1.0  # P_m^m / (1 - z^2)^(m / 2)
    for m in range(degree + 1):
        before, legendre = np.zeros_like(z), np.full_like(z, corner)
        for n in range(m, degree + 1):
            norm = (2 * n + 1) / (4 * math.pi) * math.factorial(n - m) / math.factorial(n + m)
            scaled = math.sqrt(norm * (2 if m else 1)) * legendre
            out[..., n * n + n + m] = scaled * turn.real
            if m:
                out[..., n * n + n - m] = scaled * turn.imag
            following = ((2 * n + 1) * z * legendre - (n + m) * before) / (n - m + 1)
            before, legendre = legendre, following
        turn = turn * (x + 1j * y)
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
    ways = means[:, None].astype(np.float64) - sightings.eyes[None]
    length = np.linalg.norm(ways, axis=2, keepdims=True)
    basis = harmonics(ways / np.maximum(length, 1e-30), terms)  # [B, V, terms]
    gram = (basis * weights[..., None]).transpose(0, 2, 1) @ basis
    total = weights.sum(axis=1)
    typical = np.divide((weights**2).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
    # The mean of Y Y^T over the sphere is the identity / 4 pi. Unseen: any metric truncates.
    everywhere = np.where(total > 0, max(damping, 1e-9) * typical, 1.0) / (4 * math.pi)
    diagonal = np.arange(terms)
    gram[:, diagonal, diagonal] += everywhere[:, None]
    return np.asarray(gram)
