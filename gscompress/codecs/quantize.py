"""Uniform quantization: real numbers to integers and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.parallel import by_blocks

__all__ = ["MAX_ADAPT", "SLACK", "check_adapt", "check_positive", "rounded", "to_integers"]

MAX_ADAPT = 8
"""A step proportional to 1 / importance: no codec gains by more."""

SLACK = 0.999
"""A step made from an error bound is this much smaller: room for rounding to float32."""

_LIMIT = 2.0**30


def to_integers(
    values: NDArray[np.floating],
    step: float | NDArray[np.float64],
    rounding: float = 0.5,
) -> NDArray[np.int32]:
    """Round ``values / step`` to integers, symmetric about 0.

    Args:
        values: What to quantize [N, ...].
        step: Width of a cell, or that of each row [N, 1, ...].
        rounding: What is added to a magnitude before it is truncated: 0.5 is the nearest integer,
            less favours the smaller one (a rate-distortion dead zone for peaked distributions).
    """
    integers = np.empty(values.shape, np.int32)

    def fill(block: slice) -> None:
        width = step if isinstance(step, float) else step[block]
        scaled = values[block].astype(np.float64) / width
        size = np.minimum(np.floor(np.abs(scaled) + rounding), _LIMIT)
        integers[block] = np.copysign(size, scaled)

    by_blocks(fill, len(values))
    return integers


def rounded(step: float) -> float:
    """A step with four significant digits, so that files show tidy ones."""
    return float(f"{step:.4g}")


def check_positive(**parameters: float) -> None:
    """Refuse steps that are not positive numbers.

    Raises:
        ValueError: Names the parameter.
    """
    for name, value in parameters.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}, expected a positive number")


def check_adapt(adapt: int) -> None:
    """Refuse exponents out of range.

    Raises:
        ValueError: Says what was found.
    """
    if not 0 <= adapt <= MAX_ADAPT:
        raise ValueError(f"adapt is {adapt}, expected 0 to {MAX_ADAPT}")
