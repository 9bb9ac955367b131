"""The native rasterizer: no torch for images and scores, torch only for gradients."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.cameras import Camera
from gscompress.errors import ConfigError
from gscompress.gaussians import Array, Gaussians
from gscompress.render._autograd import rasterize
from gscompress.render.base import (
    BLACK,
    Background,
    Gradients,
    Progress,
    Render,
    Scores,
    is_antialiased,
)

if TYPE_CHECKING:
    from torch import Tensor

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
        antialiased = is_antialiased(scene)
        result = _empty(camera)
        with self._rasterizer() as rasterizer:
            rasterizer.forward(
                *_activated(scene),
                *_pose(camera),
                background=background,
                antialiased=antialiased,
                image=result.image,
                alpha=result.alpha,
            )
        return result

    def scores(
        self,
        scene: Gaussians,
        cameras: Sequence[Camera],
        background: Background = BLACK,
        progress: Progress | None = None,
        *,
        removal: bool = True,
        occlusion: bool = False,
    ) -> Scores:
        """Accumulate the scores of every Gaussian over the cameras, in double precision.

        The removal effect follows from the colour seen behind each Gaussian (see Scores); it takes
        a second pass over the image, when its final colours are known, unless ``removal`` is
        false: then it stays 0. ``occlusion`` costs another pass.
        """
        antialiased = is_antialiased(scene)
        activated = _activated(scene)
        n = len(scene)
        weight_sum, weight_sq_sum, removal_effect, passed = (np.zeros(n) for _ in range(4))
        weight_max = np.zeros(n, np.float32)
        hits, dominated = np.zeros(n, np.int64), np.zeros(n, np.int64)
        with self._rasterizer() as rasterizer:
            for done, camera in enumerate(cameras, start=1):
                view = _empty(camera)
                rasterizer.scores(
                    *activated,
                    *_pose(camera),
                    background=background,
                    antialiased=antialiased,
                    image=view.image,
                    alpha=view.alpha,
                    weight_sum=weight_sum,
                    weight_sq_sum=weight_sq_sum,
                    weight_max=weight_max,
                    hits=hits,
                    removal_effect=removal_effect if removal else None,
                    transmittance_sum=passed if occlusion else None,
                    dominated=dominated if occlusion else None,
                )
                if progress:
                    progress(done, len(cameras))
        return Scores(
            weight_sum=weight_sum.astype(np.float32),
            weight_sq_sum=weight_sq_sum.astype(np.float32),
            weight_max=weight_max,
            hits=hits,
            removal_effect=removal_effect.astype(np.float32),
            transmittance_sum=passed.astype(np.float32) if occlusion else None,
            dominated=dominated if occlusion else None,
        )

    def rasterize(
        self,
        means: Tensor,  # [N, 3]
        quats: Tensor,  # [N, 4]
        scales: Tensor,  # [N, 3] activated
        opacities: Tensor,  # [N] activated
        sh: Tensor,  # [N, K, 3]
        camera: Camera,
        background: Background = BLACK,
        antialiased: bool = False,
        means2d: Tensor | None = None,  # [N, 2]
    ) -> tuple[Tensor, Tensor]:
        """Differentiable rendering of float32 tensors on the CPU; see Renderer.rasterize."""
        return rasterize(
            self,
            (means, quats, scales, opacities, sh, means2d),
            _pose(camera),
            (camera.height, camera.width),
            background,
            antialiased=antialiased,
        )

    def pull_back(
        self, scene: Gaussians, camera: Camera, weigh: Callable[[Array], Array]
    ) -> Gradients:
        """Gradients without torch; see Renderer.pull_back."""
        activated, view = _activated(scene), _empty(camera)
        out = tuple(np.empty_like(values) for values in activated)
        names = ("by_means", "by_quats", "by_scales", "by_opacities", "by_sh")
        with self._rasterizer() as rasterizer:
            rasterizer.forward(
                *activated,
                *_pose(camera),
                background=BLACK,
                antialiased=is_antialiased(scene),
                image=view.image,
                alpha=view.alpha,
            )
            weights = np.ascontiguousarray(weigh(view.image), np.float32)
            rasterizer.backward(
                *activated,
                view.image,
                view.alpha,
                weights,
                None,
                by_means2d=None,
                **dict(zip(names, out, strict=True)),
            )
        return Gradients(*out)

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


Pose = tuple[NDArray[np.float64], tuple[float, float, float, float], float]
"""World-to-camera matrix; fx, fy, cx, cy; and the blur."""


def _pose(camera: Camera) -> Pose:
    viewmat = np.ascontiguousarray(camera.viewmat, np.float64)
    return viewmat, (camera.fx, camera.fy, camera.cx, camera.cy), camera.blur


def _activated(scene: Gaussians) -> tuple[Array, Array, Array, Array, Array]:
    return scene.means, scene.quats, scene.scales, scene.opacities, scene.sh


def _empty(camera: Camera) -> Render:
    shape = (camera.height, camera.width)
    return Render(np.empty((*shape, 3), np.float32), np.empty(shape, np.float32))
