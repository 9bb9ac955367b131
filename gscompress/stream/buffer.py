"""What one thread has ordered and another takes, in order, of which only so many bytes are held."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from gscompress.errors import TransferError

__all__ = ["Buffer", "Stopped"]

_LOOK = 0.5  # seconds, after which a waiting thread looks around


class _Item(Protocol):
    @property
    def ready(self) -> bool:
        """Whether it can be taken."""
        ...


T = TypeVar("T", bound=_Item)


class Stopped(Exception):
    """Nobody waits for it any more."""


class Buffer(Generic[T]):
    """Items that one thread orders, others make ready and the last one takes.

    Args:
        limit: The most bytes that are held: from when room is reserved until they are released.
        silence: Seconds without any progress after which what is waited for counts as hung.
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

    # Threads that give

    def beat(self) -> None:
        """Something has changed."""
        with self._changed:
            self._pulse = time.monotonic()
            self._changed.notify_all()

    def put(self, item: T, size: int) -> None:
        """Wait until there is room for ``size`` bytes, at most ``limit``, and order an item.

        Raises:
            Stopped: Nobody takes it.
        """
        with self._changed:
            while self._held + size > self.limit and not self.stop.is_set():
                self._changed.wait(_LOOK)
            if self.stop.is_set():
                raise Stopped
            self._held += size
            self._items.append(item)
            self._pulse = time.monotonic()
            self._changed.notify_all()

    def end(self, failure: Exception | None = None) -> None:
        """No more will be ordered; ``failure`` says why, if it is none of the good reasons."""
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify_all()

    # The thread that takes

    def take(self) -> T | None:
        """The next item, when it is ready; None: there will be no more, or `close` was called.

        Raises:
            TransferError: It does not become ready.
            Exception: What `end` was told, once all before it is taken.
        """
        with self._changed:
            self._wait(self.next_is_ready)
            return None if self.stop.is_set() or not self._items else self._items.popleft()

    def wait_for(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so that the giving threads bring about, or they have ended.

        Raises:
            Exception: As `take`.
        """
        with self._changed:
            self._wait(ready)

    def next_is_ready(self) -> bool:
        """Whether `take` would not have to wait for an item."""
        return bool(self._items) and self._items[0].ready

    def release(self, size: int) -> None:
        """Bytes of an item that was taken are not needed any more."""
        with self._changed:
            self._held -= size
            self._changed.notify_all()

    def close(self) -> None:
        """Take no more."""
        self.stop.set()
        with self._changed:
            self._changed.notify_all()

    def _wait(self, ready: Callable[[], bool]) -> None:
        since = time.monotonic()
        while not ready() and not self.stop.is_set():
            if self._ended and not self._items:
                if self._failure is not None:
                    raise self._failure
                return
            self._changed.wait(_LOOK)
            if not self._items:  # else the next one has to become ready, whatever else goes on
                since = max(since, self._pulse)
            if time.monotonic() - since > self._silence:
                self.stop.set()
                raise TransferError(
                    self._where, found=f"a download that hangs for {self._silence:g} s"
                )
