"""A clip's folder as a server sees it: its manifest may change at any time."""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from gscompress.errors import CorruptFileError, InputError
from gscompress.files import read_input
from gscompress.stream.manifest import MANIFEST, MAX_BYTES, Manifest, Segment, file_state

__all__ = ["Edition", "ServedClip"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Edition:
    """The manifest as it was at some moment.

    Attributes:
        manifest: What it says.
        data: Its bytes.
        tag: Their entity tag.
        segments: By url.
    """

    manifest: Manifest
    data: bytes
    tag: str
    segments: dict[str, Segment]

    @classmethod
    def read(cls, path: Path) -> Edition:
        """Read a manifest.

        Raises:
            InputError: It makes no sense.
        """
        data = read_input(path, MAX_BYTES)
        manifest = Manifest.from_json(data, str(path))
        segments = {segment.url: segment for segment in manifest.segments()}
        return cls(manifest, data, f'"{hashlib.sha256(data).hexdigest()}"', segments)


class ServedClip:
    """A clip's folder.

    Args:
        folder: Where it is.

    Raises:
        InputError: It has no manifest that makes sense.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._lock = threading.Lock()
        self._state: tuple[int, ...] = ()
        self._edition: Edition | None = None
        self.edition()

    def edition(self) -> Edition:
        """The manifest that is there now; if that makes no sense, the last one that did.

        Raises:
            InputError: There was none yet.
        """
        path = self._folder / MANIFEST
        with self._lock:
            state = file_state(path)
            if self._edition is None or state != self._state:
                try:
                    self._edition = Edition.read(path)
                except InputError as error:
                    if self._edition is None:
                        raise
                    _log.warning("%s; the manifest before it is served", error)
                self._state = state
            return self._edition

    def path(self, segment: Segment) -> Path:
        """Where a segment is.

        Raises:
            CorruptFileError: It is not there, not as long as it should be, or not in the folder.
        """
        path = (self._folder / segment.url).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise CorruptFileError(segment.url, found="no such file", expected="a segment")
        if (size := path.stat().st_size) != segment.bytes:
            found = f"{size} bytes"
            raise CorruptFileError(segment.url, found=found, expected=f"{segment.bytes}")
        return path
