"""What the training views say about each Gaussian: its importance, and from where it is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gscompress.cameras import Camera
from gscompress.codecs.guidance import Guidance, Sightings, weight_codes
from gscompress.gaussians import Array, Gaussians
from gscompress.importance import pick_views
from gscompress.render.base import Progress, Renderer
from gscompress.stages.base import Context

__all__ = ["look", "sight"]


def look(scene: Gaussians, codecs: Mapping[str, Any], ctx: Context) -> Guidance:
    """Render what the codecs want to know; nothing where none wants any view.

    Args:
        scene: The scene to be coded.
        codecs: The configuration's, by attribute group. ``importance.score`` names a field of
            `gscompress.render.base.Scores`; ``views`` of importance and of sh say from how many
            cameras. Where they agree, each view is rendered once.
        ctx: Gives cameras and renderer.
    """
    if len(scene) == 0:
        return Guidance()
    classes = codecs.get("importance")
    wanted = getattr(classes, "views", 0), getattr(codecs["sh"], "views", 0)
    score = getattr(classes, "score", "weight_sum")
    importance = sightings = None
    if wanted[1]:
        importance, sightings = _sight(
            scene, pick_views(ctx.cameras, wanted[1]), ctx.renderer, score, ctx.step("score")
        )
    if wanted[0] != wanted[1]:
        importance = (
            _score(scene, pick_views(ctx.cameras, wanted[0]), ctx, score) if wanted[0] else None
        )
    return Guidance(importance, sightings, ctx.trained, _torch_device(ctx))


def sight(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
) -> Sightings:
    """From where each Gaussian is seen, and how much."""
    return _sight(scene, cameras, renderer, "weight_sq_sum", progress)[1]


def _torch_device(ctx: Context) -> str:
    """Where an encoder may compute: only where the user's choice says that there is a GPU."""
    if ctx.device == "auto" and "renderer" in vars(ctx):  # it knows what there is
        return "cuda" if ctx.renderer.name == "gsplat" else "cpu"
    return "cpu" if ctx.device == "auto" else ctx.device


def _score(scene: Gaussians, cameras: Sequence[Camera], ctx: Context, score: str) -> Array:
    scores = ctx.renderer.scores(
        scene, cameras, progress=ctx.step("score"), removal=score == "removal_effect"
    )
    return np.asarray(getattr(scores, score))


def _sight(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    score: str,
    progress: Progress | None,
) -> tuple[Array, Sightings]:
    """The score over all cameras, and the squared weights view by view."""
    codes = np.empty((len(scene), len(cameras)), np.uint8)
    total = np.zeros(len(scene))
    gather = np.maximum if score == "weight_max" else np.add
    for view, camera in enumerate(cameras):
        scores = renderer.scores(scene, [camera], removal=score == "removal_effect")
        codes[:, view] = weight_codes(scores.weight_sq_sum)
        gather(total, getattr(scores, score), out=total)
        if progress is not None:
            progress(view + 1, len(cameras))
    eyes = np.array([camera.position for camera in cameras], np.float32).reshape(-1, 3)
    return total.astype(np.float32), Sightings(eyes, codes)
