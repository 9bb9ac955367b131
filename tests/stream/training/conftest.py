from __future__ import annotations

import math

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from tests.render.scenes import make_camera, make_scene

BLOB = 40
"""The last so many Gaussians of the scene: a red blob in front of the ball."""


@pytest.fixture(scope="session")
def cameras() -> list[Camera]:
    """A ring; every third is held out."""
    return [make_camera(64, 48, angle=2 * math.pi * i / 12) for i in range(12)]


@pytest.fixture(scope="session")
def scene() -> Gaussians:
    """A dim ball of radius 1 and a bright blob beside it."""
    rng = np.random.default_rng(3)
    ball = make_scene(400, degree=1)
    means = ball.means / np.maximum(np.linalg.norm(ball.means, axis=1, keepdims=True), 1e-6)
    ball = ball.replace(
        means=0.8 * means,
        log_scales=np.full((400, 3), -2.2),
        opacity_logits=np.full(400, 3.0),
        sh=0.3 * ball.sh,
        quats=ball.unit_quats,
    )
    red = np.zeros((BLOB, 4, 3))
    red[:, 0] = [1.7, -1.5, -1.5]
    blob = Gaussians(
        means=np.array([0.0, -1.0, 0.0]) + rng.normal(0, 0.08, (BLOB, 3)),
        quats=np.tile([1.0, 0, 0, 0], (BLOB, 1)),
        log_scales=np.full((BLOB, 3), -2.6),
        opacity_logits=np.full(BLOB, 2.0),
        sh=red,
    )
    return Gaussians.concat([ball, blob])


@pytest.fixture(scope="session")
def moved(scene: Gaussians) -> Gaussians:
    """The scene a moment later: the blob is 0.15 to the side, and a little brighter."""
    means, sh = scene.means.copy(), scene.sh.copy()
    means[-BLOB:] += np.float32([0.15, 0.0, 0.05])
    sh[-BLOB:, 0] += np.float32(0.3)
    return scene.replace(means=means, sh=sh)
