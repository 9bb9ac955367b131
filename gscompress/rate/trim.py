"""A measure lowered a little, without the jumps that other steps make.

Other steps round every value anew, and where a few large Gaussians make most of the error, a mean
PSNR jumps by a dB or more as their opacities, scales and positions happen to fall.
`gscompress.codecs.base.Codec.trimmed` leaves these alone and saves bytes where many small errors
add up instead: quality falls evenly, from a trial that is a little too good into the window.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import replace

from gscompress.codecs.scene import GROUPS
from gscompress.config import Config

__all__ = ["trim", "trimmed"]

_MAX_TRIALS = 6
_MARGIN = 0.1
"""No trial is nearer to an end of the bracket than this share of it."""


def trimmed(config: Config, share: float) -> Config:
    """The configuration with a share, 0 to 1, of what its codecs can trim."""
    attributes = {
        group: codec.trimmed(share) if group in GROUPS else codec
        for group, codec in config.attributes.items()
    }
    return replace(config, attributes=types.MappingProxyType(attributes))


def trim(measure: Callable[[float], float], start: float, low: float, high: float) -> None:
    """Measure shares until a falling measure is between two limits, by false position.

    Args:
        measure: Of a share.
        start: What it is at 0, above ``high``.
        low: The least that it shall be.
        high: The most that it shall be.
    """
    above: tuple[float, float] = (0.0, start)
    below: tuple[float, float] | None = None
    share = 0.5
    for _ in range(_MAX_TRIALS):
        found = measure(share)
        if low <= found <= high or (found > high and (share == 1 or found >= start)):
            return
        if found > high:
            above = share, found
        else:
            below = share, found
        share = 1.0 if below is None else _between(above, below, (low + high) / 2)


def _between(above: tuple[float, float], below: tuple[float, float], aim: float) -> float:
    """The share, of two with their measures, at which the line between these has ``aim``."""
    part = (above[1] - aim) / (above[1] - below[1])
    part = min(max(part, _MARGIN), 1 - _MARGIN)
    return above[0] + part * (below[0] - above[0])
