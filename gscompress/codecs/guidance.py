"""What an encoder may know about a scene beyond its numbers; decoders never see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.assigned import Assigned

__all__ = ["WEIGHTS", "Guidance", "Sightings", "Trained", "weight_codes"]


@dataclass(frozen=True, eq=False)
class Trained:
    """Words that were trained for a codec: see `gscompress.codecs.tuning`.

    Attributes:
        codec: The codec as configured.
        assigned: Its words, and which Gaussian has which.
    """

    codec: object
    assigned: Assigned


_PER_OCTAVE, _MIDDLE, _CODES = 6, 128, 256

WEIGHTS = np.exp2((np.arange(_CODES) - _MIDDLE) / _PER_OCTAVE).astype(np.float32)
"""The weights that sightings may have; the first is 0."""
WEIGHTS[0] = 0


@dataclass(frozen=True, eq=False)
class Sightings:
    """From where each Gaussian is seen, and how much.

    There is a weight for every Gaussian and camera, which is the most that an encoder holds: they
    are kept in one byte each, to within 6 %.

    Attributes:
        eyes: Centres of the cameras.
        codes: Places in ``WEIGHTS``.
    """

    eyes: NDArray[np.float32]  # [V, 3]
    codes: NDArray[np.uint8]  # [N, V]

    def __post_init__(self) -> None:
        if self.eyes.shape != (self.codes.shape[1], 3):
            raise ValueError(f"{self.eyes.shape} eyes do not fit {self.codes.shape} weights")

    @classmethod
    def of(cls, eyes: NDArray[np.float32], weights: NDArray[np.floating]) -> Sightings:
        """Those with about these weights [N, V]."""
        return cls(eyes, weight_codes(weights))

    @property
    def weights(self) -> NDArray[np.float32]:  # [N, V]
        """Sum over the pixels of each camera of the squared blending weight."""
        return np.asarray(WEIGHTS[self.codes])

    def visibility(self) -> NDArray[np.float64]:  # [N]
        """The sum of the weights of each Gaussian."""
        total = np.zeros(len(self.codes))
        for codes in self.codes.T:
            total += WEIGHTS[codes]
        return total

    def select(self, rows: NDArray[np.intp] | slice) -> Sightings:
        """Those of some Gaussians."""
        return Sightings(self.eyes, np.ascontiguousarray(self.codes[rows]))


def weight_codes(weights: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Places in ``WEIGHTS`` that are nearest to weights; only 0 is coded as 0."""
    with np.errstate(divide="ignore"):
        codes = np.rint(np.log2(weights) * _PER_OCTAVE) + _MIDDLE
    codes = np.where(weights > 0, np.clip(codes, 1, _CODES - 1), 0)
    return np.asarray(codes, dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Guidance:
    """What renders from the training cameras say about each Gaussian.

    Attributes:
        importance: How precisely each deserves to be coded, in any unit.
        sightings: From where each is seen.
        trained: Codebooks that a stage has trained, by attribute group.
        device: Where an encoder may compute.
    """

    importance: NDArray[np.floating] | None = None  # [N]
    sightings: Sightings | None = None
    trained: Mapping[str, Trained] = field(default_factory=dict)
    device: str = "cpu"

    def select(self, rows: NDArray[np.intp] | slice) -> Guidance:
        """That of some Gaussians."""
        trained = {
            group: Trained(one.codec, one.assigned.select(rows))
            for group, one in self.trained.items()
        }
        return replace(
            self,
            importance=None if self.importance is None else self.importance[rows],
            sightings=None if self.sightings is None else self.sightings.select(rows),
            trained=trained,
        )

    def trained_for(self, group: str, codec: object, count: int) -> Assigned | None:
        """The words trained for a codec, if they are for just this one and ``count`` Gaussians."""
        one = self.trained.get(group)
        if one is None or one.codec != codec or one.assigned.indices.shape[1] != count:
            return None
        return one.assigned
