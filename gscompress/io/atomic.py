"""Files that appear under their final name complete or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from gscompress.errors import InputError
from gscompress.files import StrPath

__all__ = ["atomic_write", "refuse_existing"]

_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends


@contextlib.contextmanager
def atomic_write(path: StrPath, *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` for writing and rename it when the block succeeds.

    The data is on the disk before the rename. If the block raises, the temporary file is removed
    and a file that was there before stays as it was.

    Args:
        path: The final name.
        overwrite: Whether a file of that name may be replaced.

    Raises:
        InputError: The file exists and ``overwrite`` is false, or its folder cannot be written.
    """
    target = Path(path)
    if not overwrite:
        refuse_existing(target)
    if target.is_dir():
        raise InputError(path, found="a directory", expected="a file name")
    temporary = target.with_name(f"{target.name}.tmp-{secrets.token_hex(4)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    except OSError as error:
        raise InputError(
            target, found=error.strerror or error, expected="a folder that can be written"
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield cast("BinaryIO", file)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            temporary.replace(target)
        else:
            _rename_new(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def refuse_existing(path: StrPath) -> None:
    """Refuse to write over something.

    Raises:
        InputError: ``path`` exists.
    """
    if os.path.lexists(path):
        raise _exists(Path(path))


def _exists(target: Path) -> InputError:
    return InputError(
        target,
        found="the file exists",
        expected="a new name",
        remedy="Choose another name, or allow overwriting (-w on the command line)",
    )


def _rename_new(temporary: Path, target: Path) -> None:
    """Rename, but never onto a file that appeared meanwhile (where the system can tell)."""
    try:
        os.link(temporary, target)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError:  # a file system without hard links: check, then rename
        if target.exists():
            raise _exists(target) from None
        temporary.replace(target)
    else:
        temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the rename durable where folders can be opened (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
