"""Pictures of a few views, for people to look at: truth, test, and their amplified difference."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from gscompress.gaussians import Array

__all__ = ["VIEWS_SHOWN", "choose", "difference_gain", "jpeg", "pixels_each"]

JPEG_QUALITY = 92
MAX_GAIN = 1024
VIEWS_SHOWN = 3
PAGE_PIXELS = 32_000_000
"""What all pictures of a page may have together: about 15 MB as JPEG."""


def choose(psnrs: Sequence[float], count: int = VIEWS_SHOWN) -> dict[str, int]:
    """Index of ``count`` views by role, spread evenly from the worst to the best; each once."""
    order = sorted(range(len(psnrs)), key=psnrs.__getitem__)
    shown = min(count, len(order))
    if shown == 1:
        return {"worst": order[0]}
    ranks = [(2 * i * (len(order) - 1) + shown - 1) // (2 * (shown - 1)) for i in range(shown)]
    return {_role(i, shown): order[rank] for i, rank in enumerate(ranks)}


def _role(i: int, count: int) -> str:
    named = {0: "worst", count - 1: "best"} | ({count // 2: "median"} if count % 2 else {})
    return named.get(i, f"{i + 1} of {count}")


def difference_gain(pairs: list[tuple[Array, Array]]) -> int:
    """The power of two that shows 99.9 % of all differences without clipping, at most 1024."""
    top = max(float(np.quantile(np.abs(a - b), 0.999)) for a, b in pairs)
    gain = 1
    while gain < MAX_GAIN and gain * 2 * top <= 1:
        gain *= 2
    return gain


def pixels_each(count: int) -> int:
    """How many pixels each of ``count`` pictures of one page may have."""
    return PAGE_PIXELS // max(1, count)


def jpeg(image: Array, most: int = PAGE_PIXELS) -> bytes:  # [H, W, 3]
    """``image``, clamped to 0..1, as a JPEG file of at most ``most`` pixels."""
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    picture = Image.fromarray(pixels)
    if picture.width * picture.height > most:
        scale = math.sqrt(most / (picture.width * picture.height))
        size = max(1, int(picture.width * scale)), max(1, int(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.BOX)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
