"""Downloading the segments of a clip ahead of who decodes them: in order, over some connections.

One connection at a time would take at least one round trip for each segment, and at 30 segments a
second most round trips are too long.
"""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
import time
from dataclasses import dataclass

from gscompress.errors import CorruptFileError, InputError, TransferError
from gscompress.stream.buffer import Buffer, Stopped
from gscompress.stream.manifest import Manifest, Segment
from gscompress.stream.source import Source
from gscompress.stream.transfer import Patience, Transfer, TransferCounts

__all__ = ["Download", "Pending"]

_POLL = 0.25  # seconds between looks at a manifest that grows
_GRACE = 10.0  # seconds beyond all deadlines after which a download counts as hung
_JOIN = 1.0  # seconds for threads to notice that they are not needed any more


@dataclass(slots=True)
class Pending:
    """A segment that is on its way.

    Attributes:
        manifest: What it belongs to.
        group: The index of its group.
        segment: Which it is.
        ready: Whether it is settled what becomes of it.
        data: Its bytes, checked; None: it is not to be had.
        error: Why not; None: its group was given up before.
    """

    manifest: Manifest
    group: int
    segment: Segment
    ready: bool = False
    data: bytes | None = None
    error: Exception | None = None


class Download:
    """Threads that download.

    Args:
        source: Where the clip is.
        patience: How long to try.
        buffer_bytes: The most that is held of segments that are ordered and not released.
        connections: How many segments are downloaded at a time.
        first: The first frame that is wanted.
        last: The last one; None: all.

    Attributes:
        buffer: What arrives.
        manifest: The latest one; None: it is not there yet.
        given_up: Indices of groups of which no more is wanted.
    """

    def __init__(
        self,
        source: Source,
        patience: Patience,
        *,
        buffer_bytes: int,
        connections: int,
        first: int,
        last: int | None,
    ) -> None:
        silence = patience.deadline + patience.timeout + _GRACE
        self.buffer = Buffer[Pending](buffer_bytes, silence, source.where)
        self.manifest: Manifest | None = None
        self.given_up: set[int] = set()
        self._first, self._last = first, last
        self._patience = patience
        self._transfers = [Transfer(source, patience, self.buffer.stop)]
        self._orders: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._connections = connections if source.remote else 1
        self._threads = [threading.Thread(target=self._run, name="receiver", daemon=True)]

    def counts(self) -> TransferCounts:
        """What it has taken, over all connections."""
        every = [transfer.counts for transfer in list(self._transfers)]
        names = [field.name for field in dataclasses.fields(TransferCounts)]
        return TransferCounts(**{name: sum(getattr(c, name) for c in every) for name in names})

    def start(self) -> None:
        """Begin."""
        self._threads[0].start()

    def close(self) -> None:
        """End all downloads."""
        self.buffer.close()
        end = time.monotonic() + _JOIN
        for transfer in list(self._transfers):
            transfer.source.abort()
        for thread in list(self._threads):
            if thread.is_alive():
                thread.join(max(0.0, end - time.monotonic()))

    # The thread that orders

    def _run(self) -> None:
        failure: Exception | None = None
        try:
            self._follow()
        except Stopped:
            pass
        except Exception as error:  # the taking thread raises it
            failure = error
        finally:
            for _ in self._threads:
                self._orders.put(None)
            self.buffer.end(failure)
            self._transfers[0].source.close()

    def _follow(self) -> None:
        """Order one segment after the other, as long as the clip grows."""
        manifest = self._look(None)
        while not manifest.complete and manifest.frames <= self._first:
            manifest = self._grown(manifest)
        if self._last is not None and manifest.complete:
            manifest.group_index(self._last)
        group, index = manifest.group_index(self._first), 0
        self._hire()
        while True:
            for number, place, segment in manifest.segments_from(group, index):
                if self._last is not None and segment.first > self._last:
                    return
                self._order(Pending(manifest, number, segment))
                group, index = number, place + 1
            if manifest.complete:
                return
            manifest = self._grown(manifest)

    def _hire(self) -> None:
        """Start the threads that fetch; the first connection is for the manifest from now on."""
        for _ in range(self._connections):
            source = self._transfers[0].source.another()
            transfer = Transfer(source, self._patience, self.buffer.stop)
            thread = threading.Thread(
                target=self._fetch, args=(transfer,), name="receiver", daemon=True
            )
            self._transfers.append(transfer)
            self._threads.append(thread)
            thread.start()

    def _order(self, pending: Pending) -> None:
        size, limit = pending.segment.bytes, self.buffer.limit
        if size > limit:
            raise InputError(
                self._transfers[0].source.name(pending.segment.url),
                found=f"{size} bytes",
                expected=f"{limit} at most",
                remedy="Receive it with a larger buffer.",
            )
        self.buffer.put(pending, size)
        self._orders.put(pending)

    def _grown(self, known: Manifest) -> Manifest:
        """The manifest when it has more, or is complete.

        Raises:
            TransferError: It does not grow.
        """
        end = time.monotonic() + self._patience.deadline
        while time.monotonic() < end:
            if self.buffer.stop.wait(_POLL):
                raise Stopped
            manifest = self._look(known)
            if manifest.complete or manifest.frames > known.frames:
                return manifest
        raise TransferError(
            self._transfers[0].source.where,
            found=f"nothing new for {self._patience.deadline:g} s",
            expected="more frames, as it is not complete",
            remedy="Its encoder may have ended early.",
        )

    def _look(self, known: Manifest | None) -> Manifest:
        """The manifest as it is now; what was in it before must still be."""
        transfer = self._transfers[0]
        data = transfer.manifest()
        if data is None and known is not None:
            manifest = known
        else:
            manifest = Manifest.from_json(data or b"", transfer.source.where)
            _check_growth(known, manifest, transfer.source.where)
        self.manifest = manifest
        self.buffer.beat()
        return manifest

    # The threads that fetch

    def _fetch(self, transfer: Transfer) -> None:
        with contextlib.closing(transfer.source):
            while (pending := self._orders.get()) is not None:
                try:
                    if pending.group not in self.given_up:
                        pending.data = transfer.segment(pending.segment)
                except Stopped:
                    return
                except Exception as error:  # the taking thread raises it, or goes on without
                    pending.error = error
                pending.ready = True
                self.buffer.beat()


def _check_growth(known: Manifest | None, manifest: Manifest, where: str) -> None:
    if known is None or not known.groups:
        return
    at, old = len(known.groups) - 1, known.groups[-1].segments
    if at >= len(manifest.groups) or manifest.groups[at].segments[: len(old)] != old:
        raise CorruptFileError(where, f"groups[{at}]", found="other segments than before")
