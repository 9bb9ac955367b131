"""The importance of each Gaussian, from what it does in the training views."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Gaussians
from gscompress.stages.base import Context

__all__ = ["importance_of"]


def importance_of(scene: Gaussians, codec: Any, ctx: Context) -> NDArray[np.floating] | None:
    """Importances [N] as the configured classes want them; None where they want no views.

    Args:
        scene: The scene to be coded.
        codec: The configuration's ``importance``: its ``score`` names a field of
            `gscompress.render.base.Scores`, its ``views`` says how many cameras to look from.
        ctx: Gives cameras and renderer.
    """
    if codec is None or codec.views == 0 or len(scene) == 0:
        return None
    cameras = ctx.cameras
    if len(cameras) > codec.views:
        picked = np.linspace(0, len(cameras) - 1, codec.views).round().astype(int)
        cameras = [cameras[i] for i in picked]
    scores = ctx.renderer.scores(
        scene, cameras, progress=ctx.step("score"), removal=codec.score == "removal_effect"
    )
    return np.asarray(getattr(scores, codec.score))
