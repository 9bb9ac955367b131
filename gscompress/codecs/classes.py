"""Importance classes: how precisely each Gaussian deserves to be coded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.exact_math import log
from gscompress.entropy.base import Planes

__all__ = ["Classes"]

_PLANES = Planes(partners=(-1,))
_MIDDLE = 8


@dataclass(frozen=True)
class Classes:
    """One class per Gaussian: the logarithm of its importance, in steps of some octaves.

    Class 8 is the median importance. Codecs with ``adapt`` > 0 code a Gaussian of higher class in
    finer steps. Measured importances are coded right after the positions. Without them (no camera
    was rendered) both sides guess from what is decoded once the scales are: a Gaussian counts by
    opacity^2 times its area as seen from the middle of the scene, and the classes cost nothing.

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
        classes = self._classes(np.log2(np.maximum(weights / middle, 2.0**-40)))
        streams.put_planes("importance", classes[None].astype(np.int32), _PLANES, decoded.side)

    def decode(self, decoded: Decoded, streams: StreamReader) -> NDArray[np.uint8]:
        """Give the classes [N] as far as they can be known by now."""
        if not streams.get_bytes("importance"):
            if "log_scales" not in decoded.attributes or decoded.count == 0:
                return np.full(decoded.count, _MIDDLE, np.uint8)
            octave = _guess(decoded)
            return self._classes(octave - np.median(octave))
        if "opacity_logits" in decoded.attributes:
            return decoded.classes
        (classes,) = streams.get_planes("importance", _PLANES, decoded.side)
        if ((classes < 0) | (classes > 15)).any():
            raise streams.corrupt("importance", "a class out of range", "0 to 15")
        return np.asarray(classes, dtype=np.uint8)

    def _classes(self, octave: NDArray[np.float64]) -> NDArray[np.uint8]:
        classes = np.clip(np.rint(octave / self.octaves) + _MIDDLE, 0, 15)
        return np.asarray(classes, dtype=np.uint8)


def _guess(decoded: Decoded) -> NDArray[np.float64]:  # [N]
    """log2 of opacity^2 * (product of the two larger scales) / (squared distance + radius^2).

    The radius is the median distance to the median position (of a sample). Portable arithmetic
    only: both sides must come to the same classes.
    """
    means = decoded.attributes["means"].astype(np.float64)
    logits = decoded.attributes["opacity_logits"].astype(np.float64)
    a, b, c = decoded.attributes["log_scales"].astype(np.float64).T
    larger_two = a + b + c - np.minimum(np.minimum(a, b), c)
    sample = means[:: max(1, decoded.count // 16384)]  # enough for the middle
    x, y, z = (means - np.median(sample, axis=0)).T
    squared = x * x + y * y + z * z
    farness = log(squared + np.maximum(np.median(squared), 1e-30))
    # ln(opacity) = -ln(1 + exp(-logit)) is near min(logit, 0), which is portable.
    return np.asarray((2 * np.minimum(logits, 0) + larger_two - farness) / 0.6931471805599453)
