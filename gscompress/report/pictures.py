"""Pictures of a few views, for people to look at: truth, test, and their amplified difference."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from gscompress.gaussians import Array

__all__ = ["choose", "difference_gain", "jpeg"]

JPEG_QUALITY = 92
MAX_GAIN = 1024


def choose(psnrs: list[float]) -> dict[str, int]:
    """Index of the worst, median and best view by role; each view at most once."""
    order = sorted(range(len(psnrs)), key=psnrs.__getitem__)
    chosen: dict[str, int] = {}
    for role, k in (("worst", order[0]), ("best", order[-1]), ("median", order[len(order) // 2])):
        if k not in chosen.values():
            chosen[role] = k
    return {role: chosen[role] for role in ("worst", "median", "best") if role in chosen}


def difference_gain(pairs: list[tuple[Array, Array]]) -> int:
    """The power of two that shows 99.9 % of all differences without clipping, at most 1024."""
    top = max(float(np.quantile(np.abs(a - b), 0.999)) for a, b in pairs)
    gain = 1
    while gain < MAX_GAIN and gain * 2 * top <= 1:
        gain *= 2
    return gain


def jpeg(image: Array) -> bytes:  # [H, W, 3]
    """``image``, clamped to 0..1, as a JPEG file."""
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
