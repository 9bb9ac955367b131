"""The photos of a dynamic scene: one folder per camera, one file per frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.files import StrPath
from gscompress.photos import IMAGE_ENDINGS, Photos

__all__ = ["Footage", "find_footage", "with_masks"]


@dataclass(frozen=True)
class Footage:
    """Synchronised photos.

    Attributes:
        cameras: Who took them.
        names: Of the frames, in order: their files' stems, the same for all cameras.
        paths: By camera, the files in the order of ``names``.
        masks: By camera, images of the same frames that are white where something moves; empty:
            there are none.
    """

    cameras: Sequence[Camera]
    names: Sequence[str]
    paths: Sequence[Sequence[Path]]
    masks: Sequence[Sequence[Path]] = ()

    def __len__(self) -> int:
        return len(self.names)

    def frame(self, number: int) -> Photos:
        """The photos of frame ``number``, in the order of the cameras."""
        return Photos([files[number] for files in self.paths])

    def mask(self, number: int) -> Photos | None:
        """The masks of frame ``number``, in the order of the cameras, if there are any."""
        return Photos([files[number] for files in self.masks]) if self.masks else None


def find_footage(cameras: Sequence[Camera], folder: StrPath) -> Footage:
    """The photos ``folder``/<camera>/<frame>.jpg of all cameras.

    <camera> is the folder in the camera's name (``7/000000.jpg`` is of camera ``7``), or its name
    without an ending. Frames are in the order of the numbers in their names.

    Raises:
        InputError: A camera has no folder, or its frames are not those of the others.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, found="no such folder", expected="a folder per camera")
    if not cameras:
        raise InputError(folder, found="no cameras", expected="at least one")
    by_camera = [_files(folder / _folder_of(camera), camera) for camera in cameras]
    names = list(by_camera[0])
    for camera, files in zip(cameras, by_camera, strict=True):
        if list(files) != names:
            odd = sorted(set(files) ^ set(names), key=_natural)
            raise InputError(
                folder / _folder_of(camera),
                found=f"{len(files)} frames; {odd[0]!r} is not there for all cameras",
                expected=f"the {len(names)} frames of camera {_folder_of(cameras[0])}",
                remedy="Give every camera a photo of every frame.",
            )
    return Footage(cameras, names, [list(files.values()) for files in by_camera])


def with_masks(footage: Footage, folder: StrPath) -> Footage:
    """The same with the masks ``folder``/<camera>/<frame>.png of all its cameras and frames.

    Raises:
        InputError: There is no mask for a photo.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, found="no such folder", expected="a folder of masks per camera")
    masks = []
    for camera in footage.cameras:
        files = _files(folder / _folder_of(camera), camera)
        if missing := [name for name in footage.names if name not in files]:
            raise InputError(
                folder / _folder_of(camera),
                found=f"no mask {missing[0]!r}",
                expected="one for each photo, of the same name",
            )
        masks.append([files[name] for name in footage.names])
    return replace(footage, masks=masks)


def _folder_of(camera: Camera) -> str:
    name = PurePosixPath(camera.name.replace("\\", "/"))
    if len(name.parts) > 1:
        return name.parent.name
    return name.stem if name.suffix.lower() in IMAGE_ENDINGS else name.name


def _files(folder: Path, camera: Camera) -> dict[str, Path]:
    """Photos by stem, in natural order."""
    paths = [path for path in folder.glob("*") if path.suffix.lower() in IMAGE_ENDINGS]
    if not paths:
        raise InputError(
            folder,
            f"camera {camera.name}",
            found="no photos" if folder.is_dir() else "no such folder",
            expected="a folder named like the camera, with a photo per frame",
        )
    found: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: _natural(path.stem)):
        if path.stem in found:
            raise InputError(folder, found=f"two photos {path.stem}", expected="one per frame")
        found[path.stem] = path
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which 2 comes before 10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
