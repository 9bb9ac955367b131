"""What each decoded frame changes, counted from the state of the decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Gaussians
from gscompress.stream.slots import Slots

__all__ = ["ChangeCounter", "Changes"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a frame changes.

    Attributes:
        changed: How many Gaussians that were there before have another value in any attribute.
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
        key: The key frame, in slot order.
    """

    def __init__(self, key: Gaussians) -> None:
        self._before, self._alive = key, np.ones(len(key), np.bool_)

    def count(self, slots: Slots) -> Changes:
        """What the next frame has changed; each must be told, in order."""
        now, before, old = slots.everything(), self._before, len(self._before)
        kept = self._alive & slots.alive[:old]
        differs = {
            name: kept & differ
            for name, differ in _differences(before, now).items()
            if name in slots.layout.widths
        }
        changes = Changes(
            changed=int(np.count_nonzero(np.any(list(differs.values()), axis=0))),
            by_attribute={name: int(np.count_nonzero(one)) for name, one in differs.items()},
            births=len(now) - old,
            deaths=int(np.count_nonzero(self._alive & ~slots.alive[:old])),
        )
        self._before, self._alive = now, slots.alive.copy()
        return changes


def _differences(before: Gaussians, now: Gaussians) -> dict[str, NDArray[np.bool_]]:
    """By attribute group, which of the first Gaussians [N] of ``now`` are not as in ``before``."""
    count = len(before)
    sh = now.sh[:count] != before.sh
    return {
        "means": (now.means[:count] != before.means).any(axis=1),
        "quats": (now.quats[:count] != before.quats).any(axis=1),
        "scales": (now.log_scales[:count] != before.log_scales).any(axis=1),
        "opacities": now.opacity_logits[:count] != before.opacity_logits,
        "sh0": sh[:, 0].any(axis=1),
        "shN": sh[:, 1:].any(axis=(1, 2)),
    }
