"""The photos of a dynamic scene: which file shows which frame from which camera."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gscompress.cameras import Camera
from gscompress.errors import InputError, UsageError
from gscompress.photos import IMAGE_ENDINGS
from gscompress.stream.training.footage import find_footage

__all__ = ["FramePhotos"]

_FIELDS = {"camera", "folder", "frame"}


@dataclass(frozen=True)
class FramePhotos:
    """Photos of each frame.

    Attributes:
        folder: Where they are.
        pattern: Their names inside of it, with or without an ending: {camera} is the camera's name
            without an ending, {folder} the part of it before the last slash, {frame} the number of
            the frame ({frame:06d}: with six digits). None: a folder for each camera, with its
            photos in the order of their numbers, as ``find_footage`` has it.

    Raises:
        UsageError: The pattern has other fields, or does not say which frame.
        InputError: There is no such folder.
    """

    folder: Path
    pattern: str | None = None

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise InputError(self.folder, found="no such folder", expected="a folder of images")
        if self.pattern is not None and not _is_known(self.pattern):
            raise UsageError(
                f"photo pattern {self.pattern!r}: it needs {{frame}}, and may have {{camera}} and "
                "{folder}, for example {folder}/{frame:06d}.jpg"
            )

    def find(self, cameras: Sequence[Camera], frames: int) -> list[list[Path]]:
        """For each frame the photo of each camera.

        Raises:
            InputError: One is missing, or its name leads out of the folder.
        """
        if self.pattern is not None:
            names = [_fields_of(camera) for camera in cameras]
            return [
                [self._named(self.pattern.format(**name, frame=frame)) for name in names]
                for frame in range(frames)
            ]
        footage = find_footage(cameras, self.folder)
        if len(footage) < frames:
            raise InputError(
                self.folder,
                found=f"photos of {len(footage)} frames",
                expected=f"{frames}, one for each frame of the clip",
                remedy="Name the folder that holds them, or how they are named: --photo-pattern.",
            )
        return [footage.frame(frame).paths for frame in range(frames)]

    def _named(self, name: str) -> Path:
        """The photo of a name."""
        inner = PurePosixPath(name)
        if inner.is_absolute() or ".." in inner.parts:
            raise InputError(self.folder, name, found="a path out of it", expected="one inside")
        for ending in ("", *IMAGE_ENDINGS):
            path = self.folder / f"{inner}{ending}"
            if path.is_file():
                return path
        raise InputError(
            self.folder,
            name,
            found="no such image",
            expected="a photo for each camera and frame",
            remedy="Say how they are named: --photo-pattern.",
        )


def _is_known(pattern: str) -> bool:
    """Whether a pattern has the fields that it may have, and one that says which frame."""
    try:
        fields = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
        pattern.format(camera="", folder="", frame=0)
    except (ValueError, IndexError, KeyError, AttributeError):
        return False
    return "frame" in fields and fields <= _FIELDS


def _fields_of(camera: Camera) -> dict[str, str]:
    name = PurePosixPath(camera.name.replace("\\", "/"))
    bare = name.with_suffix("") if name.suffix.lower() in IMAGE_ENDINGS else name
    return {"camera": bare.as_posix(), "folder": bare.parent.as_posix()}
