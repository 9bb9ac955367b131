"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

import numpy as np

from gscompress.gaussians import Array
from gscompress.metrics._images import checked

__all__ = ["PSNR_CAP", "psnr"]

PSNR_CAP = 150.0
"""Largest value that ``psnr`` returns, in dB: what identical images get.

It lies beyond the resolution of float32 (one unit in the last place of a value below 1 is -144 dB),
so that a mean over views stays finite and a JSON number, and no honest comparison is cut.
"""


def psnr(image: Array, reference: Array) -> float:  # [H, W, C], [H, W, C]
    """PSNR of ``image`` against ``reference`` in dB, for a peak of 1.

    Both are clamped to 0..1 first; nothing is rounded to 8 bits. The squared error is averaged over
    all pixels and channels in float64.

    Raises:
        InputError: The shapes differ, or a value is not finite.
    """
    first, second = checked(image, reference)
    difference = np.subtract(first, second, dtype=np.float64).ravel()
    mse = float(difference @ difference) / difference.size
    return PSNR_CAP if mse == 0 else min(PSNR_CAP, -10 * math.log10(mse))
