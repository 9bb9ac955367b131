"""Rotations, by the vector part of the canonical quaternion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter, TwoStep
from gscompress.codecs.canonical import canonicalize
from gscompress.codecs.parallel import threads
from gscompress.codecs.quantize import SLACK, check_adapt, check_positive, rounded, to_integers
from gscompress.entropy.base import Planes
from gscompress.gaussians import Array, Gaussians

__all__ = ["Rotation24"]

_PLANES = Planes(partners=(-1, 0, 1))
_MAX_STEP = 0.5
_ANGLE_PER_STEP = 2.08
"""Largest angle in radians between a rotation and its decoded one, in steps: 2 |dq| of the
quaternion, where x, y and z are wrong by half a step each and w, at least 0.853, follows. That is
to first order: for steps up to _MAX_BOUNDED_STEP."""
_MAX_BOUNDED_STEP = 1 / 64


@dataclass(frozen=True)
class Rotation24(TwoStep):
    """The x, y, z of the canonical unit quaternion in equal steps; w follows.

    The canonical quaternion is the one nearest to the identity among the 24 equivalent ones (see
    canonical.py), so |x|, |y|, |z| are small and w is far from 0.

    Attributes:
        step: Step of x, y and z.
        adapt: The step shrinks with importance w as w^(-adapt/8).
    """

    step: float = 1 / 48
    adapt: int = 0

    def __post_init__(self) -> None:
        check_positive(step=self.step)
        check_adapt(self.adapt)

    def arrange(self, scene: Gaussians) -> Gaussians:
        """Give the equivalent scene whose rotations are canonical."""
        return canonicalize(scene)

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> None:
        """Write canonical quaternions [N, 4]."""
        steps = self.step * decoded.step_factors(self.adapt)
        symbols = to_integers(values[:, 1:], np.minimum(steps, _MAX_STEP)[:, None])
        streams.put_planes("quats", np.ascontiguousarray(symbols.T), _PLANES, decoded.side)

    def read(self, decoded: Decoded, streams: StreamReader) -> NDArray[np.int32]:
        """Give integers [3, N]."""
        return streams.get_planes("quats", _PLANES, decoded.side)

    def scaled(self, factor: float) -> Rotation24:
        """Steps times ``factor``."""
        return replace(self, step=min(rounded(self.step * factor), _MAX_STEP))

    def trimmed(self, share: float) -> Rotation24:
        """Up to twice the step: no single rotation makes an image jump."""
        return self.scaled(1 + share)

    def bounded(self, values: Array, limits: Mapping[str, float]) -> Rotation24:
        """Equal steps for all, from the largest angle between rotations, in degrees."""
        step = rounded(SLACK * float(np.radians(limits["quats"])) / _ANGLE_PER_STEP)
        return replace(self, step=min(step, _MAX_BOUNDED_STEP), adapt=0)

    def values(self, symbols: NDArray[np.int32], decoded: Decoded) -> Array:
        """Give unit quaternions [N, 4]."""
        steps = np.minimum(self.step * decoded.step_factors(self.adapt), _MAX_STEP)
        return _native.quats_from_planes(symbols, steps, threads())
