"""Serves the viewer to browsers on this machine: the site, the given files, and nothing else."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from gscompress._serving import FileHandler, FileServer, copy
from gscompress.cameras import Camera
from gscompress.errors import GscompressError
from gscompress.files import StrPath
from gscompress.stream.manifest import MANIFEST
from gscompress.viewer.clips import CLIP, only_clip, open_clip
from gscompress.viewer.scenes import ShownFile, manifest, site_files

__all__ = ["ViewServer"]

HOST = "127.0.0.1"
MAX_UPLOAD = 1 << 32  # bytes
_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
)


class ViewServer(FileServer):
    """An HTTP server on the loopback interface that shows scenes.

    What can be fetched is a fixed table of paths made here, so that no request leads elsewhere.

    Args:
        paths: The scenes, one or two, the first on the left; or a clip: its folder, its manifest,
            or the URL of either, from where its files are fetched when the page wants them.
        cameras: From where they can be looked at.
        port: Where to listen; 0: any free port.

    Raises:
        InputError: A file cannot be read, or is of no known format.
        UsageError: There are no scenes, or more than two.
        OSError: The port is taken.
    """

    def __init__(
        self, paths: Sequence[StrPath], *, cameras: Sequence[Camera] = (), port: int = 0
    ) -> None:
        clip = only_clip(paths)
        self.clip = None if clip is None else open_clip(clip)
        self.shown = [] if self.clip else ShownFile.check([Path(path) for path in paths])
        self.site = site_files()
        urls = [f"files/{number}/{quote(file.url_name)}" for number, file in enumerate(self.shown)]
        self.files = {f"files/{k}/{file.url_name}": k for k, file in enumerate(self.shown)}
        self.document = json.dumps(
            manifest(
                self.shown,
                urls,
                cameras,
                convert="convert",
                clip=self.clip.name if self.clip else None,
            ),
            allow_nan=False,
        ).encode()
        self.scratch = tempfile.TemporaryDirectory(prefix="gscompress-view-")
        self._converting = threading.Lock()
        self._readable: dict[int, Path] = {}
        try:
            super().__init__((HOST, port), _Handler)
        except BaseException:
            self.scratch.cleanup()
            raise

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    def readable(self, number: int) -> Path:
        """The scene ``number`` in a format that the page reads; converted when first asked for."""
        with self._converting:
            if number not in self._readable:
                folder = Path(self.scratch.name) / str(number)
                self._readable[number] = self.shown[number].write_to(folder)
            return self._readable[number]

    def server_close(self) -> None:
        """Stop listening, remove what was converted, and let go of connections."""
        super().server_close()
        self.scratch.cleanup()
        if self.clip is not None:
            self.clip.close()


class _Handler(FileHandler):
    server: ViewServer
    headers_of_all: ClassVar = {
        **FileHandler.headers_of_all,
        "Content-Security-Policy": _POLICY,
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, respond: Callable[[], None]) -> None:
        """Refuse strangers, then respond; a scene that cannot be read is told as text."""
        try:
            if not self._is_local():
                self.send_text(HTTPStatus.FORBIDDEN, "This server answers to its own page only.")
            else:
                respond()
        except GscompressError as error:
            self.send_text(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except ConnectionError:
            self.close_connection = True

    def _is_local(self) -> bool:
        """Whether the page asks: other sites may resolve their names to this machine."""
        port = self.server.server_port
        hosts = {f"{host}:{port}" for host in (HOST, "localhost")}
        origin = self.headers.get("Origin")
        return self.headers.get("Host") in hosts and (
            origin is None or urlsplit(origin).netloc in hosts
        )

    def _get(self) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix("/") or "index.html"
        if path == "scene.json":
            self.send_body(self.server.document, ".json")
        elif path in self.server.files:
            self.send_file(self.server.readable(self.server.files[path]))
        elif path in self.server.site:
            self.send_file(self.server.site[path])
        elif not self._get_of_clip(path):
            self.send_text(HTTPStatus.NOT_FOUND, f"There is no {path!r} here.")

    def _get_of_clip(self, path: str) -> bool:
        """Send a file of the clip; False: it is none."""
        clip = self.server.clip
        if clip is None or not path.startswith(CLIP):
            return False
        url = path.removeprefix(CLIP)
        if url == MANIFEST:
            self.send_body(clip.manifest(), ".json")
            return True
        found = clip.segment(url)
        if isinstance(found, Path):
            self.send_file(found)
        elif found is not None:
            self.send_body(found, ".gsr")
        return found is not None

    def _post(self) -> None:
        """A dropped file of another format: its bytes in, a PLY out."""
        parts = urlsplit(self.path)
        length = self.headers.get("Content-Length", "")
        self.close_connection = True  # whatever of the body is not read
        if parts.path != "/convert":
            self.send_text(HTTPStatus.NOT_FOUND, "Only /convert takes files.")
        elif not length.isascii() or not length.isdigit() or int(length) > MAX_UPLOAD:
            self.send_text(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Files have at most {MAX_UPLOAD} bytes."
            )
        else:
            name = Path(parse_qs(parts.query).get("name", ["scene"])[0]).name or "scene"
            with tempfile.TemporaryDirectory(dir=self.server.scratch.name) as folder:
                source = Path(folder) / "given" / name
                source.parent.mkdir()
                with source.open("wb") as file:
                    copy(self.rfile, file, int(length))
                (shown,) = ShownFile.check([source])
                self.send_file(shown.write_to(Path(folder)))
