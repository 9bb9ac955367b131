"""What an encoder may know about a scene beyond its numbers; decoders never see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.assigned import Assigned

__all__ = ["Guidance", "Sightings", "Trained"]


@dataclass(frozen=True, eq=False)
class Trained:
    """Words that were trained for a codec: see `gscompress.codecs.tuning`.

    Attributes:
        codec: The codec as configured.
        assigned: Its words, and which Gaussian has which.
    """

    codec: object
    assigned: Assigned


@dataclass(frozen=True, eq=False)
class Sightings:
    """From where each Gaussian is seen, and how much.

    Attributes:
        eyes: Centres of the cameras.
        weights: Sum over the pixels of each camera of the squared blending weight.
    """

    eyes: NDArray[np.float32]  # [V, 3]
    weights: NDArray[np.float32]  # [N, V]

    def __post_init__(self) -> None:
        if self.eyes.shape != (self.weights.shape[1], 3):
            raise ValueError(f"{self.eyes.shape} eyes do not fit {self.weights.shape} weights")

    def select(self, rows: NDArray[np.intp] | slice) -> Sightings:
        """Those of some Gaussians."""
        return Sightings(self.eyes, np.ascontiguousarray(self.weights[rows]))


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
