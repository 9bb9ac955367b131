"""Getting the segments of a clip whole, over connections that break, stall and damage."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gscompress.errors import CorruptFileError, TransferError
from gscompress.stream.buffer import Stopped
from gscompress.stream.manifest import Segment
from gscompress.stream.source import Refused, Source

__all__ = ["Patience", "Transfer", "TransferCounts"]

_FIRST_PAUSE = 0.1  # seconds before the second attempt; each further one doubles it
_LONGEST_PAUSE = 5.0  # seconds

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait.

    Attributes:
        timeout: Seconds without a byte after which a connection counts as broken.
        deadline: Seconds in which each file must have arrived, all attempts together.
    """

    timeout: float = 15.0
    deadline: float = 120.0


@dataclass(slots=True)
class TransferCounts:
    """What getting the segments has taken so far.

    Attributes:
        bytes: Received, those in vain included.
        retries: Attempts after a failed one.
        resumed: Those of them that went on where the one before broke off.
        damaged: Segments that arrived with other bytes than the manifest says.
    """

    bytes: int = 0
    retries: int = 0
    resumed: int = 0
    damaged: int = 0


@dataclass
class Transfer:
    """Gets segments, checked; broken attempts are gone on with, after pauses that grow.

    Attributes:
        source: Where the clip is.
        patience: How long to try.
        stop: Ends every pause when it is set.
        counts: What it has taken.
    """

    source: Source
    patience: Patience = field(default_factory=Patience)
    stop: threading.Event = field(default_factory=threading.Event)
    counts: TransferCounts = field(default_factory=TransferCounts)

    def manifest(self) -> bytes | None:
        """The manifest; None if it is as it was when last asked for.

        Raises:
            TransferError: It did not arrive in time.
            InputError: It cannot be read.
            Stopped: ``stop`` was set.
        """
        deadline = time.monotonic() + self.patience.deadline
        return self._persist(lambda: self.source.manifest(deadline), deadline)

    def segment(self, segment: Segment) -> bytes:
        """The bytes of a segment. What arrives damaged over a network is fetched once more.

        Raises:
            CorruptFileError: It is not what the manifest says; names the segment.
            TransferError: It did not arrive in time.
            Stopped: ``stop`` was set.
        """
        deadline = time.monotonic() + self.patience.deadline
        try:
            return self._checked(segment, deadline)
        except CorruptFileError as error:
            if not self.source.remote:
                raise
            _log.warning("%s; it is fetched again", error)
            self.counts.retries += 1
            return self._checked(segment, deadline)

    def _checked(self, segment: Segment, deadline: float) -> bytes:
        data = bytearray()
        self._persist(lambda: self._receive(segment, data, deadline), deadline)
        name = self.source.name(segment.url)
        if len(data) != segment.bytes:
            self.counts.damaged += 1
            more = "more than " if len(data) > segment.bytes else ""
            found = f"{more}{min(len(data), segment.bytes)} bytes"
            raise CorruptFileError(name, "length", found=found, expected=segment.bytes)
        digest = hashlib.sha256(data).hexdigest()
        if digest != segment.sha256:
            self.counts.damaged += 1
            raise CorruptFileError(name, "sha256", found=digest, expected=segment.sha256)
        return bytes(data)

    def _receive(self, segment: Segment, data: bytearray, deadline: float) -> None:
        """One attempt to append what is missing; never takes much more than there should be."""
        if len(data) == segment.bytes:
            return
        start = len(data)
        part = self.source.part(segment.url, start, deadline)
        if part.start == 0:
            data.clear()
        self.counts.resumed += part.start > 0
        with contextlib.closing(part.blocks) as blocks:
            for block in blocks:
                data += block
                self.counts.bytes += len(block)
                if len(data) > segment.bytes:
                    return
                if self.stop.is_set():
                    raise Stopped

    def _persist(self, attempt: Callable[[], T], deadline: float) -> T:
        pause = _FIRST_PAUSE
        while True:
            before = self.counts.bytes
            try:
                return attempt()
            except Refused:
                raise
            except TransferError as error:
                pause = pause if self.counts.bytes == before else _FIRST_PAUSE
                if time.monotonic() + pause >= deadline:
                    raise TransferError(
                        error.where,
                        error.field,
                        found=f"{error.found}, for {self.patience.deadline:g} s",
                        expected=error.expected,
                        remedy=error.remedy or "Check the connection.",
                    ) from error
                _log.info("%s; tried again in %.1f s", error, pause)
            if self.stop.wait(pause):
                raise Stopped
            self.counts.retries += 1
            pause = min(2 * pause, _LONGEST_PAUSE)
