"""Readers and writers, one file per format.

A new format is one file with a class as `gscompress.io.base.Format` describes, and one line in
``FORMATS`` (or, from another package, an entry point of the group ``gscompress.formats``).
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gscompress.errors import ConfigError, InputError
from gscompress.files import StrPath, open_input
from gscompress.gaussians import Gaussians
from gscompress.io.atomic import refuse_existing
from gscompress.io.axes import OURS, check_axes, turned
from gscompress.io.base import Format
from gscompress.registry import Registry

__all__ = [
    "FORMATS",
    "bytes_by_attribute",
    "detect_format",
    "format_for_name",
    "load",
    "save",
    "scene_bytes",
    "settings_of",
    "with_settings",
]

FORMATS = Registry(
    "format",
    "gscompress.formats",
    {
        # Looked at in this order: of two that recognise a file's head, the first reads it.
        "gsz": "gscompress.io.gsz:GszFormat",
        "spz": "gscompress.io.spz:SpzFormat",
        "compressed-ply": "gscompress.io.compressed_ply:CompressedPlyFormat",
        "ply": "gscompress.io.ply:PlyFormat",
        "splat": "gscompress.io.splat:SplatFormat",
        "sog": "gscompress.io.sog:SogFormat",
        "gltf": "gscompress.io.gltf:GltfFormat",
        "ksplat": "gscompress.io.ksplat:KsplatFormat",
        "usd": "gscompress.io.usd:UsdFormat",
    },
)

HEAD_BYTES = 4096

_log = logging.getLogger(__name__)


def load(path: StrPath, *, axes: str | None = None) -> Gaussians:
    """Read a scene of any known format; its content decides which, then its name.

    Args:
        path: The file.
        axes: Which way the axes of the file point, as `gscompress.io.axes` names them, where that
            is not what its format has.

    Raises:
        InputError: The file cannot be read, is of no known format, or is damaged.

    Example:
        >>> import gscompress as gs
        >>> scene = gs.load("scenes/demo.ply")
        >>> scene.sh_degree, scene.mode
        (3, 'default')
    """
    path = Path(path)
    chosen = detect_format(path)
    if axes is None:
        return chosen.load(path)
    check_axes(chosen.id, axes)
    if "axes" in settings_of(chosen):
        return with_settings(chosen, axes=axes).load(path)
    return turned(chosen.load(path), axes, OURS)


def save(
    scene: Gaussians,
    path: StrPath,
    *,
    overwrite: bool = False,
    axes: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write a scene in the format that the name's ending says; whole, or not at all.

    Args:
        scene: The scene.
        path: The file to write.
        overwrite: Whether a file of that name may be replaced.
        axes: Which way the axes of the file shall point, where not as its format has them.
        settings: Fields of the format's class, as ``{"version": 3}`` for an SPZ.

    Raises:
        InputError: The ending is unknown, the file exists and ``overwrite`` is false, the folder
            cannot be written, the scene has values that are not finite, or the format has no such
            setting.

    Example:
        >>> import os, tempfile
        >>> import gscompress as gs
        >>> scene = gs.load("scenes/demo.ply")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     gs.save(scene, os.path.join(folder, "copy.ply"))
        ...     copy = gs.load(os.path.join(folder, "copy.ply"))
        >>> bool((copy.means == scene.means).all())
        True
    """
    path = Path(path)
    chosen = format_for_name(path)
    if not overwrite:
        refuse_existing(path)
    scene.validate(f"scene to be saved as {path}")
    if axes is not None:
        check_axes(chosen.id, axes)
        if "axes" in settings_of(chosen):
            settings = {**(settings or {}), "axes": axes}
        else:
            scene = turned(scene, OURS, axes)
    with_settings(chosen, **(settings or {})).save(scene, path)


def settings_of(chosen: Format) -> list[str]:
    """What can be set of a format: the fields of its class."""
    if not dataclasses.is_dataclass(chosen):
        return []
    return [field.name for field in dataclasses.fields(chosen)]


def with_settings(chosen: Format, **settings: Any) -> Format:
    """The format with some of its settings changed.

    Raises:
        ConfigError: It has no such setting, or not that value.
    """
    known = settings_of(chosen)
    for name in settings:
        if name not in known:
            raise ConfigError(
                f"format {chosen.id}",
                found=f"the setting {name!r}",
                expected="one of " + ", ".join(known) if known else "none: it has no settings",
            )
    return dataclasses.replace(chosen, **settings) if settings else chosen  # type: ignore[type-var]


def scene_bytes(path: StrPath) -> int:
    """Size of a scene in bytes: of its file, or of all files where a format has several."""
    path = Path(path)
    several = getattr(detect_format(path), "files", None)
    files = [path] if several is None else several(path)
    return sum(os.stat(file).st_size for file in files)


def bytes_by_attribute(path: StrPath) -> dict[str, int] | None:
    """Where the bytes of a scene go, in all its size; None where its format has them mixed.

    Args:
        path: A file that can be read.
    """
    path = Path(path)
    parts = getattr(detect_format(path), "parts", None)
    sizes: dict[str, int] | None = None if parts is None else parts(path)
    if sizes is None:
        return None
    return {**sizes, "container": scene_bytes(path) - sum(sizes.values())}


def detect_format(path: StrPath) -> Format:
    """The format of an existing file: by its first bytes, then by its name.

    Raises:
        InputError: The file cannot be read or is of no known format.
    """
    with open_input(path) as file:
        head = file.read(HEAD_BYTES)
    for candidate in _formats():
        if candidate.sniff(head):
            return candidate
    if not head:
        raise InputError(path, found="an empty file", expected="a scene")
    return format_for_name(path)


def format_for_name(path: StrPath) -> Format:
    """The format that a file name's ending stands for; the longest ending wins.

    Raises:
        InputError: No known format has such an ending.
    """
    name = Path(path).name.lower()
    endings = {ending: known for known in _formats() for ending in known.extensions}
    matching = [ending for ending in endings if name.endswith(ending)]
    if not matching:
        raise InputError(
            path,
            found=f"the ending {Path(path).suffix!r}",
            expected="one of " + ", ".join(sorted(endings)),
            remedy="Name the file by its format.",
        )
    return endings[max(matching, key=len)]


def _formats() -> Iterator[Format]:
    for name in FORMATS.names():
        try:
            yield FORMATS.get(name)()
        except (ImportError, AttributeError, ConfigError) as error:
            # One broken plug-in must not take the other formats with it.
            _log.warning("The format %r is not available: %s", name, error)
