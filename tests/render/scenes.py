"""Synthetic scenes and cameras for the renderers' tests."""

from __future__ import annotations

import math

import numpy as np

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians, Mode


def make_scene(n: int, seed: int = 0, degree: int = 3, mode: Mode = "default") -> Gaussians:
    """A lumpy ball of flat and round Gaussians of all opacities, with some behind the camera."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = rng.choice([0.5, 1.0, 1.6, 4.0], n, p=[0.2, 0.5, 0.2, 0.1])[:, None]
    means = direction * radius * rng.uniform(0.9, 1.1, (n, 1))
    size = np.log(2.2 / np.sqrt(n + 1)) + rng.normal(0, 0.6, (n, 3))
    size[:, 2] -= 1.5 * rng.random(n)
    sh = rng.normal(0, 0.15, (n, (degree + 1) ** 2, 3))
    sh[:, 0] = rng.uniform(-1.9, 1.9, (n, 3))
    return Gaussians(
        means=means,
        quats=rng.normal(size=(n, 4)) * rng.uniform(0.5, 2, (n, 1)),
        log_scales=size,
        opacity_logits=rng.normal(0, 2.5, n),
        sh=sh,
        mode=mode,
    )


def make_camera(
    width: int, height: int, angle: float = 0.3, shift: tuple[float, float] = (0, 0)
) -> Camera:
    """A camera on a circle around the ball that looks at its centre.

    ``shift`` moves the principal point from the middle of the image, in pixels.
    """
    position = 3.2 * np.array([math.cos(angle), -0.4, math.sin(angle)])
    forward = -position / np.linalg.norm(position)
    right = np.cross(forward, [0, -1, 0])
    right /= np.linalg.norm(right)
    viewmat = np.eye(4)
    viewmat[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    viewmat[:3, 3] = -viewmat[:3, :3] @ position
    return Camera(
        name=f"{angle}",
        width=width,
        height=height,
        fx=0.9 * max(width, 8),
        fy=0.95 * max(width, 8),
        cx=width / 2 + shift[0],
        cy=height / 2 + shift[1],
        viewmat=viewmat,
    )


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """PSNR in dB of images in 0..1, not clamped."""
    error = np.mean(np.square(np.asarray(a, np.float64) - np.asarray(b, np.float64)))
    return float(-10 * np.log10(error + 1e-30))
