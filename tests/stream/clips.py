"""Small clips for tests, and a network that is bad on purpose."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import gscompress as gs
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.stream import segment as residuals
from gscompress.stream.decoder import Track, decode_key
from gscompress.stream.layout import Steps
from gscompress.stream.manifest import Group, Manifest, Segment
from gscompress.stream.server import ClipServer
from gscompress.stream.slots import FRACTION
from tests.checks import make_scene

STEPS = Steps((2**-7, 2**-7, 2**-6, 2**-5, 2**-5, 2**-5), 0.0)


def same(one: Gaussians, other: Gaussians) -> bool:
    return all(np.array_equal(getattr(one, a), getattr(other, a)) for a in ATTRIBUTES)


@functools.cache
def key_frame(n: int, seed: int) -> bytes:
    return gs.compress(make_scene(n, 1, seed=seed), "fast", device="cpu").to_bytes()


class Writer:
    """Writes a clip group by group, as a live encoder does."""

    def __init__(self, folder: Path, n: int = 40) -> None:
        self.folder, self.n = folder, n
        self.groups: list[Group] = []
        self.frames: list[Gaussians] = []
        folder.mkdir(parents=True, exist_ok=True)

    def add_group(self, frames: int) -> None:
        data = key_frame(self.n, len(self.groups))
        first = len(self.frames)
        self.groups.append(Group(first, 1, (self._segment(data, "key"),)))
        self.frames.append(decode_key(data))
        self.track = Track(self.frames[-1], STEPS)
        for _ in range(frames - 1):
            self.add_residual()

    def add_residual(self, scale: float = 3.0) -> None:
        slots = self.track.slots
        rng = np.random.default_rng(len(self.frames))
        shape = (len(slots), slots.layout.channels)
        values = rng.normal(0, scale, shape).astype(np.float32)  # in steps
        weights = np.ones(shape, np.float32)
        coded, moved, changes = self.track.coder.encode(values, weights, 0.0, 0)
        slots.move(moved, changes * np.int32(FRACTION))
        frame = residuals.Frame(coded)
        first = len(self.frames)
        segment = residuals.Segment("residual", first, len(slots), STEPS, (frame,))
        group = self.groups[-1]
        segments = (*group.segments, self._segment(segment.to_bytes(), "residual"))
        self.groups[-1] = Group(group.first, len(segments), segments)
        self.frames.append(slots.scene())

    def _segment(self, data: bytes, kind: str) -> Segment:
        number = len(self.frames)
        url = f"{number:06d}.{'gsz' if kind == 'key' else 'gsr'}"
        (self.folder / url).write_bytes(data)
        return Segment(url, kind, number, 1, len(data), hashlib.sha256(data).hexdigest())

    def manifest(self, *, complete: bool = True) -> Manifest:
        return Manifest(30.0, 1, self.n, tuple(self.groups), complete=complete)

    def publish(self, *, complete: bool = True) -> Manifest:
        manifest = self.manifest(complete=complete)
        manifest.write(self.folder)
        return manifest


def write_clip(folder: Path, *groups: int, n: int = 40) -> Writer:
    """A clip whose groups have so many frames."""
    writer = Writer(folder, n)
    for frames in groups:
        writer.add_group(frames)
    writer.publish()
    return writer


@contextlib.contextmanager
def serving(folder: Path, **options: object) -> Iterator[ClipServer]:
    with ClipServer(folder, **options) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)
            assert not thread.is_alive()


class Proxy:
    """A TCP proxy in front of a port, whose downstream is slow, breaks, or changes bytes.

    Args:
        port: Of the server.
        rate: Bytes per second downstream; None: as fast as it goes.
        cuts: After how many bytes downstream each of the first connections breaks; None: never.
        change: What is done to the bytes downstream.
        delay: Seconds that each request takes longer.
    """

    def __init__(
        self,
        port: int,
        *,
        rate: float | None = None,
        cuts: tuple[int | None, ...] = (),
        change: Callable[[bytes], bytes] = bytes,
        delay: float = 0.0,
    ) -> None:
        self._target = ("127.0.0.1", port)
        self._rate, self._cuts, self._change, self._delay = rate, list(cuts), change, delay
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.connections = 0
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        self._socket.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            if select.select([self._socket], [], [], 0.02)[0]:
                client, _ = self._socket.accept()
                cut = self._cuts[self.connections] if self.connections < len(self._cuts) else None
                self.connections += 1
                thread = threading.Thread(target=self._pass, args=(client, cut), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass(self, client: socket.socket, cut: int | None) -> None:
        with (
            client,
            socket.create_connection(self._target, timeout=5) as server,
            contextlib.suppress(OSError),
        ):
            self._shuttle(client, server, cut)

    def _shuttle(self, client: socket.socket, server: socket.socket, cut: int | None) -> None:
        sent = 0
        block = 1 << 16 if self._rate is None else max(1, int(self._rate / 50))
        while not self._closing.is_set():
            ready, _, _ = select.select([client, server], [], [], 0.02)
            if client in ready:
                data = client.recv(1 << 16)
                if not data:
                    return
                time.sleep(self._delay)
                server.sendall(data)
            if server in ready:
                data = self._change(server.recv(block))
                if not data:
                    return
                if cut is not None and sent + len(data) >= cut:
                    client.sendall(data[: cut - sent])
                    return
                client.sendall(data)
                sent += len(data)
                if self._rate is not None:
                    time.sleep(len(data) / self._rate)
