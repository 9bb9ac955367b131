"""Cameras from JSON: cameras.json of the INRIA trainer, transforms.json of nerfstudio and Blender.

Also the checks that every camera from a file goes through, whatever its format.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.files import read_input

__all__ = ["MAX_BYTES", "load", "make_camera"]

MAX_BYTES = 1 << 28
MAX_SIDE = 1 << 16
"""Largest image side in pixels that is believed."""

ROTATION_TOLERANCE = 1e-3
"""Largest deviation of R R^T from the identity that passes for rounding."""

_OPENGL_TO_OPENCV = np.diag([1.0, -1.0, -1.0])
_DISTORTIONS = ("k1", "k2", "k3", "k4", "p1", "p2")
_PINHOLES = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL")
_REMEDY = "Export the cameras again."

_log = logging.getLogger(__name__)


def load(path: Path) -> list[Camera]:
    """Read a cameras.json or a transforms.json; the content says which.

    Raises:
        InputError: Names the file, the camera and the field.
    """
    try:
        data = json.loads(read_input(path, MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(path, found=error, expected="JSON with cameras") from error
    if isinstance(data, list):
        cameras = [_inria(path, f"camera {i}", entry) for i, entry in enumerate(data)]
    elif isinstance(data, dict) and isinstance(data.get("frames"), list):
        cameras = _transforms(path, data)
    else:
        raise InputError(
            path,
            found=f"JSON of type {type(data).__name__} without frames",
            expected="a list of cameras (cameras.json) or an object with frames (transforms.json)",
        )
    if not cameras:
        raise InputError(path, found="no cameras", expected="at least one")
    return cameras


def make_camera(
    path: Path,
    field: str,
    *,
    name: str,
    size: tuple[float, float],
    focal: tuple[float, float],
    centre: tuple[float, float],
    rotation: NDArray[np.float64],  # [3, 3] world to camera
    translation: NDArray[np.float64],  # [3]
) -> Camera:
    """A camera from what a file says, after checking it.

    Args:
        path: The file, for the errors.
        field: The place in it, for the errors.
        name: Name of the view.
        size: Width and height in pixels.
        focal: Focal lengths in pixels.
        centre: Principal point in pixels.
        rotation: World to camera.
        translation: World to camera.

    Raises:
        InputError: The size is no whole number of pixels in 1..65536, a focal length is not
            positive, a number is not finite, or the matrix is not a rotation.
    """
    for what, side in zip(("width", "height"), size, strict=True):
        if not 1 <= side <= MAX_SIDE or side != int(side):
            raise InputError(
                path,
                f"{field}, {what}",
                found=f"{side:g}",
                expected=f"a whole number of pixels in 1..{MAX_SIDE}",
                remedy=_REMEDY,
            )
    for what, value in zip(("fx", "fy"), focal, strict=True):
        if not (math.isfinite(value) and value > 0):
            raise InputError(
                path,
                f"{field}, {what}",
                found=f"{value:g}",
                expected="a focal length above 0, in pixels",
                remedy=_REMEDY,
            )
    for what, values in (("cx, cy", centre), ("position", translation)):
        if not np.isfinite(values).all():
            raise InputError(
                path, f"{field}, {what}", found=values, expected="finite numbers", remedy=_REMEDY
            )
    with np.errstate(all="ignore"):
        error = np.abs(rotation @ rotation.T - np.eye(3)).max()
        proper = error <= ROTATION_TOLERANCE and np.linalg.det(rotation) > 0
    if not proper:
        raise InputError(
            path,
            f"{field}, rotation",
            found=f"a matrix that is off by {error:.3g} or mirrors",
            expected=f"a rotation, within {ROTATION_TOLERANCE:g}",
            remedy=_REMEDY,
        )
    viewmat = np.eye(4)
    viewmat[:3, :3] = rotation
    viewmat[:3, 3] = translation
    width, height = (int(side) for side in size)
    return Camera(name, width, height, *focal, *centre, viewmat)


def _inria(path: Path, field: str, entry: Any) -> Camera:
    """One entry of cameras.json: rotation is camera to world, position is the camera's centre."""
    if not isinstance(entry, dict):
        raise InputError(path, field, found=type(entry).__name__, expected="an object")
    name = entry.get("img_name")
    if not isinstance(name, str) or not name:
        raise InputError(path, f"{field}, img_name", found=repr(name), expected="a file name")
    width, height = (_number(path, field, entry, key) for key in ("width", "height"))
    rotation = _array(path, field, entry, "rotation", (3, 3)).T
    position = _array(path, field, entry, "position", (3,))
    return make_camera(
        path,
        field,
        name=name,
        size=(width, height),
        focal=(_number(path, field, entry, "fx"), _number(path, field, entry, "fy")),
        centre=(
            _number(path, field, entry, "cx", width / 2),
            _number(path, field, entry, "cy", height / 2),
        ),
        rotation=rotation,
        translation=_translation(rotation, position),
    )


