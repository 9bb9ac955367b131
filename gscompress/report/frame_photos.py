"""The photos of a dynamic scene: which file shows which frame from which camera."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gscompress.cameras import Camera
from gscompress.errors import InputError, UsageError
from gscompress.photos import IMAGE_ENDINGS

__all__ = ["FramePhotos"]

_FIELDS = ("camera", "folder", "frame")
_NUMBER = re.compile(r"\d+(?=\D*\Z)")


@dataclass(frozen=True)
class FramePhotos:
    """Photos of each frame.

    Attributes:
        folder: Where they are.
        pattern: Their names inside of it, with or without an ending: {camera} is the camera's name
            without an ending, {folder} the part of it before the last slash, {frame} the number of
            the frame ({frame:06d}: with six digits). None: a camera's name is that of its photo of
            frame 0, and the last number in the file's name counts on from there.

    Raises:
        UsageError: The pattern has other fields, or does not say which frame.
        InputError: There is no such folder.
    """

    folder: Path
    pattern: str | None = None

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise InputError(self.folder, found="no such folder", expected="a folder of images")
        if self.pattern is None:
            return
        try:
            fields = [name for _, name, _, _ in string.Formatter().parse(self.pattern) if name]
            known = set(fields) <= set(_FIELDS) and "frame" in fields
            self.pattern.format(camera="a", folder="b", frame=0)
        except (ValueError, IndexError, KeyError):
            known = False
        if not known:
            raise UsageError(
                f"photo pattern {self.pattern!r}: it needs {{frame}}, and may have {{camera}} and "
                "{folder}, for example {folder}/{frame:06d}.jpg"
            )

    def of(self, cameras: Sequence[Camera], frame: int) -> list[Path]:
        """The photo of each camera at a frame.

        Raises:
            InputError: One is missing, is that of another camera, or leads out of the folder.
        """
        names = [self._name(camera, frame) for camera in cameras]
        others = {camera.name for camera in cameras}
        for camera, name in zip(cameras, names, strict=True):
            if frame and self.pattern is None and str(name) in others:
                raise InputError(
                    self.folder,
                    f"image of camera {camera.name} at frame {frame}",
                    found=f"{name}, which is another camera's",
                    expected="names that count frames, not cameras",
                    remedy="Say how photos are named: --photo-pattern.",
                )
        pairs = zip(cameras, names, strict=True)
        return [self._find(camera, name, frame) for camera, name in pairs]

    def _find(self, camera: Camera, name: PurePosixPath, frame: int) -> Path:
        if name.is_absolute() or ".." in name.parts:
            raise InputError(
                self.folder, f"image {name}", found="a path out of it", expected="a path inside"
            )
        path = self.folder / name
        for ending in ("", *IMAGE_ENDINGS):
            found = path.with_name(path.name + ending)
            if found.is_file():
                return found
        raise InputError(
            self.folder,
            f"image of camera {camera.name} at frame {frame}",
            found=f"no {name}",
            expected="one photo per camera and frame",
            remedy="Name the folder that holds them, and say how they are named: --photo-pattern.",
        )

    def _name(self, camera: Camera, frame: int) -> PurePosixPath:
        name = PurePosixPath(camera.name.replace("\\", "/"))
        bare = name.with_suffix("") if name.suffix.lower() in IMAGE_ENDINGS else name
        if self.pattern is not None:
            folder = "" if bare.parent == PurePosixPath() else str(bare.parent)
            return PurePosixPath(
                self.pattern.format(camera=bare.as_posix(), folder=folder, frame=frame)
            )
        number = _NUMBER.search(bare.name)
        if number is None:
            if frame == 0:
                return name
            raise InputError(
                f"camera {camera.name}",
                found="no number in its name",
                expected="the name of its photo of frame 0",
                remedy="Say how photos are named: --photo-pattern.",
            )
        counted = str(int(number[0]) + frame).zfill(len(number[0]))
        stem = bare.name[: number.start()] + counted + bare.name[number.end() :]
        return name.with_name(stem + name.name.removeprefix(bare.name))
