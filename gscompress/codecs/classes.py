"""Importance classes: how precisely each Gaussian deserves to be coded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.entropy.base import Planes

__all__ = ["Classes"]

_PLANES = Planes(partners=(-1,))
_MIDDLE = 8


@dataclass(frozen=True)
class Classes:
    """One class per Gaussian: the logarithm of its importance, in steps of some octaves.

    Class 8 is the median importance. Codecs with ``adapt`` > 0 code a Gaussian of higher class in
    finer steps. Without importances (no camera was rendered) every Gaussian is of class 8 and the
    classes cost nothing.

    Attributes:
        octaves: How many octaves of importance a class spans.
        score: What importance is: a field of `gscompress.render.base.Scores`.
        views: From how many training cameras it is measured; 0 measures nothing.
    """

    octaves: int = 2
    score: Literal["weight_sum", "weight_sq_sum", "weight_max", "removal_effect"] = "weight_sum"
    views: int = 64

    def __post_init__(self) -> None:
        if not 1 <= self.octaves <= 8:
            raise ValueError(f"octaves is {self.octaves}, expected 1 to 8")
        if self.views < 0:
            raise ValueError(f"views is {self.views}, expected 0 or more")

    def encode(
        self, importance: NDArray[np.floating] | None, decoded: Decoded, streams: StreamWriter
    ) -> None:
        """Write the classes of importances [N], if there are any."""
        if importance is None or len(importance) == 0:
            streams.put_bytes("importance", b"")
            return
        weights = np.asarray(importance, np.float64)
        seen = weights[weights > 0]
        middle = np.median(seen) if len(seen) else 1.0
        octave = np.log2(np.maximum(weights / middle, 2.0**-40)) / self.octaves
        classes = np.clip(np.rint(octave) + _MIDDLE, 0, 15).astype(np.int32)
        streams.put_planes("importance", classes[None], _PLANES, decoded.side)

    def decode(self, decoded: Decoded, streams: StreamReader) -> NDArray[np.uint8]:
        """Give the classes [N]."""
        if not streams.get_bytes("importance"):
            return np.full(decoded.count, _MIDDLE, np.uint8)
        (classes,) = streams.get_planes("importance", _PLANES, decoded.side)
        if ((classes < 0) | (classes > 15)).any():
            raise streams.corrupt("importance", "a class out of range", "0 to 15")
        return np.asarray(classes, dtype=np.uint8)
