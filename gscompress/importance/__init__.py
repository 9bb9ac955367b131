"""Importance: what each Gaussian contributes, and what cameras see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from gscompress.registry import Registry
from gscompress.render.base import Progress, Renderer

__all__ = ["SCORES", "pick_views", "score"]

SCORES = Registry(
    "score",
    "gscompress.scores",
    {
        "removal_effect": "gscompress.importance.blending:removal_effect",
        "weight_sum": "gscompress.importance.blending:weight_sum",
        "weight_sq_sum": "gscompress.importance.blending:weight_sq_sum",
        "weight_max": "gscompress.importance.blending:weight_max",
        "hits": "gscompress.importance.blending:hits",
        "global_significance": "gscompress.importance.significance:global_significance",
        "global_significance_released": (
            "gscompress.importance.significance:global_significance_released"
        ),
        "local_distinctiveness": "gscompress.importance.distinctiveness:local_distinctiveness",
        "sensitivity": "gscompress.importance.sensitivity:sensitivity",
    },
)
"""Ids of scores: functions of (scene, cameras, renderer, progress)."""


def score(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    name: str = "removal_effect",
    progress: Progress | None = None,
) -> NDArray[np.float64]:  # [N]
    """How much each Gaussian matters to what the cameras see; at least 0, more matters more.

    Args:
        scene: The scene.
        cameras: From where it is looked at.
        renderer: Renders it.
        name: Id of the score.
        progress: Told after every view.

    Raises:
        ConfigError: There is no such score.

    Example:
        >>> import gscompress as gs
        >>> from gscompress.importance import score
        >>> from gscompress.render import get_renderer
        >>> scene = gs.load("scenes/demo.ply")
        >>> cameras = gs.virtual_cameras(scene, 2, width=64, height=48)
        >>> score(scene, cameras, get_renderer("cpu"), "weight_sum").shape == (len(scene),)
        True
    """
    values: NDArray[np.float64] = SCORES.get(name)(scene, cameras, renderer, progress)
    return values


def pick_views(cameras: Sequence[Camera], count: int) -> Sequence[Camera]:
    """``count`` of the cameras, evenly spread over their order; all where there are no more."""
    if len(cameras) <= count:
        return cameras
    picked = np.linspace(0, len(cameras) - 1, count).round().astype(int)
    return [cameras[i] for i in picked]
