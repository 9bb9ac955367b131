"""The set of pictures to optimise against: rendered once, kept as 8-bit PNGs like photographs."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gscompress.cameras import Camera

from .raytracer import RayTracer

__all__ = ["load_picture", "render_picture", "render_pictures", "save_picture", "to_bytes"]

log = logging.getLogger(__name__)


def render_picture(camera: Camera, samples: int) -> NDArray[np.uint8]:  # [H, W, 3]
    """The ray-traced 8-bit picture of a camera, ``samples`` x ``samples`` rays per pixel."""
    return to_bytes(RayTracer().image(camera, samples))


def render_pictures(
    cameras: Sequence[Camera], folder: Path, samples: int, jobs: int
) -> list[NDArray[np.uint8]]:
    """Pictures of all cameras, kept in ``folder``; those that lie there already are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [c for c in cameras if not (folder / c.name).exists()]
    if missing:
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            tasks = [(c, samples, folder / c.name) for c in missing]
            for done, name in enumerate(pool.imap_unordered(_render_one, tasks), 1):
                log.info("ray-traced %s (%d of %d)", name, done, len(missing))
    return [load_picture(folder / c.name) for c in cameras]


def load_picture(path: Path) -> NDArray[np.uint8]:  # [H, W, 3]
    """Read an RGB picture."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def save_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a PNG, whole or not at all."""
    temporary = path.with_name(path.stem + ".part.png")
    Image.fromarray(image).save(temporary, optimize=True)
    temporary.replace(path)


def to_bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round an image in 0..1 to 8 bits."""
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _render_one(task: tuple[Camera, int, Path]) -> str:
    camera, samples, path = task
    save_picture(path, render_picture(camera, samples))
    return camera.name
