"""Opening what a user names and unpacking what it holds, with errors that say what is wrong."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

import zstandard

from gscompress.errors import CorruptFileError, InputError

__all__ = ["StrPath", "decompress_exactly", "open_input", "read_input"]

StrPath = str | os.PathLike[str]

_CHECK = "Check the path."
_MAX_WINDOW = 1 << 27
_MOST_EXPANSION = 1 << 16  # a block of 4 bytes can stand for 2^17


def open_input(path: StrPath) -> BinaryIO:
    """Open a regular file for reading.

    Raises:
        InputError: It does not exist, may not be read, or is a directory, a pipe or a device
            (reading one could block forever).
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            return open(path, "rb")
    except FileNotFoundError as error:
        raise InputError(path, found="no such file", expected="a file", remedy=_CHECK) from error
    except PermissionError as error:
        raise InputError(
            path,
            found="no permission to read it",
            expected="a readable file",
            remedy="Change its permissions.",
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(path, found=error, expected="a readable file", remedy=_CHECK) from error
    kind = "a directory" if stat.S_ISDIR(mode) else "a pipe or device"
    raise InputError(path, found=kind, expected="a file", remedy=_CHECK)


def read_input(path: StrPath, limit: int) -> bytes:
    """All bytes of a regular file.

    Args:
        path: The file.
        limit: Largest size, in bytes, that makes sense for such a file.

    Raises:
        InputError: As `open_input`; or the file is larger than ``limit``.
    """
    with open_input(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise InputError(
                path,
                found=f"{size} bytes",
                expected=f"at most {limit}",
                remedy=f"Check that {Path(path).name} is the file you mean.",
            )
        return file.read(limit)


def decompress_exactly(frame: bytes, size: int, where: str) -> bytes:
    """Decompress one Zstandard frame that must hold ``size`` bytes; never allocates more.

    Raises:
        CorruptFileError: The frame is damaged, or of another size, or bytes follow it.
    """
    try:
        stored = zstandard.frame_content_size(frame)
        if stored != size or size > len(frame) * _MOST_EXPANSION:
            raise CorruptFileError(where, "size", found=stored, expected=size)
        return zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompress(
            frame, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise CorruptFileError(where, found=str(error), expected="a Zstandard frame") from error
