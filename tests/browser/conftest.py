"""A headless Chromium, and pages that remember what they fetched and what went wrong in them."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

import gscompress as gs
from gscompress.config import load_config
from gscompress.container import Index
from gscompress.viewer import ViewServer
from tests.browser.viewing import GAUSSIANS, HEIGHT, WIDTH

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",  # as root there is none
    "--disable-dev-shm-usage",  # in containers /dev/shm is small
    "--use-angle=swiftshader",  # WebGL without a GPU
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
)
SCENES = Path(__file__).parents[2] / "scenes"
LOCAL = ("127.0.0.1", "localhost", "[::1]")


@dataclass
class Watched:
    """A page and its record.

    Attributes:
        page: The page, of playwright.
        requests: The address of every request, in their order, without data: and blob:.
        errors: Errors on the console, exceptions that nobody caught, and requests that failed.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def external(self) -> list[str]:
        """Requests that left this machine."""
        return [url for url in self.requests if not _is_local(url)]

    def watch(self) -> None:
        """Start the record."""
        self.page.on("request", self._on_request)
        self.page.on("requestfailed", self._on_failure)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._on_console)

    def _on_request(self, request: Any) -> None:
        if urlsplit(request.url).scheme not in ("data", "blob"):
            self.requests.append(request.url)

    def _on_failure(self, request: Any) -> None:
        # Chromium reports a download as aborted where a worker that read it to its end is gone.
        if request.failure != "net::ERR_ABORTED":
            self.errors.append(f"failed: {request.url}: {request.failure}")

    def _on_console(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("file", "about") or parts.hostname in LOCAL


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, or a skip that says what is missing."""
    reason = "needs playwright (pip install 'gscompress[test]')"
    api = pytest.importorskip("playwright.sync_api", reason=reason)
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        except api.Error as error:
            first = str(error).strip().splitlines()[0]
            pytest.skip(f"needs Chromium (apt install chromium, or playwright install): {first}")
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Make pages: ``open_page(url, width=, height=, **context options)``; without url, blank."""
    contexts = []

    def open_(url: str = "", *, width: int = 1280, height: int = 800, **options: Any) -> Watched:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.watch()
        if url:
            watched.page.goto(url)
        return watched

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def static() -> Iterator[Any]:
    """A plain file server."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None: ...

    def start(folder: Path) -> str:
        handler = functools.partial(Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def cameras() -> list[Any]:
    chosen = gs.load_cameras(SCENES / "cameras.json")[:30:15]
    return [camera.resized(WIDTH, HEIGHT) for camera in chosen]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A cut of the demo scene, compressed and not, and a damaged one."""
    folder = tmp_path_factory.mktemp("scenes")
    scene = gs.load(SCENES / "demo.ply")
    opaque = np.argsort(-scene.opacity_logits - scene.log_scales.sum(axis=1))[:GAUSSIANS]
    scene = scene.select(np.sort(opaque))
    paths = {name: folder / name for name in ("cut.ply", "small.gsz", "other.spz", "bad.gsz")}
    gs.save(scene, paths["cut.ply"])
    gs.save(scene, paths["other.spz"])
    config = dataclasses.replace(load_config("fast"), levels=(0.1, 0.4))
    gs.compress(scene, config, device="cpu").save(paths["small.gsz"])
    data = bytearray(paths["small.gsz"].read_bytes())
    data[Index.read(paths["small.gsz"]).entries["quats"].offset] ^= 1
    paths["bad.gsz"].write_bytes(data)
    return paths


@pytest.fixture
def serve(cameras) -> Iterator[Any]:
    """Starts servers for files and gives their addresses."""
    servers = []

    def start(*paths: Path) -> str:
        server = ViewServer(paths, cameras=cameras)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.url

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def show(open_page, serve) -> Any:
    """Opens the viewer on files, and waits until they are drawn."""

    def open_(*paths: Path) -> Any:
        watched = open_page(serve(*paths), width=WIDTH, height=HEIGHT)
        watched.page.evaluate("viewer.ready")
        return watched

    return open_
