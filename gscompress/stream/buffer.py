"""Items on their way from one thread to another, of which only so many bytes are held."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from gscompress.errors import TransferError

__all__ = ["Buffer", "Stopped"]

_LOOK = 0.5  # seconds, after which a waiting thread looks around

T = TypeVar("T")


class Stopped(Exception):
    """Nobody waits for it any more."""


class Buffer(Generic[T]):
    """What one thread gives and another takes, in order.

    Args:
        limit: The most bytes that are held: from when room is reserved until they are released.
        silence: Seconds without a sign of life after which the giving thread counts as hung.
        where: What is being given, for messages.
    """

    def __init__(self, limit: int, silence: float, where: str) -> None:
        self.limit = limit
        self.stop = threading.Event()
        self._silence = silence
        self._where = where
        self._changed = threading.Condition()
        self._items: collections.deque[T] = collections.deque()
        self._held = 0
        self._failure: Exception | None = None
        self._ended = False
        self._pulse = time.monotonic()

    # The giving thread

    def beat(self) -> None:
        """A sign of life."""
        with self._changed:
            self._pulse = time.monotonic()
            self._changed.notify_all()

    def reserve(self, size: int) -> None:
        """Wait until there is room for ``size`` bytes, which are at most ``limit``.

        Raises:
            Stopped: The other thread takes no more.
        """
        with self._changed:
            while self._held + size > self.limit and not self.stop.is_set():
                self._pulse = time.monotonic()
                self._changed.wait(_LOOK)
            if self.stop.is_set():
                raise Stopped
            self._held += size
            self._pulse = time.monotonic()

    def put(self, item: T) -> None:
        """Give an item, for which room was reserved."""
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def end(self, failure: Exception | None = None) -> None:
        """There will be no more; ``failure`` says why, if it is none of the good reasons."""
        with self._changed:
            if not self._ended:
                self._ended, self._failure = True, failure
            self._changed.notify_all()

    # Either thread

    def release(self, size: int) -> None:
        """Bytes that were reserved are not needed any more."""
        with self._changed:
            self._held -= size
            self._changed.notify_all()

    # The taking thread

    def take(self) -> T | None:
        """The next item; None: there will be no more.

        Raises:
            Exception: What the giving thread failed with, once all it gave is taken.
        """
        with self._changed:
            self._wait(lambda: bool(self._items))
            return self._items.popleft() if self._items else None

    def wait_for(self, ready: Callable[[], bool]) -> None:
        """Wait until a condition holds that the giving thread brings about, or it has ended.

        Raises:
            Exception: As `take`.
        """
        with self._changed:
            self._wait(ready)

    def has_items(self) -> bool:
        """Whether there is something to take."""
        return bool(self._items)

    def close(self) -> None:
        """Take no more."""
        self.stop.set()
        with self._changed:
            self._changed.notify_all()

    def _wait(self, ready: Callable[[], bool]) -> None:
        while not ready() and not self._ended:
            self._changed.wait(_LOOK)
            if time.monotonic() - self._pulse > self._silence:
                found = f"a download that hangs for {self._silence:g} s"
                self.stop.set()
                self._ended, self._failure = True, TransferError(self._where, found=found)
        if not ready() and self._failure is not None:
            raise self._failure
