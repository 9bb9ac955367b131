"""The transform of trajectories in time: an orthonormal basis of what starts at 0, as integers.

The optimal basis of a random walk that starts at a known point is the discrete sine transform
DST-VII (Han, Saxena, Melkote & Rose, "Jointly optimized spatial prediction and block transform for
video and image coding", 2012): phi_k(t) = 2 / sqrt(2 T + 1) sin((2 k + 1) pi t / (2 T + 1)), t = 1
to T. A uniform motion, too, is nearly all in the first.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.exact_math import sine

__all__ = ["MAX_LENGTH", "SCALE_BITS", "basis"]

MAX_LENGTH = 64
SCALE_BITS = 14


@lru_cache(maxsize=8)
def basis(length: int) -> NDArray[np.int64]:  # [T, T]
    """The basis functions (rows) by frame (columns), times 2^14, rounded; the same everywhere."""
    period = 2 * length + 1
    k = 2 * np.arange(length, dtype=np.int64)[:, None] + 1
    turn = k * np.arange(1, length + 1, dtype=np.int64) % (2 * period)  # in half turns / period
    sign = np.where(turn > period, -1, 1)
    turn = np.where(turn > period, turn - period, turn)
    turn = np.where(2 * turn > period, period - turn, turn)
    scale = 2 / math.sqrt(period) * 2.0**SCALE_BITS
    sines = sine(np.asarray(turn * (math.pi / period), np.float64))
    values = np.asarray(np.rint(scale * sines) * sign, np.int64)
    values.setflags(write=False)
    return values
