"""Serves clips over HTTP: to players in browsers, to our receiver, and live while they are encoded.

Any static host can serve a finished clip. This one adds what such hosts seldom have: entity tags
from the SHA-256 in the manifest, the right cache headers, and a WebSocket that pushes the segments
of a clip as an encoder appends them. Read-only: what is given out is the manifest, and the files
that it names.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from gscompress._serving import FileHandler, FileServer
from gscompress.errors import CorruptFileError, InputError
from gscompress.files import StrPath
from gscompress.stream.manifest import MANIFEST, Segment
from gscompress.stream.served import ServedClip
from gscompress.stream.websocket import (
    GOING_AWAY,
    NORMAL,
    SERVER_ERROR,
    Closed,
    PushSocket,
    accept_key,
)

__all__ = ["HOST", "ClipServer"]

HOST = "127.0.0.1"
LIVE = "live"
MAX_CONNECTIONS = 256

_IDLE = 60.0  # seconds
_LOOK = 0.1  # seconds between looks at a manifest that grows
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.~-]{0,254}", re.ASCII)
_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.:\[\]-]+", re.ASCII)
_IMMUTABLE = "public, max-age=31536000, immutable"

_log = logging.getLogger(__name__)


class ClipServer(FileServer):
    """An HTTP server for a clip, or for the clips in a folder.

    Args:
        folder: A clip's folder; or one whose folders are clips, which are then at ``/NAME/``.
        host: The address to listen on. By default only this machine is answered.
        port: The port to listen on; 0: any free one.
        allow_origin: The origin whose pages may read the clips; ``*``: all.

    Raises:
        InputError: There is no clip, its manifest is damaged, or there is no such origin.
        OSError: The port is taken.
    """

    def __init__(
        self, folder: StrPath, *, host: str = HOST, port: int = 0, allow_origin: str = "*"
    ) -> None:
        if not _ORIGIN.fullmatch(allow_origin):
            raise InputError(
                "origin", found=ascii(allow_origin), expected="*, or such as https://example.org"
            )
        self.folder = Path(folder)
        self.allow_origin = allow_origin
        self.stopping = threading.Event()
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._lock = threading.Lock()
        self._clips: dict[str, ServedClip] = {}
        self.single = (self.folder / MANIFEST).is_file()
        if self.single:
            self._clips[""] = ServedClip(self.folder)
        elif not self.names():
            raise InputError(
                self.folder,
                found="no clip",
                expected=f"{MANIFEST} in it, or in folders in it",
                remedy="Make a clip with 'gscompress stream encode'.",
            )
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """The address of the clip, or of the list of clips."""
        host = str(self.server_address[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/"

    def names(self) -> list[str]:
        """The names of the clips that are there now; the only one has the name ''."""
        if self.single:
            return [""]
        try:
            found = sorted(os.listdir(self.folder))
        except OSError as error:
            raise InputError(self.folder, found=error.strerror or error) from error
        return [n for n in found if _NAME.fullmatch(n) and (self.folder / n / MANIFEST).is_file()]

    def clip(self, name: str) -> ServedClip | None:
        """The clip of a name, if it is there."""
        with self._lock:
            if name not in self._clips and name in self.names():
                try:
                    self._clips[name] = ServedClip(self.folder / name)
                except (InputError, OSError) as error:
                    _log.warning("%s", error)
            return self._clips.get(name)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, unless there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection until it ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def server_close(self) -> None:
        """Stop listening, and end what is pushed."""
        self.stopping.set()
        super().server_close()


class _Handler(FileHandler):
    server: ClipServer
    timeout = _IDLE

    def do_GET(self) -> None:
        try:
            self._answer()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    do_HEAD = do_GET

    def do_OPTIONS(self) -> None:
        """Browsers ask whether they may."""
        self.send_response(HTTPStatus.NO_CONTENT)
        self.send_header("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
        self.send_header("Access-Control-Allow-Headers", "Range, If-Range, If-None-Match")
        self.send_header("Access-Control-Max-Age", "86400")
        self.end_headers()

    def end_headers(self) -> None:
        """Every answer, errors included, says which pages may read it."""
        self.send_header("Access-Control-Allow-Origin", self.server.allow_origin)
        if self.server.allow_origin != "*":
            self.send_header("Vary", "Origin")
        self.send_header(
            "Access-Control-Expose-Headers", "Accept-Ranges, Content-Length, Content-Range, ETag"
        )
        self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
        super().end_headers()

    def _answer(self) -> None:
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # its body is not read
        path = unquote(urlsplit(self.path).path).removeprefix("/")
        if path == "":
            self._list()
            return
        name, _, rest = ("", "", path) if self.server.single else path.partition("/")
        clip = self.server.clip(name)
        edition = clip.edition() if clip else None
        if clip is None or edition is None:
            self._not_found(path)
        elif rest == MANIFEST:
            headers = {"ETag": edition.tag, "Cache-Control": "no-cache"}
            if not self._unchanged(headers):
                self.send_body(edition.data, ".json", headers=headers)
        elif rest == LIVE:
            self._live(clip)
        elif rest in edition.segments:
            self._segment(clip, edition.segments[rest])
        else:
            self._not_found(path)

    def _not_found(self, path: str) -> None:
        self.send_text(HTTPStatus.NOT_FOUND, f"There is no {path!r} here.")

    def _list(self) -> None:
        """The clips, for programs that look for them."""
        clips = []
        for name in self.server.names():
            if (clip := self.server.clip(name)) is not None:
                manifest, at = clip.edition().manifest, f"{name}/" if name else ""
                clips.append(
                    {
                        "manifest": at + MANIFEST,
                        "live": at + LIVE,
                        "frames": manifest.frames,
                        "complete": manifest.complete,
                    }
                )
        self.send_body(
            msgspec.json.encode({"clips": clips}), ".json", headers={"Cache-Control": "no-cache"}
        )

    def _segment(self, clip: ServedClip, segment: Segment) -> None:
        headers = {"ETag": f'"{segment.sha256}"', "Cache-Control": _IMMUTABLE}
        if self._unchanged(headers):
            return
        try:
            path = clip.path(segment)
        except CorruptFileError as error:
            _log.warning("%s", error)
            self.send_text(HTTPStatus.NOT_FOUND, str(error))  # asking again is of no use
        else:
            self.send_file(path, headers)

    def _unchanged(self, headers: dict[str, str]) -> bool:
        """Say so, if the asker has this version already."""
        known = (tag.strip() for tag in self.headers.get("If-None-Match", "").split(","))
        if not {tag.removeprefix("W/") for tag in known} & {headers["ETag"], "*"}:
            return False
        self.send_response(HTTPStatus.NOT_MODIFIED)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        return True

    def _live(self, clip: ServedClip) -> None:
        """Push segments, and each new one when it appears."""
        key = accept_key(self.headers) if self.command == "GET" else None
        first = parse_qs(urlsplit(self.path).query).get("from", [""])[0]
        if self.server.allow_origin not in (
            "*",
            self.headers.get("Origin", self.server.allow_origin),
        ):
            self.send_text(HTTPStatus.FORBIDDEN, "Pages of this origin may not.")
        elif key is None or not re.fullmatch(r"[0-9]{0,7}", first):
            self.close_connection = True
            body = b"A WebSocket (RFC 6455) that pushes segments; ?from=FRAME\n"
            self.send_body(body, ".txt", HTTPStatus.UPGRADE_REQUIRED, {"Upgrade": "websocket"})
        else:
            self.close_connection = True
            self.send_response(HTTPStatus.SWITCHING_PROTOCOLS)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", key)
            self.end_headers()
            push = PushSocket(self.connection, _IDLE)
            try:
                self._push(clip, push, int(first) if first else None)
            except Closed as end:
                _log.debug("live: %s", end)
            except (InputError, OSError) as error:
                _log.warning("%s", error)
                push.close(SERVER_ERROR, "a segment is damaged")

    def _push(self, clip: ServedClip, push: PushSocket, first: int | None) -> None:
        for segment in self._appearing(clip, push, first):
            data = clip.path(segment).read_bytes()
            push.send_text(msgspec.json.encode(segment))
            push.send_binary(data)

    def _appearing(
        self, clip: ServedClip, push: PushSocket, first: int | None
    ) -> Iterator[Segment]:
        """Segments from the group of the frame ``first`` on, or from the last group there is."""
        manifest = clip.edition().manifest
        last = manifest.frames - 1
        wanted = last if first is None else min(first, last)
        group = manifest.group_index(wanted) if last >= 0 else 0
        index = 0
        while not self.server.stopping.is_set():
            manifest = clip.edition().manifest
            for number, place, segment in manifest.segments_from(group, index):
                yield segment
                group, index = number, place + 1
                push.listen(0)
            if manifest.complete:
                push.close(NORMAL, "complete")
                return
            push.listen(_LOOK)
        push.close(GOING_AWAY, "the server ends")
