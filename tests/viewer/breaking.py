"""A host of files whose connections break, that damages what it sends, or knows no ranges."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from gscompress._serving import FileHandler, FileServer, byte_range

Trouble = Literal["break", "damage", "fail", "gone"]
"""Half of what is asked for; a wrong byte; 503; 404."""


PAUSE = 0.2
"""Seconds before a connection breaks: what a page has not read by then is lost to it."""


@dataclass
class Host:
    """A host.

    Attributes:
        url: Its address.
        troubles: By the name of a file, what happens to the requests for it, one after the other;
            then all is well.
        ranges: Whether it knows ranges.
        asked: Name and range of each request for a file that had trouble.
    """

    url: str
    troubles: dict[str, list[Trouble]] = field(default_factory=dict)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)


class _Handler(FileHandler):
    host: Host

    def __init__(self, *args: Any, folder: Path, host: Host) -> None:
        self.folder, self.host = folder, host
        super().__init__(*args)

    def do_GET(self) -> None:
        path = self.folder / (urlsplit(self.path).path.lstrip("/") or "index.html")
        if not path.is_file():
            self.send_text(HTTPStatus.NOT_FOUND, f"There is no {path.name} here.")
            return
        if path.name not in self.host.troubles:
            self.send_file(path)
            return
        wanted = self.headers.get("Range") if self.host.ranges else None
        self.host.asked.append((path.name, self.headers.get("Range")))
        troubles = self.host.troubles[path.name]
        trouble = troubles.pop(0) if troubles else None
        if trouble in ("fail", "gone"):
            status = HTTPStatus.SERVICE_UNAVAILABLE if trouble == "fail" else HTTPStatus.NOT_FOUND
            self.send_text(status, f"trouble with {path.name}")
            return
        self._send(path, wanted, trouble)

    def _send(self, path: Path, wanted: str | None, trouble: Trouble | None) -> None:
        data = bytearray(path.read_bytes())
        part = byte_range(wanted, len(data))
        assert part is not None
        begin, end = part
        if trouble == "damage":
            data[(begin + end) // 2] ^= 1
        partial = (begin, end) != (0, len(data))
        self.send_response(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK)
        if partial:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(data)}")
        self.send_header("Cache-Control", "no-store")
        self.end_of_head(path.suffix, end - begin)
        if trouble == "break":
            end = (begin + end) // 2
            self.close_connection = True
        self.wfile.write(data[begin:end])
        if trouble == "break":
            time.sleep(PAUSE)


@contextlib.contextmanager
def breaking(folder: Path, **options: Any) -> Iterator[Host]:
    """Serve the files of a folder."""
    host = Host("", **options)
    handler = functools.partial(_Handler, folder=folder, host=host)
    server: http.server.HTTPServer = FileServer(("127.0.0.1", 0), handler)
    host.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
