"""Spherical harmonics in numpy, and fitting fewer of them to what cameras see."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.guidance import Sightings
from gscompress.gaussians import Array

__all__ = ["harmonics", "image_metric", "refit"]

Doubles = NDArray[np.float64]

_BLOCK = 4096
"""Gaussians that are fitted at a time."""


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
