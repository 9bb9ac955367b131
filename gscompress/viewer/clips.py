"""Clips as the page takes them: their manifests and segments, from a folder or a host."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from gscompress.errors import UsageError
from gscompress.files import StrPath
from gscompress.stream.clip import Clip
from gscompress.stream.manifest import MANIFEST, Manifest
from gscompress.stream.served import ServedClip
from gscompress.stream.source import open_source
from gscompress.stream.transfer import Patience, Transfer

__all__ = [
    "CLIP",
    "FolderClip",
    "RemoteClip",
    "beside",
    "clip_files",
    "clip_name",
    "is_url",
    "only_clip",
    "open_clip",
]

CLIP = "clip/"
"""Where the page finds a clip's files."""

PATIENCE = Patience(timeout=10.0, deadline=30.0)
"""With other hosts: somebody is looking at the page meanwhile."""

_URL = re.compile(r"https?://", re.ASCII | re.IGNORECASE)


def is_url(place: StrPath) -> bool:
    """Whether a place is on another host."""
    return isinstance(place, str) and _URL.match(place) is not None


def only_clip(places: Sequence[StrPath]) -> StrPath | None:
    """The place that is a clip, if there is one: its folder, its manifest, or a URL.

    Raises:
        UsageError: It is not alone.
    """
    for place in places:
        if is_url(place) or (Path(place) / MANIFEST).is_file() or Path(place).name == MANIFEST:
            if len(places) > 1:
                raise UsageError("a clip is shown alone")
            return place
    return None


def clip_name(place: StrPath) -> str:
    """What the page calls a clip: its folder's name."""
    path = PurePosixPath(urlsplit(str(place)).path) if is_url(place) else Path(place).resolve()
    return (path.parent if path.suffix == ".json" else path).name or str(place)


def beside(places: Sequence[StrPath]) -> list[Path]:
    """Paths beside which cameras may be found: scenes, and for clips what is in their folder."""
    paths = [Path(place) for place in places if not is_url(place)]
    return [path / MANIFEST if path.is_dir() else path for path in paths]


class FolderClip:
    """A clip on this machine, which may grow. The page itself checks the segments.

    Args:
        place: Its folder, or the manifest in it.

    Raises:
        InputError: It has no manifest that makes sense.
    """

    def __init__(self, place: Path) -> None:
        self.name = clip_name(place)
        self._served = ServedClip(place if place.is_dir() else place.parent)

    def manifest(self) -> bytes:
        """The manifest as it is now."""
        return self._served.edition().data

    def segment(self, url: str) -> Path | None:
        """Where a segment is; None: there is no such one.

        Raises:
            CorruptFileError: It is not there, or not as long as it should be.
        """
        segment = self._served.edition().segments.get(url)
        return None if segment is None else self._served.path(segment)

    def close(self) -> None:
        """There is nothing to let go of."""


class RemoteClip:
    """A clip on another host, which may grow; what arrives is checked.

    Args:
        url: Of its folder, or of its manifest.

    Raises:
        InputError: The URL makes no sense, or there is no such clip.
    """

    def __init__(self, url: str) -> None:
        self.name = clip_name(url)
        self._transfer = Transfer(open_source(url, PATIENCE.timeout), PATIENCE)
        self._lock = threading.Lock()  # there is one connection
        self._data = b""
        self.manifest()

    def manifest(self) -> bytes:
        """The manifest as it is now.

        Raises:
            InputError: It does not arrive, or makes no sense.
        """
        with self._lock:
            data = self._transfer.manifest()
            if data is not None:
                segments = Manifest.from_json(data, self._transfer.source.where).segments()
                self._segments = {segment.url: segment for segment in segments}
                self._data = data
            return self._data

    def segment(self, url: str) -> bytes | None:
        """The bytes of a segment; None: there is no such one.

        Raises:
            CorruptFileError: They are not those that the manifest says.
            TransferError: They do not arrive.
        """
        with self._lock:
            segment = self._segments.get(url)
            return None if segment is None else self._transfer.segment(segment)

    def close(self) -> None:
        """Let go of the connection."""
        self._transfer.stop.set()
        self._transfer.source.close()


def open_clip(place: StrPath) -> FolderClip | RemoteClip:
    """A clip that is shown.

    Raises:
        InputError: There is none.
    """
    return RemoteClip(str(place)) if is_url(place) else FolderClip(Path(place))


def clip_files(place: StrPath) -> Iterator[tuple[str, bytes]]:
    """The files of a clip by their path in it, checked, the manifest last; nothing is added to it.

    Raises:
        InputError: A file cannot be read, or is damaged.
    """
    with Clip.open(place) as clip:
        for segment in clip.manifest.segments():
            yield segment.url, clip.segment(segment)
        yield MANIFEST, replace(clip.manifest, complete=True).to_json()
