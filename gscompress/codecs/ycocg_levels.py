"""Red, green and blue as levels of luma and two chroma differences, term by term, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.parallel import threads
from gscompress.gaussians import Array

__all__ = ["dequantize", "luma_and_chroma", "quantize"]


def luma_and_chroma(planes: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Views of planes [3 * terms, N] that hold Y, Co and Cg of each term in turn."""
    terms = len(planes) // 3
    return planes[:terms], planes[terms:]


def quantize(
    rgb: Array,  # [N, K, 3]
    steps: NDArray[np.float64],
    chroma: float,
    first: int,
    terms: int,
) -> NDArray[np.int32]:  # [3 * terms, N]
    """The nearest levels of ``terms`` terms of red, green and blue from ``first`` on."""
    planes = np.empty((3 * terms, len(rgb)), np.int32)
    if terms:
        _native.quantize_ycocg(rgb, steps, chroma, first, 0.5, *luma_and_chroma(planes))
    return planes


def dequantize(
    levels: NDArray[np.int32],  # [3, terms, N]
    steps: NDArray[np.float64],
    chroma: float,
    first: int,
    out: Array,
) -> None:
    """Red, green and blue of these terms from ``first`` on, into ``out`` [N, K, 3]."""
    if levels.shape[1]:
        planes = np.ascontiguousarray(levels).reshape(-1, len(out))
        _native.dequantize_ycocg(*luma_and_chroma(planes), steps, chroma, first, out, threads())
