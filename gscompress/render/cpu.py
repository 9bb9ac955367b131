"""The native rasterizer: no torch for images and scores, torch only for gradients."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from gscompress import _native
from gscompress.cameras import Camera
from gscompress.errors import ConfigError, InputError
from gscompress.gaussians import Array, Gaussians
from gscompress.render.base import BLACK, Background, Render

__all__ = ["CpuRenderer", "available_threads"]


def available_threads() -> int:
    """Number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class CpuRenderer:
    """Renders on the CPU with gsplat 1.5.3's image semantics.

    Images, scores and gradients are the same, bit for bit, for any number of threads.

    Args:
        threads: Number of threads; all that this process may use if None.
        simd: Instruction set (one of ``_native.simd_levels()``); the best one here if None.
    """

    name = "cpu"

    def __init__(self, threads: int | None = None, simd: str | None = None) -> None:
        self.threads = available_threads() if threads is None else threads
        if not 1 <= self.threads <= 1024:
            raise ConfigError("threads", found=self.threads, expected="1 to 1024")
        levels = _native.simd_levels()
        if simd is not None and simd not in levels:
            raise ConfigError("simd", found=simd, expected=f"one of {', '.join(levels)}")
        self.simd = simd or levels[0]
        self.device = f"cpu ({platform.machine()}, {self.simd}, {self.threads} threads)"
        self._idle: list[_native.Rasterizer] = []

    def render(self, scene: Gaussians, camera: Camera, background: Background = BLACK) -> Render:
        """Render one view.

        Raises:
            InputError: The scene is of a mode that this renderer does not know.
        """
        check_mode(scene)
        with self._rasterizer() as rasterizer:
            return forward(
                rasterizer, *activated(scene), camera, background, antialiased=scene.mode == "mip"
            )

    def synchronize(self) -> None:
        """Nothing to wait for: every call returns when its work is done."""

    @contextmanager
    def _rasterizer(self) -> Iterator[_native.Rasterizer]:
        """A rasterizer that nobody else uses; its memory is kept for the next call."""
        rasterizer = self.take()
        try:
            yield rasterizer
        finally:
            self.give_back(rasterizer)

    def take(self) -> _native.Rasterizer:
        """A rasterizer that nobody else uses."""
        try:
            return self._idle.pop()
        except IndexError:
            return _native.Rasterizer(threads=self.threads, simd=self.simd)

    def give_back(self, rasterizer: _native.Rasterizer) -> None:
        """Let others use it."""
        self._idle.append(rasterizer)


def activated(scene: Gaussians) -> tuple[Array, Array, Array, Array, Array]:
    """Means, quaternions, scales, opacities and harmonics as the rasterizer takes them."""
    return scene.means, scene.quats, scene.scales, scene.opacities, scene.sh


def check_mode(scene: Gaussians) -> None:
    """Refuse scenes whose rasterization we do not have."""
    if scene.mode not in ("default", "mip"):
        raise InputError(
            "Gaussians",
            "mode",
            found=scene.mode,
            expected="default or mip",
            remedy="Scenes of flat Gaussians can be converted and compressed, but not rendered.",
        )


def focal(camera: Camera) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy."""
    return camera.fx, camera.fy, camera.cx, camera.cy


def forward(
    rasterizer: _native.Rasterizer,
    means: Array,
    quats: Array,
    scales: Array,
    opacities: Array,
    sh: Array,
    camera: Camera,
    background: Background,
    *,
    antialiased: bool,
) -> Render:
    """Render activated arrays into new images."""
    image = np.empty((camera.height, camera.width, 3), np.float32)
    alpha = np.empty((camera.height, camera.width), np.float32)
    rasterizer.forward(
        means,
        quats,
        scales,
        opacities,
        sh,
        np.ascontiguousarray(camera.viewmat, np.float64),
        focal(camera),
        background=background,
        antialiased=antialiased,
        image=image,
        alpha=alpha,
    )
    return Render(image, alpha)
