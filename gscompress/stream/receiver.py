"""Receiving a clip while it plays: one thread downloads ahead, the caller decodes.

What is downloaded and not yet decoded is bounded. A download that breaks goes on where it was; what
is missing, or stays damaged, is named and costs the frames up to the next key frame. A clip that is
still being encoded is followed until it is complete. Nothing waits for ever.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gscompress.errors import CorruptFileError, GscompressError, InputError, TransferError
from gscompress.files import StrPath
from gscompress.gaussians import Gaussians
from gscompress.stream.buffer import Buffer, Stopped
from gscompress.stream.clip import SegmentDecoder
from gscompress.stream.manifest import Manifest, Segment
from gscompress.stream.source import Refused, open_source
from gscompress.stream.statistics import Statistics
from gscompress.stream.transfer import Patience, Transfer

__all__ = ["BUFFER_BYTES", "Receiver"]

BUFFER_BYTES = 1 << 27
"""Default bound of what is downloaded ahead, in bytes."""

_POLL = 0.25  # seconds between looks at a manifest that grows
_GRACE = 10.0  # seconds beyond all deadlines after which a download counts as hung
_JOIN = 1.0  # seconds for the download to notice that it is not needed any more
_MAX_PROBLEMS = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A segment that was downloaded and checked."""

    manifest: Manifest
    group: int
    segment: Segment
    data: bytes


