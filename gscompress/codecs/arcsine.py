"""Opacities, uniformly quantized as angles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.base import Decoded, StreamReader, StreamWriter, TwoStep
from gscompress.codecs.exact_math import log, sine
from gscompress.codecs.quantize import SLACK
from gscompress.entropy.base import Planes
from gscompress.gaussians import Array

__all__ = ["Arcsine"]

_HALF_PI = 1.5707963267948966
_MAX_LEVELS = 4096
_MAX_LOGIT = 16.0
"""Beyond it float32 opacities are 0 or 1."""


@dataclass(frozen=True)
class Arcsine(TwoStep):
    """Opacity o as the angle phi = arcsin(sqrt(o)), in equal steps.

    The angle makes the error of o proportional to sqrt(o (1 - o)): fine near 0 and 1, where a
    difference shows, coarse between. 0 and 1 themselves are levels.

    Attributes:
        levels: Number of steps from transparent to opaque.
    """

    levels: int = 52

    def __post_init__(self) -> None:
        if not 1 <= self.levels <= _MAX_LEVELS:
            raise ValueError(f"levels is {self.levels}, expected 1 to {_MAX_LEVELS}")

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> Array:
        """Write the levels of opacity logits [N]."""
        logits = values.astype(np.float64)
        angles = np.arctan2(1.0, np.exp(-np.clip(logits, -80, 80) / 2))
        symbols = np.rint(angles * (self.levels / _HALF_PI)).astype(np.int32)
        streams.put_planes("opacities", symbols[None], Planes(partners=(-1,)), decoded.side)
        return self.values(symbols, decoded)

    def read(self, decoded: Decoded, streams: StreamReader) -> NDArray[np.int32]:
        """Give levels [N]."""
        (symbols,) = streams.get_planes("opacities", Planes(partners=(-1,)), decoded.side)
        if ((symbols < 0) | (symbols > self.levels)).any():
            raise streams.corrupt("opacities", "a level out of range", f"0 to {self.levels}")
        return np.asarray(symbols)

    def scaled(self, factor: float) -> Arcsine:
        """As many levels as make the steps ``factor`` times as wide, at least one."""
        return replace(self, levels=int(np.clip(round(self.levels / factor), 1, _MAX_LEVELS)))

    def bounded(self, values: Array, limits: Mapping[str, float]) -> Arcsine | None:
        """As many levels as the largest error of an opacity needs: do / dphi is at most 1."""
        levels = math.ceil(_HALF_PI / 2 / (SLACK * limits["opacities"]))
        return replace(self, levels=levels) if levels <= _MAX_LEVELS else None

    def values(self, symbols: NDArray[np.int32], decoded: Decoded) -> Array:
        """Give opacity logits [N]."""
        angles = np.arange(1, self.levels, dtype=np.float64) * (_HALF_PI / self.levels)
        # logit(sin^2 phi) = 2 ln(tan phi), with tan phi = sin phi / sin(pi/2 - phi)
        logits = 2 * log(sine(angles) / sine(_HALF_PI - angles))
        table = np.concatenate([[-_MAX_LOGIT], logits, [_MAX_LOGIT]]).astype(np.float32)
        return np.asarray(table[symbols])
