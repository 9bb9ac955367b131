"""The views that stand for those that no encoder sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np

from gscompress.cameras import Camera
from gscompress.gaussians import Array, Gaussians
from gscompress.metrics import psnr
from gscompress.stages.base import Context

__all__ = ["MAX_VIEWS", "ControlViews", "hold_out"]

MAX_VIEWS = 64
"""Enough for a mean over views that is near that of other views: they differ by a dB or two."""
_SHARE = 3
"""One of so many cameras is held out."""


def hold_out(ctx: Context) -> Context:
    """The same context whose control views are none of its cameras.

    A part of the training cameras (of the virtual ones, where there are none), evenly spread over
    their order. A single camera has to serve for both.
    """
    cameras = ctx.cameras
    count = min(MAX_VIEWS, len(cameras) // _SHARE)
    if count == 0:
        return replace(ctx, control=tuple(cameras))
    spread = (np.arange(count) + 0.5) * len(cameras) / count
    picked = set(spread.astype(int).tolist())
    kept = [k for k in range(len(cameras)) if k not in picked]
    return replace(
        ctx,
        given_cameras=[cameras[k] for k in kept],
        images=None if ctx.images is None else _Part(ctx.images, kept),
        control=tuple(cameras[k] for k in sorted(picked)),
    )


class ControlViews:
    """Measures decoded scenes against the input at the control views of a context.

    The input's renders are kept, as 16-bit floats where there are many, so that each is made once.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._virtual = not ctx.given_cameras
        self._truth: list[Array] = []

    def psnr(self, scene: Gaussians) -> float:
        """Mean over the views of the PSNR in dB."""
        cameras, step = self._ctx.control, self._ctx.step("control")
        if not self._truth:
            self._truth = [self._render(self._ctx.scene, camera) for camera in cameras]
        total = 0.0
        for k, (camera, truth) in enumerate(zip(cameras, self._truth, strict=True)):
            total += psnr(self._render(scene, camera), truth)
            if step is not None:
                step(k + 1, len(cameras))
        return total / len(cameras)

    def describe(self) -> str:
        """Where it is measured, for people."""
        count = len(self._ctx.control)
        return f"{count} control view{'' if count == 1 else 's'}"

    def _render(self, scene: Gaussians, camera: Camera) -> Array:
        return self._ctx.renderer.render(scene, camera).image


class _Part(Sequence[Array]):
    """Some of a sequence's photos, each still read when it is looked at."""

    def __init__(self, whole: Sequence[Array], indices: Sequence[int]) -> None:
        self._whole = whole
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> list[Array]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._whole[k] for k in self._indices[index]]
        return self._whole[self._indices[index]]
