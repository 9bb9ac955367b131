"""Photos of the views: the ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Array
from gscompress.render.base import Background

__all__ = ["Photos"]

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".PNG", ".JPG", ".JPEG")
ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Photos:
    """The photo of each view.

    Attributes:
        folder: Where they lie.
        paths: File by name of the view.
        resized: How many have another size than their camera and are resized (Lanczos).
        background: What lies behind photos with an alpha channel, RGB in 0..1.
    """

    folder: Path
    paths: Mapping[str, Path]
    resized: int
    background: Background

    @classmethod
    def find(cls, folder: Path, cameras: Sequence[Camera], background: Background) -> Photos:
        """Find the photo of every camera: named as the camera is, with or without the ending.

        Raises:
            InputError: A photo is missing, unreadable, or shaped unlike its camera.
        """
        found = {camera.name: _find(folder, camera.name) for camera in cameras}
        paths = {name: path for name, path in found.items() if path is not None}
        missing = [name for name in found if name not in paths]
        if missing:
            raise InputError(
                folder,
                missing[0],
                found=f"no photo of {len(missing)} of {len(found)} views, this one among them",
                expected="a photo of each",
                remedy="Name the folder whose files are called as the cameras are.",
            )
        resized = sum(_needs_resize(paths[camera.name], camera) for camera in cameras)
        return cls(folder, paths, resized, background)

    def load(self, camera: Camera) -> Array:  # [H, W, 3]
        """The photo of ``camera`` in 0..1, in the camera's size.

        Raises:
            InputError: It cannot be read.
        """
        path = self.paths[camera.name]
        try:
            with Image.open(path) as image:
                photo = _flatten(image, self.background)
        except (OSError, ValueError) as error:
            raise InputError(path, found=error, expected="an image file") from error
        size = (camera.width, camera.height)
        if photo.size != size:
            photo = photo.resize(size, Image.Resampling.LANCZOS)
        return np.asarray(photo, dtype=np.float32) / np.float32(255)

    def describe(self) -> str:
        """Where the photos came from, for reports."""
        resized = f", {self.resized} of {len(self.paths)} resized (Lanczos)" if self.resized else ""
        return f"{self.folder}{resized}"


def _find(folder: Path, name: str) -> Path | None:
    exact = folder / name
    stem = exact.with_suffix("")
    candidates = [exact, *(Path(f"{base}{end}") for base in (exact, stem) for end in ENDINGS)]
    return next((path for path in candidates if path.is_file()), None)


def _needs_resize(path: Path, camera: Camera) -> bool:
    """Whether the photo's size differs; its aspect must not."""
    try:
        with Image.open(path) as image:
            width, height = image.size
    except (OSError, ValueError) as error:
        raise InputError(path, found=error, expected="an image file") from error
    if abs(width * camera.height / (height * camera.width) - 1) > ASPECT_TOLERANCE:
        raise InputError(
            path,
            found=f"{width}x{height} pixels",
            expected=f"the camera's {camera.width}x{camera.height}, or that shape in another size",
        )
    return (width, height) != (camera.width, camera.height)


def _flatten(image: Image.Image, background: Background) -> Image.Image:
    """RGB, over the background where the photo has an alpha channel."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        behind = [round(255 * channel) for channel in background]
        canvas = Image.new("RGBA", image.size, (behind[0], behind[1], behind[2], 255))
        canvas.alpha_composite(image.convert("RGBA"))
        image = canvas
    return image.convert("RGB")
