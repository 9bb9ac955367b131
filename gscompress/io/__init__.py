"""Readers and writers, one file per format.

A new format is one file with a class as `gscompress.io.base.Format` describes, and one line in
``FORMATS`` (or, from another package, an entry point of the group ``gscompress.formats``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from gscompress.errors import ConfigError, InputError
from gscompress.files import StrPath, open_input
from gscompress.gaussians import Gaussians
from gscompress.io.atomic import refuse_existing
from gscompress.io.base import Format
from gscompress.registry import Registry

__all__ = ["FORMATS", "detect_format", "format_for_name", "load", "save"]

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
    },
)

HEAD_BYTES = 4096

_log = logging.getLogger(__name__)


def load(path: StrPath) -> Gaussians:
    """Read a scene of any known format; its content decides which, then its name.

    Raises:
        InputError: The file cannot be read, is of no known format, or is damaged.

    Example:
        >>> import gscompress as gs
        >>> scene = gs.load("scenes/demo.ply")
        >>> scene.sh_degree, scene.mode
        (3, 'default')
    """
    path = Path(path)
    return detect_format(path).load(path)


def save(scene: Gaussians, path: StrPath, *, overwrite: bool = False) -> None:
    """Write a scene in the format that the name's ending says; whole, or not at all.

    Raises:
        InputError: The ending is unknown, the file exists and ``overwrite`` is false, the folder
            cannot be written, or the scene has values that are not finite.

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
    chosen.save(scene, path)


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
