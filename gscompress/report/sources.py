"""What an evaluation is given: scenes and cameras, in memory or in files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.report.report import SceneFacts

__all__ = ["CameraSource", "SceneSource", "Split", "open_scene", "select_cameras"]

SceneSource = Gaussians | str | PathLike[str]
CameraSource = Sequence[Camera] | str | PathLike[str]
Split = Literal["test", "train", "all"]


def open_scene(source: SceneSource) -> tuple[Gaussians, SceneFacts]:
    """The scene, and which it is; the facts of a file are of its bytes on disk.

    Raises:
        InputError: The file cannot be read.
    """
    if isinstance(source, Gaussians):
        return source, _facts(source, None)
    from gscompress.io import load

    path = Path(source)
    scene = load(path)
    return scene, _facts(scene, path)


def select_cameras(source: CameraSource, split: Split) -> tuple[list[Camera], int]:
    """The cameras that ``split`` leaves, and how many there were.

    Raises:
        InputError: The cameras cannot be read, or none is left.
    """
    from gscompress import cameras as camera_sets

    if isinstance(source, str | PathLike):
        place, cameras = Path(source), camera_sets.load_cameras(source)
    else:
        place, cameras = None, list(source)
    if split == "all":
        chosen = cameras
    else:
        train, test = camera_sets.split(cameras, place)
        chosen = test if split == "test" else train
    if not chosen:
        raise InputError(
            place or "cameras",
            found=f"no {split} camera among {len(cameras)}",
            expected="at least one",
            remedy="Use another split: all uses every camera.",
        )
    return chosen, len(cameras)


def _facts(scene: Gaussians, path: Path | None) -> SceneFacts:
    return SceneFacts(
        path=None if path is None else os.fspath(path),
        sha256=None if path is None else _sha256(path),
        bytes=None if path is None else path.stat().st_size,
        gaussians=len(scene),
        sh_degree=scene.sh_degree,
        mode=scene.mode,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
