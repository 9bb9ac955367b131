"""The search for spherical harmonics' integers, one Gaussian at a time, as it is explained."""

from __future__ import annotations

import numpy as np
from scipy.special import factorial, lpmv

WEIGHTS = {1: 1 / 2, 2: 2 / 3, 0: 3.0}
"""In the order of choice: |rgb|^2 = co^2 / 2 + 2/3 cg^2 + 3 (y - cg / 6)^2."""


def harmonics(terms: int, directions: np.ndarray) -> np.ndarray:  # [V, 3] -> [V, K]
    """Real spherical harmonics with the Condon-Shortley phase, from associated Legendre."""
    x, y, z = directions.T
    angle = np.arctan2(y, x)
    columns = []
    for degree in range(round(terms**0.5)):
        for order in range(-degree, degree + 1):
            m = abs(order)
            norm = (2 * degree + 1) / (4 * np.pi) * factorial(degree - m) / factorial(degree + m)
            turn = np.sin(m * angle) if order < 0 else np.cos(m * angle)
            scale = np.sqrt(norm * (2 if m else 1))
            columns.append(scale * lpmv(m, degree, z) * turn)
    return np.stack(columns, axis=1)


def gram(terms, mean, eyes, weights, damping):  # [3], [V, 3], [V] -> [K, K]
    """``damping`` views that look from everywhere, as heavy as the typical view, come on top."""
    weights = weights.astype(np.float64)
    directions = mean - eyes
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    basis = harmonics(terms, directions)
    matrix = np.einsum("v,va,vb->ab", weights, basis, basis)
    everywhere = (weights**2).sum() / weights.sum() / (4 * np.pi)
    return matrix + damping * everywhere * np.eye(terms)


def ycocg(rgb: np.ndarray) -> np.ndarray:  # [..., 3] -> [3, ...]
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    return np.stack([r / 4 + g / 2 + b / 4, r - b, g - (r + b) / 2])


def nearest(x: float) -> int:
    return int(np.copysign(np.floor(abs(x) + 0.5), x))


def bits(row: np.ndarray, integer: int) -> float:
    """By magnitude; beyond the table, two bits for every doubling."""
    size, last = abs(integer), len(row) - 1
    return row[min(size, last)] + (2 * np.log2(size / last) if size > last else 0)


def choose(matrix, target, steps, weight, price, sizes, empty):
    """Integers [K] of a channel, highest term first, and what they cost."""
    terms = len(target)
    lower = np.linalg.cholesky(matrix)
    pivots = np.diag(lower)
    integers, error, total = np.zeros(terms, int), np.zeros(terms), 0.0
    for k in reversed(range(terms)):
        above = slice(k + 1, None)
        aim = (target[k] - lower[above, k] @ error[above] / pivots[k]) / steps[k]
        found = nearest(aim)
        candidates = [found]
        if k and empty:
            candidates = [0]
        elif k and sizes is not None and found:
            candidates = [found, found - int(np.sign(found)), 0]
        costs = [weight * (pivots[k] * steps[k] * (q - aim)) ** 2 for q in candidates]
        if k and sizes is not None and not empty:
            rates = [bits(sizes[k - 1], q) for q in candidates]
            costs = [c + price * rate for c, rate in zip(costs, rates, strict=True)]
        best = int(np.argmin(costs))
        integers[k] = candidates[best]
        error[k] = integers[k] * steps[k] - target[k]
        total += costs[best]
    return integers, error, total


def search_one(matrix, rgb, first, higher, chroma, price=0.0, sizes=None, flags=None):
    """Integers [3, K] of one Gaussian with coefficients rgb [K, 3]."""
    terms = len(rgb)
    channels = ycocg(rgb)
    out = np.zeros((3, terms), int)
    for channel, weight in WEIGHTS.items():
        steps = np.full(terms, higher) * (chroma if channel else 1)
        steps[0] = first * (chroma if channel else 1)
        table = None if sizes is None else sizes.reshape(3, terms - 1, sizes.shape[1])[channel]
        found = choose(matrix, channels[channel], steps, weight, price, table, empty=False)
        if terms > 1 and flags is not None:
            none = choose(matrix, channels[channel], steps, weight, price, table, empty=True)
            if none[2] + price * flags[channel, 0] <= found[2] + price * flags[channel, 1]:
                found = none
        out[channel] = found[0]
        if channel == 2:
            channels[0] += found[1] / 6
    return out


def image_error(matrix, rgb, integers, first, higher, chroma):
    """Squared error of the images, summed over the channels of rgb."""
    steps = np.full((3, len(rgb)), higher)
    steps[:, 0] = first
    steps[1:] *= chroma
    y, co, cg = integers * steps - ycocg(rgb)
    error = np.stack([y - cg / 2 + co / 2, y + cg / 2, y - cg / 2 - co / 2])
    return float(np.einsum("ca,ab,cb->", error, matrix, error))
