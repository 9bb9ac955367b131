"""What each decoded frame changes, counted from the state of the decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gscompress.stream.layout import Steps
from gscompress.stream.slots import Slots

__all__ = ["ChangeCounter", "Changes"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a frame changes.

    Attributes:
        changed: How many Gaussians have another value in any attribute than in the frame before;
            one that is born counts if it differs from the Gaussian that it starts as a copy of.
        by_attribute: The same for each attribute group of `gscompress.stream.layout.GROUPS` alone.
        births: How many are new.
        deaths: How many are gone.
    """

    changed: int
    by_attribute: Mapping[str, int]
    births: int
    deaths: int


class ChangeCounter:
    """Compares the slots of each frame of a group with those of the frame before.

    Args:
        gaussians: Of the key frame.
    """

    def __init__(self, gaussians: int) -> None:
        self._slots, self._alive = gaussians, gaussians
        self._steps: Steps | None = None
        self._sums = np.zeros((0, 0), np.int32)

    def count(self, slots: Slots) -> Changes:
        """What the next frame has changed; each must be told, in order."""
        sums = slots.sums(np.arange(len(slots), dtype=np.int32))
        before = np.zeros_like(sums)
        if self._steps == slots.steps:  # other steps: what is summed starts anew
            before[: self._slots] = self._sums
        differs = sums != before
        births, alive = len(slots) - self._slots, int(np.count_nonzero(slots.alive))
        changes = Changes(
            changed=int(np.count_nonzero(differs.any(axis=1))),
            by_attribute={
                name: int(np.count_nonzero(differs[:, channels].any(axis=1)))
                for name, channels in slots.layout.slices.items()
            },
            births=births,
            deaths=self._alive + births - alive,
        )
        self._slots, self._alive = len(slots), alive
        self._steps, self._sums = slots.steps, sums
        return changes
