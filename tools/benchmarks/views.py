"""Test views as benchmarks want them: some of them, smaller, with their photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gscompress.cameras import Camera
from gscompress.gaussians import Array
from gscompress.photos import find_images, load_image

__all__ = ["load_photos", "scaled", "spread"]


def spread(cameras: Sequence[Camera], count: int) -> list[Camera]:
    """At most so many of the cameras, evenly spread; all for 0."""
    wanted = min(count or len(cameras), len(cameras))
    picked = np.linspace(0, len(cameras) - 1, wanted).round().astype(int)
    return [cameras[k] for k in picked]


def scaled(camera: Camera, size: float) -> Camera:
    """The same camera with sides ``size`` times as long."""
    return camera.resized(max(1, round(camera.width * size)), max(1, round(camera.height * size)))


def load_photos(cameras: Sequence[Camera], folder: Path) -> list[Array]:  # each [H, W, 3]
    """Photos at the size of their cameras, averaged over areas where they are larger."""
    paths = find_images(cameras, folder)
    return [_photo(path, camera) for path, camera in zip(paths, cameras, strict=True)]


def _photo(path: Path, camera: Camera) -> Array:
    image = load_image(path)
    if image.shape[:2] == (camera.height, camera.width):
        return image
    size = (camera.width, camera.height)
    planes = [Image.fromarray(image[:, :, c]).resize(size, Image.Resampling.BOX) for c in range(3)]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)
