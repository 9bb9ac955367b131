"""Cameras from a COLMAP sparse model, text or binary (colmap.github.io/format.html)."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gscompress.camera_files import make_camera
from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.files import open_input

__all__ = ["load"]

# Id in binary files, name, number of parameters, how many of the first are focal lengths, whether
# we read it. Parameters are focal lengths, cx, cy, then the distortion.
_MODELS = {
    0: ("SIMPLE_PINHOLE", 3, 1, True),
    1: ("PINHOLE", 4, 2, True),
    2: ("SIMPLE_RADIAL", 4, 1, True),
    3: ("RADIAL", 5, 1, True),
    4: ("OPENCV", 8, 2, True),
    5: ("OPENCV_FISHEYE", 8, 2, False),
    6: ("FULL_OPENCV", 12, 2, False),
    7: ("FOV", 5, 2, False),
    8: ("SIMPLE_RADIAL_FISHEYE", 4, 1, False),
    9: ("RADIAL_FISHEYE", 5, 1, False),
    10: ("THIN_PRISM_FISHEYE", 12, 2, False),
}
_BY_NAME = {model[0]: model for model in _MODELS.values()}

MAX_NAME_BYTES = 4096
MAX_LINE_BYTES = 1 << 26
"""A line of images.txt holds all the points that a photo sees."""

_REMEDY = "Export the model again with COLMAP."

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Lens:
    size: tuple[float, float]
    focal: tuple[float, float]
    centre: tuple[float, float]
    distorted: bool


@dataclass(frozen=True, slots=True)
class _Image:
    field: str
    name: str
    pose: tuple[float, ...]  # qw qx qy qz tx ty tz, world to camera
    camera_id: int


def load(folder: Path) -> list[Camera]:
    """Read a sparse model; its binary files where both kinds are there.

    Lens distortion is ignored, with a warning.

    Raises:
        InputError: Names the file, the camera or image, and the field.
    """
    if (folder / "cameras.bin").is_file() and (folder / "images.bin").is_file():
        lens_path, image_path = folder / "cameras.bin", folder / "images.bin"
        lenses, images = _binary_lenses(lens_path), _binary_images(image_path)
    else:
        lens_path, image_path = folder / "cameras.txt", folder / "images.txt"
        lenses, images = _text_lenses(lens_path), _text_images(image_path)
    cameras, distorted = [], 0
    for image in images:
        lens = lenses.get(image.camera_id)
        if lens is None:
            raise InputError(
                image_path,
                f"{image.field}, camera id",
                found=image.camera_id,
                expected=f"a camera of {lens_path.name}",
                remedy=_REMEDY,
            )
        distorted += lens.distorted
        cameras.append(_camera(image_path, image, lens))
    if not cameras:
        raise InputError(image_path, found="no images", expected="at least one")
    if distorted:
        _log.warning("%s: the lens distortion of %d views is ignored", folder, distorted)
    return cameras


def _camera(path: Path, image: _Image, lens: _Lens) -> Camera:
    quat = np.array(image.pose[:4])
    with np.errstate(all="ignore"):
        norm = np.linalg.norm(quat)
    if not (np.isfinite(norm) and norm > 0):
        raise InputError(
            path,
            f"{image.field}, rotation",
            found=image.pose[:4],
            expected="a quaternion of finite length above 0",
            remedy=_REMEDY,
        )
    w, x, y, z = quat / norm
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return make_camera(
        path,
        image.field,
        name=image.name,
        size=lens.size,
        focal=lens.focal,
        centre=lens.centre,
        rotation=rotation,
        translation=np.array(image.pose[4:]),
    )


def _lens(
    path: Path,
    field: str,
    model: tuple[str, int, int, bool],
    size: tuple[float, float],
    parameters: list[float],
) -> _Lens:
    name, count, focals, known = model
    if not known:
        raise InputError(
            path,
            f"{field}, model",
            found=name,
            expected="PINHOLE, SIMPLE_PINHOLE, SIMPLE_RADIAL, RADIAL or OPENCV",
            remedy="Undistort the images first (colmap image_undistorter).",
        )
    if len(parameters) != count:
        raise InputError(
            path,
            f"{field}, parameters",
            found=len(parameters),
            expected=f"{count} for {name}",
            remedy=_REMEDY,
        )
    fx, fy = parameters[0], parameters[focals - 1]
    cx, cy, *distortion = parameters[focals:]
    return _Lens(size, (fx, fy), (cx, cy), any(value != 0 for value in distortion))


def _text_lenses(path: Path) -> dict[int, _Lens]:
    lenses = {}
    for number, line in _lines(path):
        if not line:
            continue
        field = f"line {number}"
        words = line.split()
        model = _BY_NAME.get(words[1]) if len(words) > 4 else None
        if model is None:
            raise InputError(
                path,
                field,
                found=repr(line[:60]),
                expected="id, model, width, height and parameters",
                remedy=_REMEDY,
            )
        lens_id = _numbers(path, field, words[:1])[0]
        width, height, *parameters = _numbers(path, field, words[2:])
        lenses[int(lens_id)] = _lens(path, field, model, (width, height), parameters)
    return lenses


def _text_images(path: Path) -> Iterator[_Image]:
    """Every image has two lines; the second, its points, may be empty and is skipped."""
    is_points = False
    for number, line in _lines(path):
        if is_points:
            is_points = False
            continue
        if not line:
            continue
        is_points = True
        field = f"line {number}"
        words = line.split(None, 9)
        if len(words) != 10:
            raise InputError(
                path,
                field,
                found=repr(line[:60]),
                expected="id, quaternion, translation, camera id and name",
                remedy=_REMEDY,
            )
        values = _numbers(path, field, words[1:9])
        yield _Image(field, words[9], tuple(values[:7]), int(values[7]))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with open_input(path) as file:
        number = 0
        while raw := file.readline(MAX_LINE_BYTES):
            number += 1
            line = raw.decode("utf-8", "replace").strip()
            if not line.startswith("#"):
                yield number, line


def _numbers(path: Path, field: str, words: list[str]) -> list[float]:
    """Finite numbers; ids and sizes among them are exact, being far below 2^53."""
    numbers = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise InputError(
                path, field, found=repr(word[:40]), expected="a finite number", remedy=_REMEDY
            )
        numbers.append(value)
    return numbers


def _binary_lenses(path: Path) -> dict[int, _Lens]:
    lenses = {}
    with open_input(path) as file:
        for i in range(_count(path, file, 24)):
            field = f"camera {i}"
            lens_id, model_id, width, height = _unpack(path, field, file, "<iiQQ")
            model = _MODELS.get(model_id)
            if model is None:
                raise InputError(
                    path,
                    f"{field}, model",
                    found=f"id {model_id}",
                    expected="one of COLMAP's models",
                    remedy=_REMEDY,
                )
            parameters = list(_unpack(path, field, file, f"<{model[1]}d"))
            lenses[lens_id] = _lens(path, field, model, (width, height), parameters)
    return lenses


def _binary_images(path: Path) -> Iterator[_Image]:
    with open_input(path) as file:
        size = os.fstat(file.fileno()).st_size
        for i in range(_count(path, file, 73)):
            field = f"image {i}"
            _, *pose, camera_id = _unpack(path, field, file, "<i7di")
            name = _name(path, field, file)
            (points,) = _unpack(path, field, file, "<Q")
            if 24 * points > size - file.tell():
                raise _short(path, f"{field}, points", f"{points} of them")
            file.seek(24 * points, os.SEEK_CUR)
            yield _Image(field, name, tuple(pose), camera_id)


def _count(path: Path, file: BinaryIO, least: int) -> int:
    """The number of entries, each of at least ``least`` bytes."""
    (count,) = _unpack(path, "count", file, "<Q")
    if count * least > os.fstat(file.fileno()).st_size:
        raise _short(path, "count", f"{count} entries")
    return int(count)


def _name(path: Path, field: str, file: BinaryIO) -> str:
    raw = bytearray()
    while (byte := file.read(1)) != b"\0":
        raw += byte
        if not byte or len(raw) > MAX_NAME_BYTES:
            raise _short(path, f"{field}, name", "a name without end")
    return raw.decode("utf-8", "replace")


def _unpack(path: Path, field: str, file: BinaryIO, layout: str) -> tuple[Any, ...]:
    data = file.read(struct.calcsize(layout))
    if len(data) < struct.calcsize(layout):
        raise _short(path, field, "the end of the file")
    return struct.unpack(layout, data)


def _short(path: Path, field: str, found: str) -> InputError:
    return InputError(
        path,
        field,
        found=found,
        expected="as many bytes as the file promises",
        remedy="The file is cut short or damaged: copy or export it again.",
    )