def _transforms(path: Path, data: dict[str, Any]) -> list[Camera]:
    """The frames of a transforms.json, in its own world: no applied transform is undone."""
    cameras, distorted = [], 0
    shared = {key: value for key, value in data.items() if key != "frames"}
    for i, frame in enumerate(data["frames"]):
        field = f"frame {i}"
        if not isinstance(frame, dict):
            raise InputError(path, field, found=type(frame).__name__, expected="an object")
        merged = {**shared, **frame}
        distorted += any(_number(path, field, merged, key, 0) != 0 for key in _DISTORTIONS)
        cameras.append(_frame(path, field, merged))
    if distorted:
        _log.warning("%s: the lens distortion of %d views is ignored", path, distorted)
    return cameras


def _frame(path: Path, field: str, frame: Mapping[str, Any]) -> Camera:
    file_path = frame.get("file_path")
    if not isinstance(file_path, str) or not file_path:
        raise InputError(path, f"{field}, file_path", found=repr(file_path), expected="a file name")
    model = frame.get("camera_model", "PINHOLE")
    if model not in _PINHOLES:
        raise InputError(
            path,
            f"{field}, camera_model",
            found=repr(model),
            expected="a pinhole model",
            remedy="Undistort the images first.",
        )
    width, height = _frame_size(path, field, frame, file_path)
    pose = _array(path, field, frame, "transform_matrix", (4, 4))
    rotation = (pose[:3, :3] @ _OPENGL_TO_OPENCV).T
    fx = _focal(path, field, frame, "x", width)
    fy = _focal(path, field, frame, "y", height) if _has_focal(frame, "y") else fx
    return make_camera(
        path,
        field,
        name=_view_name(file_path),
        size=(width, height),
        focal=(fx, fy),
        centre=(
            _number(path, field, frame, "cx", width / 2),
            _number(path, field, frame, "cy", height / 2),
        ),
        rotation=rotation,
        translation=_translation(rotation, pose[:3, 3]),
    )


def _translation(
    rotation: NDArray[np.float64], position: NDArray[np.float64]
) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):  # absurd numbers are refused by make_camera
        return np.asarray(-rotation @ position)


def _view_name(file_path: str) -> str:
    """The file name below the folder of images: ``./images_4/a/b.png`` is ``a/b.png``."""
    return re.sub(r"^(\./+)*(images(_\d+)?/+)?", "", file_path.replace("\\", "/")) or file_path


def _has_focal(frame: Mapping[str, Any], axis: str) -> bool:
    return f"fl_{axis}" in frame or f"camera_angle_{axis}" in frame


def _focal(path: Path, field: str, frame: Mapping[str, Any], axis: str, side: float) -> float:
    """Focal length in pixels, from fl_x or from the field of view camera_angle_x in radians."""
    if f"fl_{axis}" in frame:
        return _number(path, field, frame, f"fl_{axis}")
    angle = _number(path, field, frame, f"camera_angle_{axis}")
    if not 0 < angle < math.pi:
        raise InputError(
            path,
            f"{field}, camera_angle_{axis}",
            found=f"{angle:g}",
            expected="an angle between 0 and pi, in radians",
        )
    return side / 2 / math.tan(angle / 2)


def _frame_size(
    path: Path, field: str, frame: Mapping[str, Any], file_path: str
) -> tuple[float, float]:
    if "w" in frame and "h" in frame:
        return _number(path, field, frame, "w"), _number(path, field, frame, "h")
    from PIL import Image, UnidentifiedImageError  # only needed here

    for ending in ("", ".png", ".jpg", ".jpeg"):
        try:
            with Image.open(path.parent / (file_path + ending)) as image:
                return image.size
        except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
            continue
    raise InputError(
        path,
        f"{field}, w and h",
        found=f"neither the keys nor the image {file_path!r}",
        expected="the size of the image",
        remedy='Add "w" and "h" to the file, or put the images where it says.',
    )


def _number(
    path: Path, field: str, entry: Mapping[str, Any], key: str, default: float | None = None
) -> float:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        found = "nothing" if value is None else repr(value)[:60]
        raise InputError(path, f"{field}, {key}", found=found, expected="a number", remedy=_REMEDY)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _array(
    path: Path, field: str, entry: Mapping[str, Any], key: str, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    try:
        array = np.asarray(entry.get(key), dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        array = np.empty(0)
    if array.shape != shape or not np.isfinite(array).all():
        found = "nothing" if key not in entry else repr(entry[key])[:60]
        raise InputError(
            path,
            f"{field}, {key}",
            found=found,
            expected="x".join(map(str, shape)) + " finite numbers",
            remedy=_REMEDY,
        )
    return array
