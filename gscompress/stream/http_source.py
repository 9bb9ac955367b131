"""The files of a clip on a host that is asked over HTTP.

Every wait has an end: a connection that says nothing for ``timeout`` seconds is broken, and all
that is asked for is asked for with a deadline.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Generator, Iterator
from urllib.parse import SplitResult, urljoin, urlsplit

import gscompress
from gscompress.errors import InputError, TransferError
from gscompress.stream.manifest import MANIFEST, MAX_BYTES
from gscompress.stream.source import Part, Refused

__all__ = ["HttpSource"]

_BLOCK = 1 << 16  # bytes
_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_PASSING = {408, 425, 429}
"""Refusals that another attempt may not meet."""
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-\d{1,19}/(?:\d{1,19}|\*)")


class HttpSource:
    """Files on a host; one connection is kept and used for all.

    Args:
        url: Of the clip's folder, or of its manifest.
        timeout: Seconds without a byte after which a connection is broken.

    Raises:
        InputError: The URL makes no sense.
    """

    remote = True

    def __init__(self, url: str, timeout: float) -> None:
        _split(url)
        path = urlsplit(url).path
        self._url = url if path.endswith(".json") else url.rstrip("/") + "/" + MANIFEST
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None
        self._host = ("", "")
        self._manifest_version = ""
        self._part_version = ("", "")

    @property
    def where(self) -> str:
        """The manifest, for messages."""
        return self._url

    def name(self, url: str) -> str:
        """A file of the clip, for messages."""
        return urljoin(self._url, url)

    def manifest(self, deadline: float) -> bytes | None:
        """The manifest; None if it is as it was when last asked for."""
        headers = {"If-None-Match": self._manifest_version} if self._manifest_version else {}
        response, address = self._get(self._url, headers, deadline)
        if response.status == http.client.NOT_MODIFIED:
            response.close()
            return None
        data = bytearray()
        with contextlib.closing(self._blocks(response, address, deadline)) as blocks:
            for block in blocks:
                data += block
                if len(data) > MAX_BYTES:
                    raise Refused(address, found="more bytes", expected=f"{MAX_BYTES} at most")
        # Only now, that it is all here; and files are beside it where it really is.
        self._manifest_version, self._url = response.getheader("ETag") or "", address
        return bytes(data)

    def part(self, url: str, start: int, deadline: float) -> Part:
        """A file of the clip from a byte on, if the host gives parts, or else all of it."""
        name = self.name(url)
        headers = {"Range": f"bytes={start}-"} if start else {}
        asked, version = self._part_version
        if start and asked == name and version.startswith('"'):  # W/ says nothing about bytes
            headers["If-Range"] = version
        response, address = self._get(name, headers, deadline)
        begin = _begin(response)
        if begin not in (0, start):
            response.close()
            self._drop()
            response, address = self._get(name, {}, deadline)
            if begin := _begin(response):
                response.close()
                self._drop()
                raise TransferError(name, found=f"bytes from {begin} on", expected="all of them")
        self._part_version = (name, response.getheader("ETag") or "")
        return Part(begin, self._blocks(response, address, deadline))

    def another(self) -> HttpSource:
        """The same place, with a connection of its own."""
        other = HttpSource(self._url, self._timeout)
        other._url = self._url  # where redirections led, whatever it is called
        return other

    def abort(self) -> None:
        """Break the connection, which another thread uses."""
        connection = self._connection
        if connection is not None:
            _break(connection)

    def close(self) -> None:
        """Close the connection."""
        self._drop()

    def _get(
        self, url: str, headers: dict[str, str], deadline: float
    ) -> tuple[http.client.HTTPResponse, str]:
        """The head of an answer that is of use, and where it was found after redirections."""
        address = url
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._ask(address, headers, deadline)
            status = response.status
            if status in (200, 206, 304):
                return response, address
            response.close()
            self._drop()
            if status in _REDIRECTS and (target := response.getheader("Location")):
                address = urljoin(address, target)
                continue
            kind = Refused if 400 <= status < 500 and status not in _PASSING else TransferError
            raise kind(
                address,
                found=f"{status} {response.reason}",
                expected="200 OK",
                remedy="Check the address.",
            )
        raise Refused(url, found=f"more than {_MAX_REDIRECTS} redirections")

    def _ask(self, url: str, headers: dict[str, str], deadline: float) -> http.client.HTTPResponse:
        parts = _split(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": f"gscompress/{gscompress.__version__}", **headers}
        try:
            connection, used = self._connect(parts, url, deadline)
            with _limited(connection, deadline - time.monotonic()):
                try:
                    connection.request("GET", target, headers=headers)
                    return connection.getresponse()
                except ConnectionError:
                    if not used:
                        raise
            # A connection that was kept may have ended meanwhile; that is no failure.
            self._drop()
            connection, _ = self._connect(parts, url, deadline)
            with _limited(connection, deadline - time.monotonic()):
                connection.request("GET", target, headers=headers)
                return connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._drop()
            raise TransferError(url, found=_reason(error), expected="an answer") from error

    def _connect(
        self, parts: SplitResult, url: str, deadline: float
    ) -> tuple[http.client.HTTPConnection, bool]:
        """A connection, and whether it was used before."""
        wait = self._wait(url, deadline)
        host = (parts.scheme, parts.netloc)
        if self._connection is None or self._host != host or self._connection.sock is None:
            self._drop()
            kind = (
                http.client.HTTPSConnection
                if parts.scheme == "https"
                else http.client.HTTPConnection
            )
            self._connection = kind(parts.hostname or "", parts.port, timeout=wait)
            self._connection.connect()
            self._host = host
            return self._connection, False
        self._connection.sock.settimeout(wait)
        return self._connection, True

    def _blocks(
        self, response: http.client.HTTPResponse, url: str, deadline: float
    ) -> Generator[bytes, None, None]:
        """The body; afterwards the connection can be used again."""
        left = response.length  # None: unknown
        whole = False
        try:
            while left is None or left > 0:
                connection = self._connection
                if connection is not None and connection.sock is not None:
                    connection.sock.settimeout(self._wait(url, deadline))
                block = response.read1(_BLOCK if left is None else min(left, _BLOCK))
                if not block:
                    break
                left = None if left is None else left - len(block)
                yield block
            if left:
                raise TransferError(url, found="its end", expected=f"{left} more bytes")
            whole = not response.will_close
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TransferError(url, found=_reason(error), expected="its bytes") from error
        finally:
            response.close()
            if not whole:
                self._drop()

    def _wait(self, url: str, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TransferError(url, found="nothing in time")
        return min(self._timeout, left)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _begin(response: http.client.HTTPResponse) -> int:
    """Which byte of the file an answer begins with; -1: it does not say."""
    if response.status != http.client.PARTIAL_CONTENT:
        return 0
    match = _CONTENT_RANGE.match(response.getheader("Content-Range") or "")
    return int(match[1]) if match else -1


@contextlib.contextmanager
def _limited(connection: http.client.HTTPConnection, seconds: float) -> Iterator[None]:
    """Break a connection when its time is over, even if the other side trickles bytes."""
    timer = threading.Timer(max(seconds, 0.0), _break, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _break(connection: http.client.HTTPConnection) -> None:
    """Wake up who waits for a connection; only its own thread closes it."""
    with contextlib.suppress(OSError, AttributeError):  # it may just be closed
        connection.sock.shutdown(socket.SHUT_RDWR)


def _split(url: str) -> SplitResult:
    """The parts of a URL that can be asked for.

    Raises:
        InputError: It is not of http or https, has no host, or has a password.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or "@" in parts.netloc or not url.isascii() or re.search(r"[\s\x00-\x1f]", url):
        raise InputError(
            url, found="such a URL", expected="http://HOST/CLIP/ or https://HOST/CLIP/"
        )
    return parts


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text) or type(error).__name__
