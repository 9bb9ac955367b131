"""Receiving a clip while it plays: threads download ahead, the caller decodes.

What is downloaded and not yet decoded is bounded. A download that breaks goes on where it was; what
is missing, or stays damaged, is named and costs the frames up to the next key frame. A clip that is
still being encoded is followed until it is complete. Nothing waits for ever.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from gscompress.errors import CorruptFileError, TransferError
from gscompress.files import StrPath
from gscompress.gaussians import Gaussians
from gscompress.stream.clip import SegmentDecoder
from gscompress.stream.download import Download, Pending
from gscompress.stream.manifest import Manifest, Segment
from gscompress.stream.source import Refused, open_source
from gscompress.stream.statistics import Statistics
from gscompress.stream.transfer import Patience

__all__ = ["BUFFER_BYTES", "CONNECTIONS", "Receiver"]

BUFFER_BYTES = 1 << 27
"""Default bound of what is downloaded ahead, in bytes."""

CONNECTIONS = 4
"""Default number of segments that are downloaded at a time."""

_MAX_PROBLEMS = 100

_log = logging.getLogger(__name__)


class Receiver:
    """Receives the frames of a clip, in order.

    Args:
        url: An http or https URL of the clip's folder or manifest; or the path of one.
        buffer_bytes: The most that is held of segments that are not decoded yet.
        timeout: Seconds without a byte after which a connection is broken.
        deadline: Seconds in which each segment must have arrived, all attempts together; and in
            which a clip that is not complete must grow.
        connections: How many segments are downloaded at a time.
        first: The first frame that is wanted.
        last: The last one; None: all.

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
        connections: int = CONNECTIONS,
        first: int = 0,
        last: int | None = None,
    ) -> None:
        self._statistics = Statistics()
        self._first, self._last = first, last
        self._source = open_source(url, timeout)
        self._download = Download(
            self._source,
            Patience(timeout, deadline),
            buffer_bytes=buffer_bytes,
            connections=connections,
            first=first,
            last=last,
        )
        self._first_error: Exception | None = None
        self._began: float | None = None

    @property
    def statistics(self) -> Statistics:
        """How it goes."""
        self._statistics.transfer = self._download.counts()
        return self._statistics

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
            while (pending := self._next()) is not None:
                try:
                    for number, frame in self._decode(decoder, pending):
                        if self._last is not None and number > self._last:
                            return
                        if number >= self._first:
                            yield number, frame
                finally:
                    self._download.buffer.release(pending.segment.bytes)
            if self._first_error is not None and not self._statistics.frames_decoded:
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
        self._download.buffer.wait_for(lambda: self._download.manifest is not None)
        if self._download.manifest is None:
            raise TransferError(self._source.where, found="nothing", expected="a manifest")
        return self._download.manifest

    def close(self) -> None:
        """End the download."""
        self._download.close()

    def _start(self) -> None:
        if self._began is None:
            self._began = time.monotonic()
            self._download.start()

    def _next(self) -> Pending | None:
        """The next segment; None: there will be none."""
        buffer, statistics = self._download.buffer, self._statistics
        stalled = bool(statistics.frames_decoded) and not buffer.next_is_ready()
        began = time.monotonic()
        pending = buffer.take()
        if stalled and pending is not None:
            statistics.stalls += 1
            statistics.seconds_stalled += time.monotonic() - began
        return pending

    def _decode(self, decoder: SegmentDecoder, pending: Pending) -> Iterator[tuple[int, Gaussians]]:
        segment, number = pending.segment, pending.segment.first
        if pending.group in self._download.given_up:
            self._skip(number, segment)
            return
        if pending.data is None:
            self._lose(pending, number, pending.error)
            return
        name = self._source.name(segment.url)
        frames = decoder.decode(segment, pending.data, pending.manifest, name)
        while True:
            began = time.perf_counter()
            try:
                frame = next(frames, None)
            except CorruptFileError as error:
                self._lose(pending, number, error)
                return
            if frame is None:
                return
            self._count(1000 * (time.perf_counter() - began))
            yield number, frame
            number += 1

    def _count(self, milliseconds: float) -> None:
        self._statistics.frames_decoded += 1
        self._statistics.decode_ms.append(milliseconds)
        if self._statistics.seconds_to_first_frame is None and self._began is not None:
            self._statistics.seconds_to_first_frame = time.monotonic() - self._began

    def _lose(self, pending: Pending, number: int, error: Exception | None) -> None:
        """Name what is wrong with a segment; from a frame of it on its group cannot be decoded.

        Raises:
            Exception: ``error``, if there is no point in going on.
        """
        if error is not None and not isinstance(error, CorruptFileError | Refused):
            raise error
        _log.warning("%s; going on with the next key frame", error)
        self._download.given_up.add(pending.group)
        self._first_error = self._first_error or error
        if len(self._statistics.problems) < _MAX_PROBLEMS:
            self._statistics.problems.append(str(error))
        self._skip(number, pending.segment)

    def _skip(self, begin: int, segment: Segment) -> None:
        """Count the frames of a segment, from one on, that were wanted."""
        end = segment.first + segment.frames
        end = end if self._last is None else min(end, self._last + 1)
        self._statistics.frames_skipped += max(0, end - max(begin, self._first))
