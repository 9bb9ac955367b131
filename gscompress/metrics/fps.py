"""Frames per second."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.render.base import BLACK, Background, Renderer

__all__ = ["frame_rates"]


def frame_rates(
    renderer: Renderer,
    scenes: Sequence[Gaussians],
    cameras: Sequence[Camera],
    *,
    background: Background = BLACK,
    repeats: int = 5,
) -> list[float]:
    """Frames per second of each scene: one view at a time, from parameters to image in memory.

    A frame rate is the number of cameras, divided by the seconds of a pass over all of them; the
    median over ``repeats`` passes, after one pass that does not count. The device is synchronised
    before the clock is read. The scenes take turns, so that what else the machine does hits them
    alike: on a CPU only their ratio means something.

    Raises:
        InputError: There is no camera, or ``repeats`` is not positive.
    """
    if not cameras or repeats < 1:
        raise InputError(
            "frame rate",
            found=f"{len(cameras)} cameras, {repeats} repeats",
            expected="at least one of each",
        )
    seconds: list[list[float]] = [[] for _ in scenes]
    for _ in range(1 + repeats):
        for scene, passes in zip(scenes, seconds, strict=True):
            renderer.synchronize()
            started = time.perf_counter()
            for camera in cameras:
                renderer.render(scene, camera, background)
            renderer.synchronize()
            passes.append(time.perf_counter() - started)
    return [len(cameras) / statistics.median(passes[1:]) for passes in seconds]
