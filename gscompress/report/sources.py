"""What an evaluation is given: scenes and cameras, in memory or in files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

from gscompress import cameras as camera_sets
from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.io import detect_format, load
from gscompress.report.report import SceneFacts

__all__ = ["CameraSource", "SceneSource", "Selection", "Split", "open_scene", "select_cameras"]

SceneSource = Gaussians | str | PathLike[str]
Split = Literal["test", "train", "all"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Cameras, and which of a scene's cameras they are.

    Attributes:
        cameras: The chosen ones.
        split: How they were chosen.
        given: How many there were to choose from.
    """

    cameras: list[Camera]
    split: Split | Literal["given"]
    given: int


CameraSource = Sequence[Camera] | Selection | str | PathLike[str]


def open_scene(source: SceneSource) -> tuple[Gaussians, SceneFacts]:
    """The scene, and which it is; the facts of a file are of its bytes on disk.

    Raises:
        InputError: The file cannot be read.
    """
    if isinstance(source, Gaussians):
        return source, _facts(source, None)
    path = Path(source)
    scene = load(path)
    return scene, _facts(scene, path)


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


def _facts(scene: Gaussians, path: Path | None) -> SceneFacts:
    return SceneFacts(
        path=None if path is None else os.fspath(path),
        sha256=None if path is None else _sha256(path),
        bytes=None if path is None else path.stat().st_size,
        gaussians=len(scene),
        sh_degree=scene.sh_degree,
        mode=scene.mode,
        bytes_by_attribute=None if path is None else _bytes_by_attribute(path),
    )


def _bytes_by_attribute(path: Path) -> dict[str, int] | None:
    """Where the bytes of a .gsz go; None for a file of another format."""
    if detect_format(path).id != "gsz":
        return None
    from gscompress.container import Container
    from gscompress.format import bytes_by_attribute

    return bytes_by_attribute(Container.read(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
