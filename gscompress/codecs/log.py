"""Scales, uniformly quantized as logarithms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter, TwoStep
from gscompress.codecs.parallel import threads
from gscompress.codecs.quantize import SLACK, check_adapt, check_positive, rounded, to_integers
from gscompress.entropy.base import Planes
from gscompress.gaussians import Array

__all__ = ["Log"]

_PLANES = Planes(partners=(-1, 0, 1))


@dataclass(frozen=True)
class Log(TwoStep):
    """Log-scales in equal steps.

    Attributes:
        step: Step in natural-log units.
        adapt: The step shrinks with importance w as w^(-adapt/8).
        max_step: Upper limit of the adapted step: hidden Gaussians must not balloon.
        flatness: A scale below this share of the Gaussian's largest one is raised to it: thinner
            than that no image tells. 0 leaves them.
    """

    step: float = 0.12
    adapt: int = 0
    max_step: float = 0.3
    flatness: float = 3e-4

    def __post_init__(self) -> None:
        check_positive(step=self.step, max_step=self.max_step)
        check_adapt(self.adapt)
        if not 0 <= self.flatness < 1:
            raise ValueError(f"flatness is {self.flatness}, expected 0 up to below 1")

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> Array:
        """Write log-scales [N, 3]."""
        if self.flatness > 0:
            floor = values.max(axis=1, keepdims=True) + np.log(self.flatness)
            values = np.maximum(values, floor).astype(np.float32)
        symbols = to_integers(values, self._steps(decoded)[:, None])
        planes = np.ascontiguousarray(symbols.T)
        streams.put_planes("scales", planes, _PLANES, decoded.side)
        return self.values(planes, decoded)

    def read(self, decoded: Decoded, streams: StreamReader) -> NDArray[np.int32]:
        """Give integers [3, N]."""
        return streams.get_planes("scales", _PLANES, decoded.side)

    def scaled(self, factor: float) -> Log:
        """Steps times ``factor``; the upper limit of adapted steps stays."""
        return replace(self, step=rounded(self.step * factor))

    def bounded(self, values: Array, limits: Mapping[str, float]) -> Log:
        """Equal steps for all, from the largest relative error of a scale."""
        step = rounded(2 * SLACK * float(np.log1p(limits["scales"])))
        return replace(self, step=step, adapt=0, flatness=0.0)

    def values(self, symbols: NDArray[np.int32], decoded: Decoded) -> Array:
        """Give log-scales [N, 3]."""
        return _native.scale_planes(symbols, self._steps(decoded), threads())

    def _steps(self, decoded: Decoded) -> NDArray[np.float64]:
        steps = self.step * decoded.step_factors(self.adapt)
        return np.asarray(np.minimum(steps, max(self.step, self.max_step)))
