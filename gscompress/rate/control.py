"""The views at which a target PSNR is measured.

A mean over views says what it says of those views only: over eleven others of the same scene it is
half a dB higher or lower. So a target is exact where its views are given (the held-out cameras of a
dataset: nothing but the fineness of all steps depends on them), and an estimate, with an error that
is told, where some of the training cameras have to stand for views that nobody named.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np

from gscompress.gaussians import Array, Gaussians
from gscompress.metrics import psnr
from gscompress.stages.base import Context

__all__ = ["MAX_VIEWS", "ControlViews", "hold_out"]

MAX_VIEWS = 64
"""Enough for a mean over views that is near that of other views: they differ by a dB or two."""
_FIRST = 4
"""One of so many is rendered first: enough where the target is far."""
_FEWEST = 8
"""But not fewer than these: where views differ by many dB, the mean of two says nothing."""
_FAR = 1.5  # dB
_MAX_KEPT = 2**29  # bytes
_SHARE = 3
"""One of so many cameras is held out."""


def hold_out(ctx: Context) -> Context:
    """The same context whose control views are none of its cameras; as it is where it has some.

    A part of the training cameras (of the virtual ones, where there are none), evenly spread over
    their order. One or two cameras have to serve for both.
    """
    if ctx.control:
        return ctx
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

    The input's renders are kept as far as memory goes; the others are made each time.
    """

    def __init__(self, ctx: Context) -> None:
        count = len(ctx.control)
        order = sorted(range(count), key=lambda k: (k % _FIRST != 0, k))
        self._ctx = ctx
        self._cameras = [ctx.control[k] for k in order]
        self._few = min(max(-(-count // _FIRST), _FEWEST), count)
        self._truth: dict[int, Array] = {}
        self._last: list[float] = []

    def psnr(self, scene: Gaussians, target: float) -> float:
        """Mean over the views of the PSNR in dB; over some where it is far from ``target``."""
        found: list[float] = []
        step = self._ctx.step("control")
        for k, camera in enumerate(self._cameras):
            if k == self._few and abs(sum(found) / k - target) > _FAR:
                break
            image = self._ctx.renderer.render(scene, camera).image
            found.append(psnr(image, self._truth_of(k)))
            if step is not None:
                step(k + 1, len(self._cameras))
        self._last = found
        return sum(found) / len(found)

    def standard_error(self) -> float | None:
        """Of the last mean in dB, where the views stand for others; None of a single view."""
        count = len(self._last)
        if count < 2:
            return None
        mean = sum(self._last) / count
        variance = sum((one - mean) ** 2 for one in self._last) / (count - 1)
        return math.sqrt(variance / count)

    def describe(self) -> str:
        """Where it is measured, for people."""
        count = len(self._cameras)
        return f"{count} control view{'' if count == 1 else 's'}"

    def _truth_of(self, k: int) -> Array:
        if k in self._truth:
            return self._truth[k]
        image = self._ctx.renderer.render(self._ctx.scene, self._cameras[k]).image
        if (len(self._truth) + 1) * image.nbytes <= _MAX_KEPT:
            self._truth[k] = image
        return image


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
