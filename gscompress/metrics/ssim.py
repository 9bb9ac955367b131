"""Structural similarity."""

from __future__ import annotations

import numpy as np

from gscompress.errors import InputError
from gscompress.gaussians import Array
from gscompress.metrics._images import checked

__all__ = ["ssim"]

RADIUS = 5
SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2

STRIP = 32
"""Rows filtered at a time, so that the intermediate images stay in the cache."""


def ssim(image: Array, reference: Array) -> float:  # [H, W, C], [H, W, C]
    """SSIM of ``image`` and ``reference``, both clamped to 0..1: 1 means identical.

    Mean over channels and over the pixels whose window lies inside the image. The window is an
    11x11 Gaussian with sigma 1.5 pixels and weights that sum to 1; K1 = 0.01, K2 = 0.03, data range
    1; population variances. Wang et al., "Image quality assessment: from error visibility to
    structural similarity" (2004), eq. 13.

    Raises:
        InputError: The shapes differ, a side is shorter than 11, or a value is not finite.
    """
    x, y = checked(image, reference)
    size = 2 * RADIUS + 1
    height, width, channels = x.shape
    if min(height, width) < size:
        raise InputError(
            "SSIM", found=f"{width}x{height} pixels", expected=f"at least {size}x{size}"
        )
    total = 0.0
    for top in range(0, height - size + 1, STRIP):
        rows = slice(top, min(top + STRIP + size - 1, height))
        total += _similarity_sum(x[rows], y[rows])
    return total / float((height - size + 1) * (width - size + 1) * channels)


def _similarity_sum(x: Array, y: Array) -> float:  # [h, W, C], [h, W, C]
    """Sum of the local similarity over all windows inside this strip.

    Values are centred on 0.5 before they are squared: variances do not change, and float32 loses
    less of them.
    """
    x, y = x - np.float32(0.5), y - np.float32(0.5)
    mean_x, mean_y, power, product = _blur(np.stack([x, y, x * x + y * y, x * y]))
    variances = power - mean_x * mean_x - mean_y * mean_y
    covariance = product - mean_x * mean_y
    mean_x += np.float32(0.5)
    mean_y += np.float32(0.5)
    luminance = 2 * mean_x * mean_y + C1
    luminance /= mean_x * mean_x + mean_y * mean_y + C1
    structure = (2 * covariance + C2) / (variances + C2)
    return float(np.sum(luminance * structure, dtype=np.float64))


def _blur(maps: Array) -> Array:  # [M, h, W, C] -> [M, h - 10, W - 10, C]
    """Gaussian means of all windows inside ``maps``, one axis after the other."""
    offsets = np.arange(-RADIUS, RADIUS + 1)
    weights = np.exp(-0.5 * (offsets / SIGMA) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (1, 2):
        length = maps.shape[axis] - 2 * RADIUS
        moved = [_window(maps, axis, start, length) for start in range(2 * RADIUS + 1)]
        blurred = moved[RADIUS] * weights[RADIUS]
        for k in range(RADIUS):
            pair = moved[k] + moved[-1 - k]  # the two taps of equal weight
            pair *= weights[k]
            blurred += pair
        maps = blurred
    return maps


def _window(maps: Array, axis: int, start: int, length: int) -> Array:
    """``length`` entries of ``maps`` from ``start`` along ``axis``; a view."""
    return maps[(slice(None),) * axis + (slice(start, start + length),)]
