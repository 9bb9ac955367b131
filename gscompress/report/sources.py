"""What an evaluation is given: scenes and cameras, in memory or in files."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from gscompress import cameras as camera_sets
from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.io import bytes_by_attribute, detect_format
from gscompress.report.report import SceneFacts

__all__ = [
    "CameraSource",
    "SceneSource",
    "Selection",
    "Split",
    "file_sha256",
    "open_scene",
    "select_cameras",
]

SceneSource = Gaussians | str | PathLike[str]
Split = Literal["test", "train", "all"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Cameras, and which of a scene's cameras they are.

    Attributes:
        cameras: The chosen ones.
        split: How they were chosen.
        given: How many there were to choose from.
        every: 1, or N where only every Nth of the split is left.
    """

    cameras: list[Camera]
    split: Split | Literal["given"]
    given: int
    every: int = 1

    def thinned(self, every: int) -> Selection:
        """Every Nth of the cameras, the first included."""
        return replace(self, cameras=self.cameras[::every], every=self.every * every)

    def resized(self, width: int, height: int) -> Selection:
        """The same views with another number of pixels."""
        return replace(self, cameras=[camera.resized(width, height) for camera in self.cameras])


CameraSource = Sequence[Camera] | Selection | str | PathLike[str]


def open_scene(source: SceneSource, *, timed: bool = False) -> tuple[Gaussians, SceneFacts]:
    """The scene, and which it is; the facts of a file are of its bytes on disk.

    Args:
        source: A scene, or its file.
        timed: Whether to read the file a second time and keep the shorter time.

    Raises:
        InputError: The file cannot be read.
    """
    if isinstance(source, Gaussians):
        return source, _facts(source)
    path = Path(source)
    known = detect_format(path)
    seconds = []
    for _ in range(2 if timed else 1):  # the first reading also imports what decodes
        started = time.perf_counter()
        scene = known.load(path)
        seconds.append(time.perf_counter() - started)
    return scene, _facts(
        scene,
        path=os.fspath(path),
        sha256=file_sha256(_parts(path)),
        bytes=sum(part.stat().st_size for part in _parts(path)),
        format=known.id,
        decode_seconds=min(seconds) if timed else None,
        bytes_by_attribute=bytes_by_attribute(path),
    )


def select_cameras(source: CameraSource, split: Split | None) -> Selection:
    """The cameras that ``split`` leaves: by default the test cameras of a file, all of a sequence.

    Raises:
        InputError: The cameras cannot be read, or none is left.
    """
    if isinstance(source, Selection):
        return source
    if isinstance(source, str | PathLike):
        place, cameras = Path(source), camera_sets.load_cameras(source)
        split = split or "test"
    else:
        place, cameras = None, list(source)
    chosen = cameras
    if split in ("test", "train"):
        train, test = camera_sets.split(cameras, place)
        chosen = test if split == "test" else train
    if not chosen:
        raise InputError(
            place or "cameras",
            found=f"no {split or 'given'} camera among {len(cameras)}",
            expected="at least one",
            remedy="Use another split: all uses every camera.",
        )
    return Selection(chosen, split or "given", len(cameras))


def _facts(scene: Gaussians, **of_file: Any) -> SceneFacts:
    nothing: dict[str, Any] = {"path": None, "sha256": None, "bytes": None}
    known = {"gaussians": len(scene), "sh_degree": scene.sh_degree, "mode": scene.mode}
    return SceneFacts(**(nothing | known | of_file))


def _parts(path: Path) -> list[Path]:
    """The files that a scene is stored in: of a SOG in a folder its description and textures."""
    if path.suffix.lower() != ".json":
        return [path]
    return [path, *sorted(path.parent.glob("*.webp"))]


def file_sha256(paths: Sequence[Path]) -> str:
    """Of the content of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()
