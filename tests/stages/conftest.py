from __future__ import annotations

import math

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from gscompress.stages.base import Context
from tests.render.scenes import make_camera, make_scene


@pytest.fixture
def cameras() -> list[Camera]:
    """A ring around the ball; every second one is for training."""
    return [make_camera(48, 40, angle=2 * math.pi * i / 32) for i in range(32)]


@pytest.fixture
def scene() -> Gaussians:
    """A lumpy ball; a third of its Gaussians hardly show."""
    scene = make_scene(600, degree=2)
    logits = scene.opacity_logits.copy()
    logits[::3] = np.minimum(logits[::3], -2.5)
    return scene.replace(opacity_logits=logits)


@pytest.fixture
def context(scene: Gaussians, cameras: list[Camera]) -> Context:
    return Context(scene, cameras[::2], device="cpu")
