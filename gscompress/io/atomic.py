"""Writing a file so that its name never shows half of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gscompress.errors import InputError
from gscompress.files import StrPath

__all__ = ["atomic_write", "refuse_existing"]


def refuse_existing(path: StrPath) -> None:
    """Refuse to write over something.

    Raises:
        InputError: ``path`` exists.
    """
    if os.path.lexists(path):
        raise InputError(
            path,
            found="it exists already",
            expected="a new name",
            remedy="Choose another name, or pass overwrite=True (-w on the command line).",
        )


@contextlib.contextmanager
def atomic_write(path: StrPath, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A binary file under a temporary name beside ``path``, renamed to it on success.

    On any error, and when the process is killed, ``path`` is as it was before.

    Raises:
        InputError: ``path`` exists and ``overwrite`` is false, or its folder cannot be written.
    """
    target = Path(path)
    if not overwrite:
        refuse_existing(target)
    try:
        if target.is_dir():
            raise InputError(path, found="a directory", expected="a file name")
        handle, temporary = tempfile.mkstemp(
            prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent
        )
    except (OSError, ValueError) as error:
        raise InputError(
            path, found=error, expected="a folder that can be written", remedy="Check the path."
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        # mkstemp makes files private; give this one the mode of any new file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
