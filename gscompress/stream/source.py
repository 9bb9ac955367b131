"""Where the files of a clip come from: what a source is, and folders as sources."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gscompress.errors import InputError, TransferError
from gscompress.files import StrPath, open_input, read_input
from gscompress.stream.manifest import MANIFEST, MAX_BYTES, file_state

__all__ = ["FolderSource", "Part", "Refused", "Source", "open_source"]

_BLOCK = 1 << 16  # bytes


class Refused(TransferError):
    """A host, or a file system, has not got it, and will not have it in a moment either."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or the end of it.

    Attributes:
        start: Where in the file the blocks begin: what was asked for; 0 where no parts are given.
        blocks: Its bytes; raises TransferError where they break off.
    """

    start: int
    blocks: Generator[bytes, None, None]


class Source(Protocol):
    """A place that has the files of a clip."""

    @property
    def where(self) -> str:
        """The manifest, for messages."""
        ...

    @property
    def remote(self) -> bool:
        """Whether another attempt may give something else."""
        ...

    def name(self, url: str) -> str:
        """A file of the clip, for messages."""
        ...

    def manifest(self, deadline: float) -> bytes | None:
        """The manifest; None if it is as it was when last asked for.

        Raises:
            TransferError: It does not arrive; `Refused` if asking again is of no use.
            InputError: It cannot be read.
        """
        ...

    def part(self, url: str, start: int, deadline: float) -> Part:
        """A file of the clip from a byte on, or, if that cannot be had, all of it.

        Raises:
            TransferError: As `manifest`.
        """
        ...

    def another(self) -> Source:
        """The same place, for another thread."""
        ...

    def abort(self) -> None:
        """Break off what another thread waits for."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def open_source(place: StrPath, timeout: float) -> Source:
    """The source for a folder, the path of a manifest, or the URL of either.

    Raises:
        InputError: A URL makes no sense.
    """
    if isinstance(place, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", place):
        from gscompress.stream.http_source import HttpSource

        return HttpSource(place, timeout)
    return FolderSource(Path(place))


class FolderSource:
    """Files on this machine.

    Args:
        place: The folder, or its manifest.
    """

    remote = False

    def __init__(self, place: Path) -> None:
        self._manifest = place / MANIFEST if place.is_dir() else place
        self._state: tuple[int, ...] = ()

    @property
    def where(self) -> str:
        """The manifest, for messages."""
        return str(self._manifest)

    def name(self, url: str) -> str:
        """A file of the clip, for messages."""
        return str(self._manifest.parent / url)

    def manifest(self, deadline: float) -> bytes | None:
        """The manifest; None if it is as it was when last asked for."""
        state = file_state(self._manifest)
        if state and state == self._state:
            return None
        data = read_input(self._manifest, MAX_BYTES)
        self._state = state
        return data

    def part(self, url: str, start: int, deadline: float) -> Part:
        """A file of the clip from a byte on."""
        return Part(start, self._blocks(self._manifest.parent / url, start))

    def _blocks(self, path: Path, start: int) -> Generator[bytes, None, None]:
        try:
            with open_input(path) as file:
                file.seek(start)
                while block := file.read(_BLOCK):
                    yield block
        except OSError as error:
            raise Refused(path, found=error.strerror or error) from error
        except InputError as error:
            raise Refused(
                path, found=error.found, expected=error.expected, remedy=error.remedy
            ) from error

    def another(self) -> FolderSource:
        """The same place, for another thread."""
        return FolderSource(self._manifest)

    def abort(self) -> None:
        """There is nothing that waits."""

    def close(self) -> None:
        """There is nothing to let go of."""
