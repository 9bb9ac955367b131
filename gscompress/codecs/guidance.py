"""What an encoder may know about a scene beyond its numbers; decoders never see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Guidance", "Sightings"]


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
    """

    importance: NDArray[np.floating] | None = None  # [N]
    sightings: Sightings | None = None

    def select(self, rows: NDArray[np.intp] | slice) -> Guidance:
        """That of some Gaussians."""
        return Guidance(
            None if self.importance is None else self.importance[rows],
            None if self.sightings is None else self.sightings.select(rows),
        )
