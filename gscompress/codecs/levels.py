"""Levels of detail: who comes first, so that a prefix of a file shows the whole scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.classes import Classes
from gscompress.codecs.guidance import Guidance
from gscompress.gaussians import Gaussians

__all__ = ["MAX_LEVELS", "split_levels"]

MAX_LEVELS = 16


def split_levels(
    scene: Gaussians, guidance: Guidance, codecs: Mapping[str, Any], shares: Sequence[float]
) -> NDArray[np.uint8]:  # [N]
    """The level of each Gaussian: 0 is what a decoder gets first.

    The most important Gaussians come first, for they look like the scene by themselves. Levels
    consist of whole importance classes: what a level tells of its Gaussians' classes need not be
    coded again, so levels cost next to nothing where importance was measured.

    Args:
        scene: The scene in any order.
        guidance: Importance of each Gaussian, where it was measured.
        codecs: The configuration's codecs; ``importance`` says what a class is.
        shares: About which share of the Gaussians there shall be up to the end of each level but
            the last, ascending.
    """
    if not shares or len(scene) == 0:
        return np.zeros(len(scene), np.uint8)
    codec = codecs.get("importance", Classes())
    importance = guidance.importance
    classes = codec.guessed(scene) if importance is None else codec.of(importance)
    above = np.cumsum(np.bincount(classes, minlength=17)[::-1])[::-1] / len(scene)
    # above[c] is the share of the classes from c upward; a level ends with the nearest one.
    ends = {int(np.argmin(np.abs(np.log((above + 1e-9) / share)))) for share in shares}
    level = np.zeros(len(scene), np.uint8)
    for end in ends:
        level += classes < end
    used = np.bincount(level) > 0
    return np.asarray((np.cumsum(used) - 1).astype(np.uint8)[level])
