"""What renders say about errors of each Gaussian: how much they show, and how much they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gscompress.cameras import Camera
from gscompress.gaussians import Array, Gaussians
from gscompress.metrics import psnr
from gscompress.render.base import Gradients, Renderer
from gscompress.stream.layout import Layout

__all__ = ["Control", "Views"]

_WIDTH = 400
"""Renders are this wide at most: errors are summed, not looked at."""


class Views:
    """Some cameras, to judge a scene from.

    Args:
        cameras: All there are.
        renderer: Renders, and gives gradients.
        count: How many are used at most; evenly chosen.
    """

    def __init__(self, cameras: Sequence[Camera], renderer: Renderer, count: int = 16) -> None:
        self.cameras = [_reduced(camera) for camera in _spread(cameras, count)]
        self.renderer = renderer
        self._values = 3 * sum(camera.width * camera.height for camera in self.cameras)

    def pictures(self, scene: Gaussians) -> list[Array]:
        """Renders of all views."""
        return [self.renderer.render(scene, camera).image for camera in self.cameras]

    def sensitivities(self, scene: Gaussians, seed: int = 0) -> Array:  # [N, C]
        """What the mean squared error of the images grows by, per squared error of each channel.

        Errors of different channels are taken to be independent. The sum over pixels of
        (dI / dx)^2 is estimated as the mean of (d(v . I) / dx)^2 over images v of random signs
        (Hutchinson, 1990), one per view.
        """
        layout = Layout(scene.sh_degree)
        out = np.zeros((len(scene), layout.channels), np.float32)
        rng = np.random.default_rng(seed)

        def signs(image: Array) -> Array:
            return (rng.integers(0, 2, image.shape, np.int8) * 2 - 1).astype(np.float32)

        for camera in self.cameras:
            gradients = self.renderer.pull_back(scene, camera, signs)
            slopes = _by_channel(gradients, scene, layout)
            out += np.square(slopes, out=slopes)
        out /= self._values
        return out

    def slopes(self, scene: Gaussians, wanted: Sequence[Array]) -> tuple[Array, float]:
        """How the mean squared error against pictures changes with each channel.

        Args:
            scene: What is rendered.
            wanted: A picture for each view.

        Returns:
            The derivatives [N, C], and the mean squared error.
        """
        layout = Layout(scene.sh_degree)
        out = np.zeros((len(scene), layout.channels), np.float32)
        total = 0.0
        for camera, picture in zip(self.cameras, wanted, strict=True):
            misses: list[float] = []

            def slope(
                image: Array, picture: Array = picture, misses: list[float] = misses
            ) -> Array:
                miss = image - picture
                misses.append(float(np.sum(np.square(miss, dtype=np.float64))))
                return np.asarray(2 * miss)

            gradients = self.renderer.pull_back(scene, camera, slope)
            out += _by_channel(gradients, scene, layout)
            total += misses[0]
        out /= self._values
        return out, total / self._values

    def error(self, scene: Gaussians, wanted: Sequence[Array]) -> float:
        """The mean squared error against pictures."""
        total = 0.0
        for camera, picture in zip(self.cameras, wanted, strict=True):
            miss = self.renderer.render(scene, camera).image - picture
            total += float(np.sum(np.square(miss, dtype=np.float64)))
        return total / self._values


class Control:
    """Some cameras, to say how good a frame is.

    Args:
        cameras: All there are.
        renderer: Renders.
        count: How many are used at most; evenly chosen.
    """

    def __init__(self, cameras: Sequence[Camera], renderer: Renderer, count: int = 8) -> None:
        self.cameras = _spread(cameras, count)
        self._renderer = renderer
        self._pictures: dict[int, tuple[Gaussians, list[Array]]] = {}

    def psnr(self, scene: Gaussians, reference: Gaussians) -> float:
        """Mean over the views of the PSNR against another scene, in dB.

        The pictures of the last few references are kept.
        """
        key = id(reference)
        if key not in self._pictures:
            pictures = [self._renderer.render(reference, one).image for one in self.cameras]
            while len(self._pictures) >= _KEPT:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[key] = reference, pictures  # which keeps the id from being reused
        views = zip(self.cameras, self._pictures[key][1], strict=True)
        return float(
            np.mean([psnr(self._renderer.render(scene, one).image, p) for one, p in views])
        )


_KEPT = 16


def _spread(cameras: Sequence[Camera], count: int) -> list[Camera]:
    """At most so many of the cameras, evenly chosen."""
    chosen = np.linspace(0, len(cameras) - 1, min(count, len(cameras))).astype(int)
    return [cameras[k] for k in np.unique(chosen)]


def _reduced(camera: Camera) -> Camera:
    """The same view on fewer pixels."""
    factor = max(1.0, camera.width / _WIDTH)
    width, height = (max(1, round(size / factor)) for size in (camera.width, camera.height))
    across, down = width / camera.width, height / camera.height
    return replace(
        camera,
        width=width,
        height=height,
        fx=camera.fx * across,
        cx=camera.cx * across,
        fy=camera.fy * down,
        cy=camera.cy * down,
    )


def _by_channel(gradients: Gradients, scene: Gaussians, layout: Layout) -> Array:  # [N, C]
    """Gradients by the channels of ``gscompress.stream.slots.Slots``."""
    slices, out = layout.slices, np.empty((len(scene), layout.channels), np.float32)
    out[:, slices["means"]] = gradients.means
    w, x, y, z = scene.quats.T
    # d((1, v) q) / dv at v = 0
    turns = (
        np.stack([-x, w, -z, y], axis=1),
        np.stack([-y, z, w, -x], axis=1),
        np.stack([-z, -y, x, w], axis=1),
    )
    for k, turn in enumerate(turns):
        out[:, slices["quats"].start + k] = np.sum(gradients.quats * turn, axis=1)
    out[:, slices["scales"]] = gradients.scales * scene.scales
    opacities = scene.opacities
    out[:, slices["opacities"]] = (gradients.opacities * opacities * (1 - opacities))[:, None]
    out[:, slices["sh0"]] = gradients.sh[:, 0]
    if "shN" in slices:
        out[:, slices["shN"]] = gradients.sh[:, 1:].reshape(len(scene), -1)
    return out
