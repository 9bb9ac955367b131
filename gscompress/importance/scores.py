"""What the training views say about each Gaussian: its importance, and from where it is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gscompress.cameras import Camera
from gscompress.codecs.guidance import Guidance, Sightings
from gscompress.gaussians import Gaussians
from gscompress.render.base import Progress, Renderer, Scores
from gscompress.stages.base import Context

__all__ = ["look"]


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
    importance = sightings = None
    progress = ctx.step("score")
    if wanted[1]:
        scores, sightings = _sight(scene, _pick(ctx, wanted[1]), ctx.renderer, progress)
    if wanted[0]:
        if wanted[0] != wanted[1]:
            scores = ctx.renderer.scores(scene, _pick(ctx, wanted[0]), progress=progress)
        importance = np.asarray(getattr(scores, classes.score))
    return Guidance(importance, sightings)


def _pick(ctx: Context, views: int) -> Sequence[Camera]:
    cameras = ctx.cameras
    if len(cameras) <= views:
        return cameras
    picked = np.linspace(0, len(cameras) - 1, views).round().astype(int)
    return [cameras[i] for i in picked]


def _sight(
    scene: Gaussians, cameras: Sequence[Camera], renderer: Renderer, progress: Progress | None
) -> tuple[Scores, Sightings]:
    """The scores over all cameras, and the squared weights view by view."""
    weights = np.empty((len(scene), len(cameras)), np.float32)
    sums = np.zeros((3, len(scene)))
    largest, hits = np.zeros(len(scene), np.float32), np.zeros(len(scene), np.int64)
    for view, camera in enumerate(cameras):
        scores = renderer.scores(scene, [camera])
        weights[:, view] = scores.weight_sq_sum
        sums += scores.weight_sum, scores.weight_sq_sum, scores.removal_effect
        np.maximum(largest, scores.weight_max, out=largest)
        hits += scores.hits
        if progress is not None:
            progress(view + 1, len(cameras))
    first, squared, removal = sums.astype(np.float32)
    eyes = np.array([camera.position for camera in cameras], np.float32).reshape(-1, 3)
    return Scores(first, squared, largest, hits, removal), Sightings(eyes, weights)
