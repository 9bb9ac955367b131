"""Cameras: a pinhole with its pose, where to find them beside a scene, and the train/test split.

The file formats are read by `gscompress.camera_files` and `gscompress.colmap`; cameras for a scene
that comes with none are made by `gscompress.virtual_cameras`; photos are in `gscompress.photos`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError
from gscompress.files import StrPath, read_input

__all__ = ["TEST_EVERY", "Camera", "find_cameras", "load_cameras", "split"]

TEST_EVERY = 8
"""Of the views sorted by name, the first of every 8 is held out, as in LLFF and its successors."""

MAX_SPLIT_BYTES = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera. Axes are OpenCV's: x right, y down, z forward.

    Attributes:
        name: Name of the view; the photo's file name where there is one.
        width: Image width in pixels.
        height: Image height in pixels.
        fx: Focal length in pixels along x.
        fy: Focal length in pixels along y.
        cx: Principal point; the centre of the leftmost pixel is at 0.5.
        cy: Principal point along y.
        viewmat: World-to-camera transform.
        blur: What is added to the variances of every splat on the image, in pixels^2, so that none
            falls between pixels (Kerbl et al. 2023; gsplat calls it eps2d).
    """

    name: str
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    viewmat: NDArray[np.float64]  # [4, 4]
    blur: float = 0.3

    @property
    def intrinsics(self) -> NDArray[np.float64]:  # [3, 3]
        """The matrix K."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    @property
    def position(self) -> NDArray[np.float64]:  # [3]
        """The centre of projection in world units."""
        return np.asarray(-self.viewmat[:3, :3].T @ self.viewmat[:3, 3])

    def resized(self, width: int, height: int) -> Camera:
        """The same view with another number of pixels."""
        if width < 1 or height < 1:
            raise InputError(
                self.name, "size", found=f"{width}x{height}", expected="at least 1x1 pixels"
            )
        x, y = width / self.width, height / self.height
        return dataclasses.replace(
            self,
            width=width,
            height=height,
            fx=self.fx * x,
            fy=self.fy * y,
            cx=self.cx * x,
            cy=self.cy * y,
        )

    def thinned(self, every: int, column: int, row: int) -> Camera:
        """The same image's ``[row::every, column::every]``: one pixel of ``every`` x ``every``.

        Unlike those of a resized view, its pixels are exactly some of the full image's.
        """
        return dataclasses.replace(
            self,
            width=-(-(self.width - column) // every),
            height=-(-(self.height - row) // every),
            fx=self.fx / every,
            fy=self.fy / every,
            cx=(self.cx - column - 0.5) / every + 0.5,
            cy=(self.cy - row - 0.5) / every + 0.5,
            blur=self.blur / every**2,
        )


def load_cameras(path: StrPath) -> list[Camera]:
    """Read the cameras of a scene, in the order of their file.

    Args:
        path: A cameras.json of the INRIA trainer, a transforms.json (nerfstudio, Blender), a COLMAP
            sparse model, or a dataset folder that holds one of them.

    Raises:
        InputError: Nothing of the kind is there, or it is damaged; names file and field.

    Example:
        >>> import gscompress as gs
        >>> cameras = gs.load_cameras("scenes/cameras.json")
        >>> cameras[0].viewmat.shape
        (4, 4)
    """
    from gscompress import camera_files, colmap  # they need Camera from here

    path = Path(path)
    sources = _in_folder(path) if path.is_dir() else [path]
    if not sources:
        raise InputError(
            path,
            found="a folder without cameras",
            expected="cameras.json, transforms.json, transforms_train.json or sparse/0",
            remedy="Name the file or the folder that holds the cameras.",
        )
    cameras = []
    for source in sources:
        if source.is_dir():
            cameras += colmap.load(source)
        elif source.suffix.lower() in (".bin", ".txt") and source.stem in ("cameras", "images"):
            cameras += colmap.load(source.parent)
        else:
            cameras += camera_files.load(source)
    return cameras


def find_cameras(scene_path: StrPath) -> Path | None:
    """Cameras beside a scene's file, or in the model folder of ``point_cloud/iteration_N/``.

    Returns:
        What `load_cameras` takes, or None where there is nothing.
    """
    folder = Path(scene_path).absolute().parent
    folders = [folder]
    if re.fullmatch(r"iteration_\d+", folder.name) and folder.parent.name == "point_cloud":
        folders.append(folder.parent.parent)
    for place in folders:
        sources = _in_folder(place)
        if sources:
            return sources[0] if len(sources) == 1 else place
    return None


def split(
    cameras: Sequence[Camera], source: StrPath | None = None
) -> tuple[list[Camera], list[Camera]]:
    """Divide cameras into train and test; each keeps the order of ``cameras``.

    A split.json ``{"train": [names], "test": [names]}`` beside the cameras decides; cameras that
    it does not name are left out. Else a transforms_test.json beside them. Else every 8th view by
    sorted name is test, the first included; so of 2 to 8 cameras one is held out. Of a single
    camera nothing can be held out: it is train, and test is empty.

    Args:
        cameras: All cameras.
        source: What they were loaded from; None: nothing lies beside them.

    Raises:
        InputError: split.json is damaged, names an unknown camera, or one in both parts.
    """
    if source is not None:
        folder = _dataset_folder(Path(source))
        if (folder / "split.json").is_file():
            return _split_by_file(cameras, folder / "split.json")
        parts = [folder / f"transforms_{part}.json" for part in ("train", "test")]
        if all(part.is_file() for part in parts):
            names = {camera.name for camera in load_cameras(parts[1])}
            return (
                [camera for camera in cameras if camera.name not in names],
                [camera for camera in cameras if camera.name in names],
            )
    order = sorted(range(len(cameras)), key=lambda i: cameras[i].name)
    held_out = set(order[::TEST_EVERY]) if len(cameras) > 1 else set()
    return (
        [camera for i, camera in enumerate(cameras) if i not in held_out],
        [camera for i, camera in enumerate(cameras) if i in held_out],
    )


def _in_folder(folder: Path) -> list[Path]:
    """The files (or the COLMAP folder) that together hold the cameras of a dataset folder."""
    for names in (
        ["cameras.json"],
        ["transforms.json"],
        ["transforms_train.json", "transforms_test.json"],
    ):
        if (folder / names[0]).is_file():
            return [folder / name for name in names if (folder / name).is_file()]
    for place in (folder / "sparse" / "0", folder / "sparse", folder / "0", folder):
        for ending in (".bin", ".txt"):
            if all((place / f"{name}{ending}").is_file() for name in ("cameras", "images")):
                return [place]
    return []


def _dataset_folder(source: Path) -> Path:
    """The folder in which a split.json would lie."""
    folder = source if source.is_dir() else source.parent
    if folder.name == "0" and folder.parent.name == "sparse":
        return folder.parent.parent
    return folder.parent if folder.name == "sparse" else folder


def _split_by_file(cameras: Sequence[Camera], path: Path) -> tuple[list[Camera], list[Camera]]:
    try:
        data = json.loads(read_input(path, MAX_SPLIT_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(path, found=error, expected="JSON") from error
    known = {camera.name for camera in cameras}
    parts = []
    for part in ("train", "test"):
        names = data.get(part) if isinstance(data, dict) else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(path, part, found=type(names).__name__, expected="a list of names")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InputError(
                path,
                part,
                found=f"{unknown[0]!r} ({len(unknown)} such)",
                expected="names of cameras",
                remedy="Use the names in the cameras file, or remove split.json.",
            )
        parts.append(set(names))
    both = sorted(parts[0] & parts[1])
    if both:
        raise InputError(
            path, "test", found=f"{both[0]!r}, which is in train too", expected="no view in both"
        )
    train = [camera for camera in cameras if camera.name in parts[0]]
    return train, [camera for camera in cameras if camera.name in parts[1]]
