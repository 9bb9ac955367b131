"""Importance classes: how precisely each Gaussian deserves to be coded."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.parallel import by_blocks, threads
from gscompress.entropy.base import Planes
from gscompress.gaussians import Array, Gaussians

__all__ = ["Classes"]

Doubles = NDArray[np.float64]

_PLANES = Planes(partners=(-1,))
_MIDDLE = 8
_GUESS = struct.Struct("<5d")
"""Centre (3), spread, middle of a guess."""
_LARGEST = 1e78
"""About the square of the largest float32."""


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
    ) -> NDArray[np.uint8]:
        """Write what the decoder needs; gives the classes [N] as far as they can be known by now.

        Args:
            importance: As measured [N], or None.
            decoded: The scene so far: called once the means are in it, and again with the scales.
            streams: Where to write.
        """
        late = "log_scales" in decoded.attributes
        if importance is None or len(importance) == 0:
            if not late:
                return decoded.classes
            attributes = decoded.attributes
            guess = _Guess.fitted(
                attributes["means"], attributes["opacity_logits"], attributes["log_scales"]
            )
            streams.put_bytes("importance.guess", guess.to_bytes())
            return self._classes(guess.octaves(decoded))
        if late:
            return decoded.classes
        classes = self.of(importance)
        streams.put_planes("importance", classes[None].astype(np.int32), _PLANES, decoded.side)
        return classes

    def decode(self, decoded: Decoded, streams: StreamReader) -> NDArray[np.uint8]:
        """Give the classes [N] as far as they can be known by now; called as ``encode`` is."""
        late = "log_scales" in decoded.attributes
        if streams.has("importance.guess"):
            if not late:
                return decoded.classes
            guess = _Guess.from_bytes(streams.get_bytes("importance.guess", _GUESS.size))
            if guess is None:
                raise streams.corrupt("importance.guess", "numbers that span no space")
            return self._classes(guess.octaves(decoded))
        if late:
            return decoded.classes
        (classes,) = streams.get_planes("importance", _PLANES, decoded.side)
        if ((classes < 0) | (classes > 15)).any():
            raise streams.corrupt("importance", "a class out of range", "0 to 15")
        return np.asarray(classes, dtype=np.uint8)

    def settled(self, streams: StreamReader) -> bool:
        """Whether the classes are known as soon as the means are."""
        return not streams.has("importance.guess")

    def of(self, importance: NDArray[np.floating]) -> NDArray[np.uint8]:
        """The classes of importances [N] as measured."""
        weights = np.asarray(importance, np.float64)
        seen = weights[weights > 0]
        middle = np.median(seen) if len(seen) else 1.0
        return self._classes(np.log2(np.maximum(weights / middle, 2.0**-40)))

    def guessed(self, scene: Gaussians) -> NDArray[np.uint8]:
        """About the classes [N] that ``encode`` finds where nothing is measured."""
        decoded = Decoded(len(scene), scene.sh_degree)
        for name in ("means", "opacity_logits", "log_scales"):
            decoded.attributes[name] = getattr(scene, name)
        guess = _Guess.fitted(scene.means, scene.opacity_logits, scene.log_scales)
        return self._classes(guess.octaves(decoded))

    def _classes(self, octaves: NDArray[np.float64]) -> NDArray[np.uint8]:
        classes = np.empty(len(octaves), np.uint8)

        def fill(block: slice) -> None:
            classes[block] = np.clip(np.rint(octaves[block] / self.octaves) + _MIDDLE, 0, 15)

        by_blocks(fill, len(octaves))
        return classes


@dataclass(frozen=True)
class _Guess:
    """log2 of opacity^2 * (product of the two larger scales) / (squared distance + spread).

    Attributes:
        centre: The median position.
        spread: The median squared distance to it (of a sample).
        middle: The octave of class 8: the median of all.
    """

    centre: tuple[float, float, float]
    spread: float
    middle: float = 0.0

    @classmethod
    def fitted(cls, means: Array, opacity_logits: Array, log_scales: Array) -> _Guess:
        """The guess for a scene."""
        if len(means) == 0:
            return cls((0.0, 0.0, 0.0), 1.0)
        sample = means[:: max(1, len(means) // 16384)].astype(np.float64)  # enough for the middle
        centre = np.median(sample, axis=0)
        squared = ((sample - centre) ** 2).sum(axis=1)
        guess = cls(tuple(centre.tolist()), max(float(np.median(squared)), 1e-30))
        middle = np.median(guess._octaves(means, opacity_logits, log_scales))
        return replace(guess, middle=float(middle))

    @classmethod
    def from_bytes(cls, data: bytes) -> _Guess | None:
        """What ``to_bytes`` wrote; None for numbers that make no sense."""
        numbers = _GUESS.unpack(data)
        if not (np.abs(numbers) <= _LARGEST).all() or numbers[3] <= 0:
            return None
        return cls(numbers[:3], *numbers[3:])

    def to_bytes(self) -> bytes:
        """As stored."""
        return _GUESS.pack(*self.centre, self.spread, self.middle)

    def octaves(self, decoded: Decoded) -> NDArray[np.float64]:  # [N]
        """Relative to class 8. Portable arithmetic only: both sides must come to the same."""
        attributes = decoded.attributes
        octaves = self._octaves(
            attributes["means"], attributes["opacity_logits"], attributes["log_scales"]
        )
        octaves -= self.middle
        return octaves

    def _octaves(self, means: Array, opacity_logits: Array, log_scales: Array) -> Doubles:
        return _native.guess_octaves(
            means, opacity_logits, log_scales, self.centre, self.spread, threads()
        )
