"""What is coded after a key frame, where an encoder of it stands, and what it may come to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Array, Gaussians
from gscompress.stream.decoder import Track
from gscompress.stream.segment import Segment
from gscompress.stream.tracking import Matches

__all__ = ["Attempt", "Doubles", "Moment", "Probe", "Rows", "State", "followed"]

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame to be coded.

    Attributes:
        scene: Its Gaussians.
        matches: How those of the frame before belong to them.
    """

    scene: Gaussians
    matches: Matches

    @property
    def turns_over(self) -> bool:
        """Whether any Gaussian dies or is born."""
        return bool(len(self.matches.born) or (self.matches.rows < 0).any())


@dataclass(frozen=True, eq=False)
class State:
    """Where an encoder stands.

    Attributes:
        track: What the decoder knows; None before the first segment.
        rows: The row of the last frame in each slot; -1 where none is.
        sensitivities: Of the images to each channel of each slot [slots, C].
        factors: By how much errors show more than these say [slots, groups].
        price: What the steps are for.
    """

    track: Track | None
    rows: Rows
    sensitivities: Array
    factors: Doubles
    price: float = 0.0


@dataclass(frozen=True, eq=False)
class Probe:
    """What a frame lacks.

    Attributes:
        scene: What is in all slots.
        missed: By how much it is more than it should be [slots, C].
    """

    scene: Gaussians
    missed: Array


@dataclass(frozen=True, eq=False)
class Attempt:
    """One way to code one or more frames.

    Attributes:
        segment: What would be sent.
        scenes: The frames as decoded.
        rows: Of each of them, the row of each of its Gaussians in the frame as it came.
        changed: How many slots change, by frame (or coefficient).
        turnover: How many are born and how many die, of a single frame.
        state: Where the encoder would be.
    """

    segment: Segment
    scenes: list[Gaussians]
    rows: list[Rows]
    changed: list[int]
    state: State
    turnover: tuple[int, int] = (0, 0)

    @property
    def bytes(self) -> int:
        """Size of the segment."""
        return len(self.segment.to_bytes())


def followed(rows: Rows, matches: Matches) -> Rows:
    """The rows of the next frame in the slots."""
    if matches.tracked:
        return rows
    return np.where(rows >= 0, matches.rows[np.maximum(rows, 0)], -1)
