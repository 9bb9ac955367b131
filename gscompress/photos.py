"""Photos: which file belongs to which camera, and their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.files import StrPath, open_input
from gscompress.gaussians import Array

__all__ = ["IMAGE_ENDINGS", "Photos", "find_images", "fit_camera", "load_image"]

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".exr")

MAX_ASPECT_ERROR = 0.01
"""Rounding of the sides when a photo was made smaller."""


def find_images(cameras: Sequence[Camera], folder: StrPath) -> list[Path]:
    """The photo of every camera, by its name, with or without its ending and leading folders.

    Only files inside ``folder`` (at any depth) are considered, whatever the names say.

    Args:
        cameras: The cameras.
        folder: Where their photos are.

    Returns:
        One path per camera, in their order.

    Raises:
        InputError: The folder does not exist, a camera has no photo, or two fit equally well.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, found="no such folder", expected="a folder of images")
    index: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in IMAGE_ENDINGS:
            continue
        inner = path.relative_to(folder)
        # From the exact name to the bare stem; the first that fits a camera decides.
        for key in {inner.as_posix(), inner.with_suffix("").as_posix(), inner.name, inner.stem}:
            index.setdefault(key, []).append(path)
    return [_find(camera, folder, index) for camera in cameras]


def _find(camera: Camera, folder: Path, index: dict[str, list[Path]]) -> Path:
    name = Path(camera.name)
    bare = name.with_suffix("") if name.suffix.lower() in IMAGE_ENDINGS else name
    for key in (name.as_posix(), bare.as_posix(), name.name, bare.name):
        paths = index.get(key, [])
        if len(paths) == 1:
            return paths[0]
        if paths:
            raise InputError(
                folder,
                f"image {camera.name}",
                found=", ".join(str(path.relative_to(folder)) for path in paths[:3]),
                expected="one image of that name",
                remedy="Name the folder that holds the right ones.",
            )
    raise InputError(
        folder,
        f"image {camera.name}",
        found="no such image",
        expected="an image named like the camera",
        remedy="Name the folder that holds the photos.",
    )


def load_image(
    path: StrPath, background: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Array:  # [H, W, 3]
    """Read an image as colours in 0..1, as stored; transparency is laid over ``background``.

    Raises:
        InputError: It cannot be read, or is no image of 1 to 4 channels.
    """
    import imageio.v3 as iio

    with open_input(path) as file:
        try:
            pixels = np.asarray(iio.imread(file, extension=Path(path).suffix.lower() or ".png"))
        except Exception as error:  # decoders raise anything on damaged files
            raise InputError(
                path,
                found=str(error).splitlines()[0] if str(error) else type(error).__name__,
                expected="an image",
                remedy="Replace the file.",
            ) from error
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or 0 in pixels.shape:
        raise InputError(
            path, found=f"an array of shape {pixels.shape}", expected="height, width, 1 to 4"
        )
    if pixels.dtype == bool:
        image = pixels.astype(np.float32)
    elif np.issubdtype(pixels.dtype, np.unsignedinteger):
        image = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    else:
        image = pixels.astype(np.float32)
    colour, alpha = image, None
    if image.shape[2] in (2, 4):
        colour, alpha = image[:, :, :-1], image[:, :, -1:]
    if colour.shape[2] == 1:
        colour = np.repeat(colour, 3, axis=2)
    if alpha is not None:
        colour = colour * alpha + np.asarray(background, dtype=np.float32) * (1 - alpha)
    return np.ascontiguousarray(colour)


def fit_camera(camera: Camera, image: Array, path: StrPath) -> Camera:
    """The camera at the size of its photo, which may have been made smaller (or larger).

    Args:
        camera: The camera as it was loaded.
        image: Its photo: [H, W, 3].
        path: Where the photo is from, for the error.

    Raises:
        InputError: The photo has other proportions than the camera.
    """
    height, width = image.shape[:2]
    if (width, height) == (camera.width, camera.height):
        return camera
    stretch = (width / camera.width) / (height / camera.height)
    # Each side may have been rounded to a whole pixel.
    slack = MAX_ASPECT_ERROR + 1 / width + 1 / height
    if abs(stretch - 1) > slack:
        raise InputError(
            path,
            f"image of camera {camera.name}",
            found=f"{width}x{height} pixels",
            expected=f"the proportions of the camera, {camera.width}x{camera.height}",
            remedy="Use the images that the cameras were made for; do not crop them.",
        )
    return camera.resized(width, height)


class Photos(Sequence[Array]):
    """Some photos, each read when it is looked at.

    Attributes:
        paths: Their files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> list[Array]: ...
    def __getitem__(self, index: int | slice) -> Array | list[Array]:
        if isinstance(index, slice):
            return [load_image(path) for path in self.paths[index]]
        return load_image(self.paths[index])
