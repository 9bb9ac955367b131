"""Scores that a renderer gives as they are; w = alpha T is a Gaussian's weight at a pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from gscompress.render.base import Progress, Renderer

__all__ = ["hits", "removal_effect", "weight_max", "weight_sq_sum", "weight_sum"]

Values = NDArray[np.float64]


def removal_effect(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
) -> Values:  # [N]
    """Squared error of all images, summed over pixels and channels, if it alone were removed.

    Sum over pixels of w^2 |c_behind - c|^2, where c_behind = (F - A) / (T (1 - alpha)) is the
    colour seen through the Gaussian: F the pixel's colour, A what has been blended up to and
    including it (POTR, IEEE TCSVT 2026; derived anew).

    As the image is linear in the alpha of one Gaussian, this equals alpha^2 |dF / dalpha|^2 summed
    over pixels: Speedy-Splat's sensitivity (arXiv:2412.00578) by the Gaussian's value, times the
    square of that value.
    """
    found = renderer.scores(scene, cameras, progress=progress)
    return found.removal_effect.astype(np.float64)


def weight_sum(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
) -> Values:  # [N]
    """Sum of w over all pixels: MesonGS (arXiv:2409.09756) without its volume, Mini-Splatting."""
    found = renderer.scores(scene, cameras, progress=progress, removal=False)
    return found.weight_sum.astype(np.float64)


def weight_sq_sum(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
) -> Values:  # [N]
    """Sum of w^2 over all pixels: the squared error that a unit error of its colour causes."""
    found = renderer.scores(scene, cameras, progress=progress, removal=False)
    return found.weight_sq_sum.astype(np.float64)


def weight_max(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
) -> Values:  # [N]
    """Largest w at any pixel (RadSplat, arXiv:2403.13806)."""
    found = renderer.scores(scene, cameras, progress=progress, removal=False)
    return found.weight_max.astype(np.float64)


def hits(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
) -> Values:  # [N]
    """Number of pixels to which it contributes: LightGaussian's "count only" ranking."""
    found = renderer.scores(scene, cameras, progress=progress, removal=False)
    return found.hits.astype(np.float64)
