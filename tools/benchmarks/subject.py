"""The scene that a benchmark is about, and the views at which it is measured."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.output import say
from gscompress import _native
from gscompress.cameras import Camera, find_cameras, load_cameras, split
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.io import load
from gscompress.metrics import psnr
from gscompress.render import get_renderer
from gscompress.render.base import BLACK, Background, Render, Renderer
from gscompress.virtual_cameras import orbit, virtual_cameras

__all__ = ["Remembering", "Subject", "add_view_options", "digest_of"]

VIRTUAL_VIEWS = 24
"""Other than the number that encoders make for themselves, so that these are other views."""
VIRTUAL_SIZE = 800, 600


class Remembering:
    """A renderer that keeps its images of one scene, which everything is compared with."""

    def __init__(self, renderer: Renderer, scene: Gaussians) -> None:
        self.name, self.device = renderer.name, renderer.device
        self._renderer, self._scene = renderer, scene
        self._images: dict[tuple[str, int], Render] = {}

    def render(self, scene: Gaussians, camera: Camera, background: Background = BLACK) -> Render:
        if scene is not self._scene:
            return self._renderer.render(scene, camera, background)
        key = camera.name, camera.width
        if key not in self._images:
            self._images[key] = self._renderer.render(scene, camera, background)
        return self._images[key]


@dataclass(frozen=True, eq=False)
class Subject:
    """A scene in Morton order with its cameras.

    Some peers quantize by chunks of consecutive Gaussians and are lost without an order; nobody
    minds this one.

    Attributes:
        path: Where the scene came from.
        scene: The scene.
        train: What encoders may look from; None: they have to make their own cameras.
        test: What everything is measured at.
        device: Where to render.
    """

    path: Path
    scene: Gaussians
    train: list[Camera] | None
    test: list[Camera]
    device: str = "auto"

    @classmethod
    def load(cls, path: Path, options: argparse.Namespace) -> Subject:
        """The scene at ``path`` with the cameras that the options of `add_view_options` name."""
        scene = load(path)
        scene = scene.select(_morton_order(scene))
        source = options.cameras or find_cameras(path)
        kind = options.views or ("virtual" if source is None else "test")
        train: list[Camera] | None = None
        if kind == "test":
            if source is None:
                raise SystemExit(f"no cameras beside {path}; name them with --cameras")
            train, test = split(load_cameras(source), source)
        elif kind == "orbit":
            width, height = VIRTUAL_SIZE
            test = orbit(scene, VIRTUAL_VIEWS, width=width, height=height)
        else:
            test = virtual_cameras(scene, VIRTUAL_VIEWS)
        test = [_scaled(camera, options.scale) for camera in _spread(test, options.max_views)]
        if train is not None:
            train = [_scaled(camera, options.scale) for camera in train]
        say(f"{path}: {len(scene):,} Gaussians, {len(test)} {kind} views")
        return cls(path, scene, train, test, options.device)

    @cached_property
    def renderer(self) -> Renderer:
        """For `evaluate`, which calls nothing but ``render``."""
        return cast("Renderer", Remembering(get_renderer(self.device), self.scene))

    @cached_property
    def digest(self) -> str:
        """Of the scene's numbers and of the views; of nothing that an encoder does."""
        arrays = [getattr(self.scene, name) for name in ATTRIBUTES]
        for camera in self.test:
            numbers = (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)
            arrays += [np.array(numbers, np.float64), camera.viewmat]
        return digest_of(*(array.tobytes() for array in arrays))

    @property
    def train_digest(self) -> str:
        """Of what encoders look from."""
        cameras = self.train or []
        return digest_of(*(f"{c.name} {c.width}".encode() for c in cameras))

    def psnr(self, decoded: Gaussians) -> float:
        """Mean over the views of the PSNR in dB against the renders of the scene."""
        return float(np.mean([self._psnr(decoded, camera) for camera in self.test]))

    def _psnr(self, decoded: Gaussians, camera: Camera) -> float:
        truth = self.renderer.render(self.scene, camera).image
        return psnr(self.renderer.render(decoded, camera).image, truth)


def add_view_options(parser: argparse.ArgumentParser) -> None:
    """Options that say where a scene is looked at from."""
    parser.add_argument("--cameras", type=Path, help="default: what lies beside the scene")
    parser.add_argument(
        "--views",
        choices=["test", "virtual", "orbit"],
        help="measure at the test cameras, at virtual ones, or on a circle;\n"
        "default: test, where the scene has cameras, else virtual",
    )
    parser.add_argument("--max-views", type=int, metavar="N", help="measure at N of the views")
    parser.add_argument("--scale", type=float, default=1, help="of the cameras' width and height")
    parser.add_argument("--device", default="auto")


def digest_of(*parts: bytes) -> str:
    """SHA-256 of the parts, their lengths included; shortened."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)
    return total.hexdigest()[:24]


def _spread(cameras: Sequence[Camera], most: int | None) -> list[Camera]:
    """At most so many of the cameras, evenly spread over their order."""
    if most is None or most >= len(cameras):
        return list(cameras)
    picked = ((np.arange(most) + 0.5) * len(cameras) / most).astype(int)
    return [cameras[k] for k in picked]


def _scaled(camera: Camera, scale: float) -> Camera:
    if scale == 1:
        return camera
    return camera.resized(round(camera.width * scale), round(camera.height * scale))


def _morton_order(scene: Gaussians) -> NDArray[np.intp]:  # [N]
    low, high = scene.means.min(0), scene.means.max(0)
    cells = (scene.means - low) / np.maximum(high - low, 1e-12) * ((1 << 21) - 1)
    return np.argsort(_native.morton_encode(cells.astype(np.uint32)), kind="stable")
