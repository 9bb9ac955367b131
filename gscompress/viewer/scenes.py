"""Scenes and cameras as the page takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gscompress.cameras import Camera
from gscompress.container import Container
from gscompress.errors import InputError, UsageError
from gscompress.files import open_input
from gscompress.io import detect_format, load, scene_bytes
from gscompress.io.ply import PlyFormat
from gscompress.io.ply_header import read_header
from gscompress.stream.manifest import MANIFEST
from gscompress.viewer.clips import CLIP

__all__ = ["SITE", "ShownFile", "manifest", "site_files"]

SITE = Path(__file__).parent / "site"
"""The folder of the static site."""

MAX_FILES = 2
_PLY_PROPERTIES = {
    *("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
    *("scale_0", "scale_1", "rot_0", "rot_1", "rot_2", "rot_3"),
}
"""Those of a PLY that the page reads itself, which is the INRIA trainer's; or that of 2DGS, which
has no scale_2."""


def site_files() -> dict[str, Path]:
    """The files of the site by their path in it."""
    paths = sorted(path for path in SITE.rglob("*") if path.is_file())
    return {path.relative_to(SITE).as_posix(): path for path in paths}


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A scene's file to be shown.

    Attributes:
        path: Where it is.
        native: Whether the page reads it itself; other files are handed to it as PLY.
    """

    path: Path
    native: bool

    @classmethod
    def check(cls, paths: Sequence[Path]) -> list[ShownFile]:
        """The files, as far as their heads tell; whether they are sound shows when they are read.

        Raises:
            InputError: One cannot be read, or is of no known format.
            UsageError: There are none, or too many.
        """
        if not 1 <= len(paths) <= MAX_FILES:
            raise UsageError(f"{len(paths)} scenes: the viewer shows one, or two side by side")
        shown = []
        for path in paths:
            open_input(path).close()
            kind = detect_format(path).id
            shown.append(cls(path, kind == "gsz" or (kind == "ply" and _is_plain(path))))
        return shown

    @property
    def url_name(self) -> str:
        """Its name in an address: the format that the page will find there."""
        if self.native:
            return self.path.name
        return f"{self.path.stem.removesuffix('.compressed')}.ply"

    def check_whole(self) -> None:
        """Refuse a file that the page reads itself and that is cut short, or damaged.

        Raises:
            CorruptFileError: A checksum of a .gsz is not that of its bytes.
            InputError: A PLY is shorter, or longer, than its header says.
        """
        if detect_format(self.path).id == "gsz":
            Container.read(self.path)
        elif self.native:
            read_header(self.path).check_size()

    def write_to(self, folder: Path) -> Path:
        """The file as the page reads it: itself, or a PLY in ``folder``, which is made.

        Raises:
            InputError: It is damaged.
        """
        if self.native:
            return self.path
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / self.url_name
        PlyFormat().save(load(self.path), target)
        return target


def _is_plain(path: Path) -> bool:
    """Whether a PLY is as the INRIA trainer writes it, with nothing to be applied or decoded."""
    try:
        header = read_header(path)
    except InputError:
        return False  # is told when it is converted
    (table, *others) = header.tables or (None,)
    if header.text or others or table is None or table.name != "vertex" or table.lists:
        return False
    with path.open("rb") as file:
        unix = file.read(4) == b"ply\n"
    types = {name: table.dtype[name].str for name in table.properties}
    floats = all(types.get(name) == "<f4" for name in _PLY_PROPERTIES)
    floats &= types.get("scale_2", "<f4") == "<f4"
    trainer = any(comment.startswith("antialiased") for comment in header.comments)
    return unix and floats and not trainer and "filter_3D" not in types


def manifest(
    files: Sequence[ShownFile],
    urls: Sequence[str],
    cameras: Sequence[Camera],
    convert: str = "",
    clip: str | None = None,
) -> dict[str, Any]:
    """What the page fetches first, as ``scene.json``.

    Args:
        files: What is shown, the left side first.
        urls: Their addresses, relative to the page.
        cameras: From where they can be looked at.
        convert: Address that turns other formats into PLY; empty: there is none.
        clip: The name of the clip that is shown instead.
    """
    shown = {} if clip is None else {"clip": {"name": clip, "url": CLIP + MANIFEST}}
    return {
        **shown,
        "files": [
            {"name": file.path.name, "bytes": scene_bytes(file.path), "url": url}
            for file, url in zip(files, urls, strict=True)
        ],
        "cameras": [_camera(camera) for camera in cameras],
        "convert": convert,
    }


def _camera(camera: Camera) -> dict[str, Any]:
    fields = {
        key: getattr(camera, key) for key in ("name", "width", "height", "fx", "fy", "cx", "cy")
    }
    return {**fields, "viewmat": camera.viewmat.ravel().tolist()}
