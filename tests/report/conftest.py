"""A renderer that needs no rasterizer, a pattern per camera shifted by brightness; and pages."""

from __future__ import annotations

import zlib
from html.parser import HTMLParser

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from gscompress.render.base import Render

WIDTH, HEIGHT = 64, 48
VOID = {"meta", "img", "line", "rect", "br", "link", "input"}


class Page(HTMLParser):
    """Collects tags and attributes; asserts that every element is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


class PatternRenderer:
    """Renders a camera's pattern + the scene's DC colour; counts what it is asked for."""

    name = "pattern"
    device = "no device"

    def __init__(self):
        self.rendered = []

    def render(self, scene, camera, background=(0.0, 0.0, 0.0)):
        self.rendered.append(camera.name)
        shape = (camera.height, camera.width, 3)
        image = pattern(camera.name, shape) + scene.sh[:, 0].mean(0) + np.float32(background)
        return Render(image.astype(np.float32), np.ones(shape[:2], np.float32))

    def synchronize(self):
        """Nothing runs in the background."""


def pattern(name: str, shape=(HEIGHT, WIDTH, 3)) -> np.ndarray:
    """Values in 0.3..0.7 that depend on the name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return (0.3 + 0.4 * rng.random(shape)).astype(np.float32)


def make_scene(n: int = 5, brightness: float = 0.0) -> Gaussians:
    return Gaussians(
        means=np.zeros((n, 3)),
        quats=np.tile([1.0, 0, 0, 0], (n, 1)),
        log_scales=np.zeros((n, 3)),
        opacity_logits=np.zeros(n),
        sh=np.full((n, 1, 3), brightness),
    )


def make_cameras(count: int) -> list[Camera]:
    return [
        Camera(f"view_{k:03}.png", WIDTH, HEIGHT, 50, 50, WIDTH / 2, HEIGHT / 2, np.eye(4))
        for k in range(count)
    ]


@pytest.fixture
def renderer() -> PatternRenderer:
    return PatternRenderer()
