"""Synthetic motion: parts of a static scene that turn, drift, grow and fade."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Gaussians

__all__ = ["faded", "moving_scene", "near", "rotated"]

Rows = NDArray[np.intp]


def near(scene: Gaussians, centre: NDArray[np.floating], share: float) -> Rows:
    """The share of all Gaussians that is nearest to a point."""
    distances = np.linalg.norm(scene.means - np.asarray(centre, np.float32), axis=1)
    return np.sort(np.argsort(distances, kind="stable")[: round(share * len(scene))])


def rotated(scene: Gaussians, rows: Rows, degrees: float, shift: float = 0.0) -> Gaussians:
    """A part turned about the vertical axis through its middle, and moved up.

    Harmonics of degree 1 and more are not turned with it.
    """
    half = np.radians(degrees) / 2
    turn = np.array([np.cos(half), 0.0, np.sin(half), 0.0])  # wxyz, about y
    cos, sin = np.cos(2 * half), np.sin(2 * half)
    matrix = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    means, quats = scene.means.copy(), scene.quats.copy()
    middle = means[rows].mean(axis=0)
    means[rows] = (means[rows] - middle) @ matrix.T + middle + np.array([0.0, shift, 0.0])
    w, x, y, z = scene.quats[rows].T.astype(np.float64)
    a, c = turn[0], turn[2]
    quats[rows] = np.stack([a * w - c * y, a * x + c * z, a * y + c * w, a * z - c * x], axis=1)
    return scene.replace(means=means, quats=quats)


def faded(scene: Gaussians, rows: Rows, phase: float) -> Gaussians:
    """A part that grows to half as large again, and loses most of its opacity; phase 0 to 1."""
    log_scales, logits = scene.log_scales.copy(), scene.opacity_logits.copy()
    log_scales[rows] += np.float32(np.log1p(0.5 * phase))
    logits[rows] -= np.float32(4.0 * phase)
    return scene.replace(log_scales=log_scales, opacity_logits=logits)


def moving_scene(scene: Gaussians, frames: int) -> Iterator[Gaussians]:
    """Tracked frames: 12 % of the Gaussians turn by 3 degrees a frame and bob, 5 % grow and fade.

    The first frame is the scene itself.
    """
    turning = near(scene, np.median(scene.means, axis=0), 0.12)
    low = np.quantile(scene.means, 0.25, axis=0)
    fading = np.setdiff1d(near(scene, low, 0.05), turning)
    size = float(np.std(scene.means[turning]))
    for k in range(frames):
        moved = rotated(scene, turning, 3.0 * k, 0.1 * size * float(np.sin(2 * np.pi * k / 20)))
        yield faded(moved, fading, k / max(1, frames - 1))
