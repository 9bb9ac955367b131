"""How well a set of cameras sees a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.extent import area_weights
from gscompress.gaussians import Gaussians
from gscompress.render.base import Progress, Renderer

__all__ = ["SEEN_WEIGHT", "Coverage", "coverage"]

SEEN_WEIGHT = 1 / 255
"""A Gaussian is seen in a view if it changes a pixel by at least one step of 8 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """How much of a scene is seen; shares are of the total opacity-weighted area.

    What lies hidden inside objects or behind walls counts too, so that even a perfect set of
    cameras stays below 1.

    Attributes:
        share: Share seen by at least ``k`` views.
        share_once: Share seen by at least one view.
        k: As asked.
        views: Number of cameras.
        counts: In how many views each Gaussian is seen.
    """

    share: float
    share_once: float
    k: int
    views: int
    counts: NDArray[np.int64]  # [N]

    def to_dict(self) -> dict[str, float]:
        """The figures without the counts, for reports."""
        return {
            "share": self.share,
            "share_once": self.share_once,
            "k": self.k,
            "views": self.views,
        }


def coverage(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    k: int = 3,
    *,
    progress: Progress | None = None,
) -> Coverage:
    """Measure how much of ``scene`` at least ``k`` of the cameras see.

    Args:
        scene: The scene.
        cameras: The views.
        renderer: Its scores say which Gaussians reach a pixel with a weight of ``SEEN_WEIGHT``.
        k: In how many views something must be seen to count.
        progress: Told after every view.
    """
    counts = np.zeros(len(scene), np.int64)
    for i, camera in enumerate(cameras):
        scores = renderer.scores(scene, [camera], removal=False)
        counts += (scores.hits > 0) & (scores.weight_max >= SEEN_WEIGHT)
        if progress is not None:
            progress(i + 1, len(cameras))
    weights = area_weights(scene)
    total = weights.sum()
    share, once = (
        float(weights[counts >= need].sum() / total) if total > 0 else 0.0 for need in (k, 1)
    )
    return Coverage(share, once, k, len(cameras), counts)
