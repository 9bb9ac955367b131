"""What our HTTP servers share: answering with files, or with the parts of them that are asked for.

No server of ours looks up a path that a request names: each has its own table of what it gives.
"""

from __future__ import annotations

import logging
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import Any, BinaryIO, ClassVar
from urllib.parse import urlsplit

__all__ = ["FileHandler", "FileServer", "byte_range", "copy", "ended_by_signals"]

_BLOCK = 1 << 20  # bytes
_RANGE = re.compile(r"bytes=(\d{0,20})-(\d{0,20})")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}

_log = logging.getLogger(__name__)


class FileServer(ThreadingHTTPServer):
    """A thread for each connection; one that breaks is nothing to speak of."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong with a connection; its thread ends."""
        gone = isinstance(sys.exception(), ConnectionError | TimeoutError)
        level = logging.DEBUG if gone else logging.WARNING
        _log.log(level, "the connection with %s broke", client_address, exc_info=True)


class FileHandler(BaseHTTPRequestHandler):
    """Answers of HTTP/1.1 that keep the connection.

    Attributes:
        headers_of_all: Sent with every answer.
        timeout: How many seconds a connection may say nothing, or take nothing; None: any.
    """

    protocol_version = "HTTP/1.1"
    server_version = "gscompress"
    disable_nagle_algorithm = True  # or a body waits until its head is acknowledged: 40 ms each
    headers_of_all: ClassVar[Mapping[str, str]] = {"X-Content-Type-Options": "nosniff"}

    def version_string(self) -> str:
        """What the header Server says."""
        return self.server_version

    def parse_request(self) -> bool:
        """Refuse addresses that cannot be taken apart."""
        if not super().parse_request():
            return False
        try:
            urlsplit(self.path)
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return False
        return True

    def log_message(self, format: str, *args: object) -> None:
        """Requests are for debugging only."""
        _log.debug(format, *args)

    def send_file(self, path: Path, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a file or, if the request says so, a part of it."""
        with path.open("rb") as file:
            size = path.stat().st_size
            part = byte_range(self._wanted(headers or {}), size)
            if part is None:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{size}")
                self.end_of_head("", 0)
                return
            begin, end = part
            whole = (begin, end) == (0, size)
            self.send_response(HTTPStatus.OK if whole else HTTPStatus.PARTIAL_CONTENT)
            if not whole:
                self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
            self.send_header("Accept-Ranges", "bytes")
            self.end_of_head(path.suffix, end - begin, headers)
            if self.command != "HEAD":
                file.seek(begin)
                copy(file, self.wfile, end - begin)

    def send_body(
        self,
        body: bytes,
        suffix: str,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with bytes, of the type that files of such an ending have."""
        self.send_response(status)
        self.end_of_head(suffix, len(body), headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_text(self, status: HTTPStatus, text: str) -> None:
        """Answer with a line for people."""
        self.send_body(text.encode(), ".txt", status)

    def end_of_head(
        self, suffix: str, length: int, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send the headers that every answer has, and some more."""
        self.send_header("Content-Type", _TYPES.get(suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(length))
        for name, value in {**self.headers_of_all, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _wanted(self, headers: Mapping[str, str]) -> str | None:
        """The range that is asked for, unless it is one of another version of the file."""
        version = self.headers.get("If-Range")
        if version is not None and version != headers.get("ETag"):
            return None
        return self.headers.get("Range")


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Begin and end of the bytes wanted; None if there are no such bytes."""
    match = _RANGE.fullmatch(header or "")
    if match is None or match[0] == "bytes=-":  # none, several, or another unit: the whole file
        return 0, size
    if not match[1]:
        begin, end = max(size - int(match[2]), 0), size
    else:
        begin = int(match[1])
        end = min(int(match[2]) + 1, size) if match[2] else size
    return (begin, end) if begin < end else None


def copy(source: BufferedIOBase | BinaryIO, target: BufferedIOBase | BinaryIO, length: int) -> None:
    """Copy bytes.

    Raises:
        ConnectionError: The source ended before.
    """
    while length > 0:
        block = source.read(min(length, _BLOCK))
        if not block:
            raise ConnectionError("the other side has gone")
        target.write(block)
        length -= len(block)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM, with which services are stopped, ends a server as Ctrl-C does: in good order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