class Receiver:
    """Receives the frames of a clip, in order.

    Args:
        url: An http or https URL of the clip's folder or manifest; or the path of one.
        buffer_bytes: The most that is held of segments that are not decoded yet.
        timeout: Seconds without a byte after which a connection is broken.
        deadline: Seconds in which each segment must have arrived, all attempts together; and in
            which a clip that is not complete must grow.
        first: The first frame that is wanted.
        last: The last one; None: all.

    Attributes:
        statistics: How it goes.

    Raises:
        InputError: The URL makes no sense.

    Example:
        with Receiver("http://localhost:8000/") as receiver:
            for number, scene in receiver:
                ...
    """

    def __init__(
        self,
        url: StrPath,
        *,
        buffer_bytes: int = BUFFER_BYTES,
        timeout: float = 15.0,
        deadline: float = 120.0,
        first: int = 0,
        last: int | None = None,
    ) -> None:
        self.statistics = Statistics()
        self._first, self._last = first, last
        self._deadline = deadline
        self._source = open_source(url, timeout)
        silence = deadline + timeout + _GRACE
        self._buffer = Buffer[_Arrival](buffer_bytes, silence, self._source.where)
        self._transfer = Transfer(
            self._source, Patience(timeout, deadline), self._buffer.stop, self.statistics.transfer
        )
        self._lock = threading.Lock()  # for what both threads count
        self._lost: dict[int, int] = {}  # by group: from which frame on it cannot be decoded
        self._first_error: GscompressError | None = None
        self._manifest: Manifest | None = None
        self._began: float | None = None
        self._thread = threading.Thread(target=self._download, name="receiver", daemon=True)

    def __enter__(self) -> Receiver:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[int, Gaussians]]:
        """Each frame's number and the frame. Frames that are lost are left out, and counted.

        Raises:
            InputError: There is no such clip, or it has no such frames.
            CorruptFileError: Its manifest is damaged, or nothing of it could be decoded.
            TransferError: The host does not answer any more, or has nothing of it.
        """
        self._start()
        decoder = SegmentDecoder()
        try:
            while (arrival := self._next()) is not None:
                try:
                    for number, frame in self._decode(decoder, arrival):
                        if self._last is not None and number > self._last:
                            return
                        if number >= self._first:
                            yield number, frame
                finally:
                    self._buffer.release(arrival.segment.bytes)
            if self._first_error is not None and not self.statistics.frames_decoded:
                raise self._first_error
        finally:
            self.close()

    def manifest(self) -> Manifest:
        """The manifest, as soon as it is there; of a clip that grows, the latest.

        Raises:
            InputError: There is no such clip.
            CorruptFileError: Its manifest is damaged.
            TransferError: The host does not give it.
        """
        self._start()
        self._buffer.wait_for(lambda: self._manifest is not None)
        if self._manifest is None:
            raise TransferError(self._source.where, found="nothing", expected="a manifest")
        return self._manifest

    def close(self) -> None:
        """End the download."""
        self._buffer.close()
        if self._thread.is_alive():
            self._thread.join(_JOIN)

    # The caller's thread

    def _start(self) -> None:
        if self._began is None:
            self._began = time.monotonic()
            self._thread.start()

    def _next(self) -> _Arrival | None:
        """The next segment; None: there will be none."""
        stalled = bool(self.statistics.frames_decoded) and not self._buffer.has_items()
        began = time.monotonic()
        arrival = self._buffer.take()
        if stalled and arrival is not None:
            self.statistics.stalls += 1
            self.statistics.seconds_stalled += time.monotonic() - began
        return arrival

    def _decode(
        self, decoder: SegmentDecoder, arrival: _Arrival
    ) -> Iterator[tuple[int, Gaussians]]:
        segment, number = arrival.segment, arrival.segment.first
        if number >= self._lost.get(arrival.group, number + 1):
            self._skip(number, segment)
            return
        name = self._source.name(segment.url)
        frames = decoder.decode(segment, arrival.data, arrival.manifest, name)
        while True:
            began = time.perf_counter()
            try:
                frame = next(frames, None)
            except CorruptFileError as error:
                self._lose(arrival.group, number, segment, error)
                return
            if frame is None:
                return
            self._count(1000 * (time.perf_counter() - began))
            yield number, frame
            number += 1

    def _count(self, milliseconds: float) -> None:
        self.statistics.frames_decoded += 1
        self.statistics.decode_ms.append(milliseconds)
        if self.statistics.seconds_to_first_frame is None and self._began is not None:
            self.statistics.seconds_to_first_frame = time.monotonic() - self._began

    # Either thread

    def _lose(self, group: int, number: int, segment: Segment, error: GscompressError) -> None:
        """Name what is wrong with a segment; from a frame of it on its group cannot be decoded."""
        _log.warning("%s; going on with the next key frame", error)
        with self._lock:
            self._lost[group] = min(number, self._lost.get(group, number))
            self._first_error = self._first_error or error
            if len(self.statistics.problems) < _MAX_PROBLEMS:
                self.statistics.problems.append(str(error))
        self._skip(number, segment)

    def _skip(self, begin: int, segment: Segment) -> None:
        """Count the frames of a segment, from one on, that were wanted."""
        end = segment.first + segment.frames
        end = end if self._last is None else min(end, self._last + 1)
        with self._lock:
            self.statistics.frames_skipped += max(0, end - max(begin, self._first))

    # The thread that downloads

    def _download(self) -> None:
        try:
            self._follow()
        except Stopped:
            self._buffer.end()
        except Exception as error:  # the caller's thread raises it
            self._buffer.end(error)
        else:
            self._buffer.end()
        finally:
            self._source.close()

    def _follow(self) -> None:
        """Fetch one segment after the other, as long as the clip grows."""
        manifest = self._look(None)
        while not manifest.complete and manifest.frames <= self._first:
            manifest = self._grown(manifest)
        if self._last is not None and manifest.complete:
            manifest.group_index(self._last)
        group, index = manifest.group_index(self._first), 0
        while True:
            for number, place, segment in manifest.segments_from(group, index):
                if self._last is not None and segment.first > self._last:
                    return
                self._fetch(manifest, number, segment)
                group, index = number, place + 1
            if manifest.complete:
                return
            manifest = self._grown(manifest)

    def _fetch(self, manifest: Manifest, group: int, segment: Segment) -> None:
        if segment.bytes > self._buffer.limit:
            raise InputError(
                self._source.name(segment.url),
                found=f"{segment.bytes} bytes",
                expected=f"{self._buffer.limit} at most",
                remedy="Receive it with a larger buffer.",
            )
        self._buffer.beat()
        if group in self._lost:
            self._skip(segment.first, segment)
            return
        self._buffer.reserve(segment.bytes)
        try:
            data = self._transfer.segment(segment)
        except (CorruptFileError, Refused) as error:
            self._buffer.release(segment.bytes)
            self._lose(group, segment.first, segment, error)
            return
        self._buffer.put(_Arrival(manifest, group, segment, data))

    def _grown(self, known: Manifest) -> Manifest:
        """The manifest when it has more, or is complete.

        Raises:
            TransferError: It does not grow.
        """
        end = time.monotonic() + self._deadline
        while time.monotonic() < end:
            if self._buffer.stop.wait(_POLL):
                raise Stopped
            manifest = self._look(known)
            if manifest.complete or manifest.frames > known.frames:
                return manifest
        raise TransferError(
            self._source.where,
            found=f"nothing new for {self._deadline:g} s",
            expected="more frames, as it is not complete",
            remedy="Its encoder may have ended early.",
        )

    def _look(self, known: Manifest | None) -> Manifest:
        """The manifest as it is now; what was in it before must still be."""
        data = self._transfer.manifest()
        if data is None and known is not None:
            manifest = known
        else:
            manifest = Manifest.from_json(data or b"", self._source.where)
            _check_growth(known, manifest, self._source.where)
        self._manifest = manifest
        self._buffer.beat()
        return manifest


def _check_growth(known: Manifest | None, manifest: Manifest, where: str) -> None:
    if known is None or not known.groups:
        return
    at, old = len(known.groups) - 1, known.groups[-1].segments
    if at >= len(manifest.groups) or manifest.groups[at].segments[: len(old)] != old:
        raise CorruptFileError(where, f"groups[{at}]", found="other segments than before")
