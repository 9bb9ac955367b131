"""Points to start from: a sparse, noisy sample of what the cameras see, as photogrammetry gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gscompress.cameras import Camera

from .raytracer import RayTracer

__all__ = ["sparse_points"]

GRID = (16, 12)
"""Rays per camera, across and down."""


def sparse_points(
    cameras: Sequence[Camera], count: int, noise: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Points on the surfaces with their colours, both [count, 3] or fewer.

    Args:
        cameras: Cameras to look from; give the train cameras alone.
        count: How many points to keep of those that the cameras see on a coarse grid of pixels.
        noise: Standard deviation of the points' error, as a share of their distance.
        seed: Seed of the choice and of the errors.
    """
    tracer, rng = RayTracer(), np.random.default_rng(seed)
    all_points, all_colours = [], []
    across, down = GRID
    for c in cameras:
        x, y = across / c.width, down / c.height
        coarse = replace(
            c, width=across, height=down, fx=c.fx * x, fy=c.fy * y, cx=c.cx * x, cy=c.cy * y
        )
        points, colours = tracer.surface_points(coarse)
        distance = np.linalg.norm(points - c.position, axis=1, keepdims=True)
        all_points.append(points + noise * distance * rng.standard_normal(points.shape))
        all_colours.append(colours)
    chosen = rng.permutation(len(cameras) * across * down)[:count]
    picked = (np.concatenate(parts)[chosen] for parts in (all_points, all_colours))
    first, second = (torch.from_numpy(np.asarray(a, np.float32)) for a in picked)
    return first, second
