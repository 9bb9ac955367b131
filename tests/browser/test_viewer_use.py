"""The viewer in the hands of its users: files that they drop, keys, fingers, slow networks."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gscompress as gs
from gscompress.container import Index
from gscompress.io.ply import FLAT_LOG_SCALE
from gscompress.metrics.psnr import psnr
from gscompress.viewer import export_viewer
from tests.browser.viewing import GAUSSIANS, HEIGHT, WIDTH, drop, names, native, picture, until
from tests.io.test_ksplat import spell_out

DROPPED = ("gsz", "ply", "compressed.ply", "splat", "spz", "sog", "glb", "gltf")
LEAST_PSNR = 45.0  # dB against the native render of what our own reader gives


@pytest.fixture(scope="session")
def formats(files, tmp_path_factory) -> dict[str, Path]:
    """The cut of the demo scene in each format that is written, as .ksplat, and as of 2DGS."""
    folder = tmp_path_factory.mktemp("formats")
    scene = gs.load(files["cut.ply"])
    paths = {ending: folder / f"scene.{ending}" for ending in (*DROPPED, "ksplat", "flat.ply")}
    for ending in DROPPED:
        gs.save(scene, paths[ending])
    paths["ksplat"].write_bytes(spell_out(scene))
    flat = scene.log_scales.copy()
    flat[:, 2] = FLAT_LOG_SCALE
    gs.save(scene.replace(log_scales=flat, mode="2dgs"), paths["flat.ply"])
    return paths


def test_every_format_can_be_dropped(show, files, formats, cameras) -> None:
    """What is shown is what our own reader reads, whichever of the two programs reads it."""
    watched = show(files["cut.ply"])
    page = watched.page
    page.evaluate("viewer.moveSplit(0)")
    for path in formats.values():
        drop(page, path)
        assert not page.locator("#message").is_visible(), page.inner_text("#message")
        assert names(page) == ["cut.ply", path.name]
        scene = gs.load(path)
        if scene.mode == "2dgs":  # the page draws them as very flat Gaussians of 3DGS
            scene = scene.replace(mode="default")
        assert page.evaluate("viewer.state.sides[1].count") == len(scene)
        page.evaluate("viewer.stage.settled()")
        assert psnr(picture(page), native(scene, cameras[0])) >= LEAST_PSNR, path.name
        assert f"{path.stat().st_size:,} bytes" in page.inner_text("#stats")
    assert watched.errors == watched.external == []


def test_a_packed_ply_is_known_by_its_content(show, files, formats) -> None:
    """Programs give packed PLYs plain names; and there is no ending at all."""
    page = show(files["cut.ply"]).page
    for source, name in [
        (formats["compressed.ply"], "packed.ply"),
        (formats["compressed.ply"], "PACKED"),
        (files["small.gsz"], "no-ending"),
    ]:
        drop(page, source, name=name)
        assert not page.locator("#message").is_visible()
        assert names(page)[1] == name


def test_damaged_drops_are_told_and_change_nothing(show, files, formats, tmp_path) -> None:
    page = show(files["cut.ply"]).page
    message = page.locator("#message")
    for ending in ("gsz", "ply", "compressed.ply", "spz", "sog", "glb", "ksplat"):
        path = tmp_path / f"half.{ending}"
        path.write_bytes(formats[ending].read_bytes()[: formats[ending].stat().st_size // 2])
        drop(page, path)
        assert message.is_visible()
        assert message.inner_text().startswith(f"half.{ending}: ")
        assert len(message.inner_text()) > len(path.name) + 20
        assert names(page) == ["cut.ply"]
    drop(page, tmp_path / "half.gsz", tmp_path / "half.spz")
    assert "half.gsz: " in message.inner_text()
    assert "\nhalf.spz: " in message.inner_text()
    drop(page, formats["ply"])
    assert not message.is_visible()


def test_two_scenes_and_cameras_are_dropped_at_once(show, files, formats, tmp_path) -> None:
    watched = show(files["cut.ply"], files["small.gsz"])
    page = watched.page
    cameras = tmp_path / "Cameras.JSON"
    pose = {"position": [0, 0, -3], "rotation": np.eye(3).tolist(), "fx": 300, "fy": 300}
    size = {"width": 400, "height": 300}
    cameras.write_text(
        json.dumps([{"id": k, "img_name": f"own {k}", **size, **pose} for k in range(3)])
    )
    drop(page, formats["spz"], cameras, formats["splat"])
    assert names(page) == ["scene.spz", "scene.splat"]
    assert page.locator("#camera option").all_text_contents() == ["own 0", "own 1", "own 2"]
    assert page.evaluate("viewer.stage.pose.position") == pytest.approx([0, 0, -3])
    (tmp_path / "wrong.json").write_text('{"frames": []}')
    drop(page, tmp_path / "wrong.json")
    assert page.inner_text("#message").startswith("wrong.json: no cameras.json")
    assert page.locator("#camera option").count() == 3
    assert watched.external == []


def test_the_divider_is_a_slider_for_all_hands(show, files) -> None:
    watched = show(files["cut.ply"], files["small.gsz"])
    page = watched.page
    slider = page.get_by_role("slider", name="Split between the two scenes")
    assert slider.get_attribute("aria-valuemin") == "0"
    assert slider.get_attribute("aria-valuemax") == "100"
    assert slider.get_attribute("aria-orientation") == "horizontal"

    def now() -> int:
        value = int(slider.get_attribute("aria-valuenow"))
        assert value == round(100 * page.evaluate("viewer.stage.split"))
        assert slider.get_attribute("aria-valuetext") == f"{value}% to the left scene"
        assert slider.evaluate("e => parseFloat(e.style.left)") == pytest.approx(value, abs=0.5)
        return value

    assert now() == 50
    slider.focus()
    for key, value in [
        ("ArrowLeft", 48), ("ArrowDown", 46), ("ArrowRight", 48), ("ArrowUp", 50), ("PageUp", 60),
        ("PageDown", 50), ("End", 100), ("ArrowRight", 100), ("Home", 0), ("ArrowLeft", 0),
    ]:  # fmt: skip
        page.keyboard.press(key)
        assert now() == value, key
    page.locator("#canvas").focus()
    page.keyboard.press("ArrowRight")  # without the focus, too
    assert now() == 2
    page.keyboard.press("s")
    assert not slider.is_visible()
    page.keyboard.press("s")
    assert slider.is_visible()


def test_fingers(browser, serve, files) -> None:
    """One finger moves the divider, also beside its line; one turns, two zoom."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, has_touch=True)
    page = context.new_page()
    page.goto(serve(files["cut.ply"], files["small.gsz"]))
    page.evaluate("viewer.ready")
    session = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    middle = WIDTH / 2
    touch("touchStart", (middle + 10, 120))
    touch("touchMove", (middle + 40, 125))
    touch("touchMove", (0.25 * WIDTH, 125))
    touch("touchEnd")
    assert page.evaluate("viewer.stage.split") == pytest.approx(0.25, abs=0.02)
    place = "[viewer.stage.pose.position, viewer.stage.target]"

    def distance() -> float:
        return float(np.linalg.norm(np.subtract(*page.evaluate(place))))

    position, before = page.evaluate(place)[0], distance()
    touch("touchStart", (150, 90))
    touch("touchMove", (190, 100))
    touch("touchEnd")
    assert np.linalg.norm(np.subtract(page.evaluate(place)[0], position)) > 0.01
    assert distance() == pytest.approx(before)
    touch("touchStart", (140, 90), (160, 90))
    touch("touchMove", (120, 90), (180, 90))
    touch("touchEnd")
    assert distance() == pytest.approx(before / 3, rel=0.05)
    context.close()


def test_keys_for_cameras_and_the_help(show, files) -> None:
    page = show(files["cut.ply"]).page
    camera = "viewer.state.camera"
    for key, number in [("PageDown", 1), ("]", 0), ("PageUp", 1), ("[", 0)]:
        page.keyboard.press(key)
        assert page.evaluate(camera) == number, key
    page.evaluate(  # as keyboards have it on which brackets need AltGr
        """dispatchEvent(Object.assign(new KeyboardEvent("keydown", {
          key: "]", ctrlKey: true, altKey: true, modifierAltGraph: true })))"""
    )
    assert page.evaluate(camera) == 1
    page.locator("#camera").select_option(index=0)
    assert page.evaluate(camera) == 0
    page.locator("#next").click()  # the panels leave room for each other, narrow as the page is
    assert page.evaluate(camera) == 1
    page.keyboard.press("?")
    listed = page.locator("#keys kbd").all_text_contents()
    assert {"[", "]", "PgUp", "PgDn", "s", "x", "\u2190", "\u2192", "b", "r", "h", "f", "?"} == set(
        listed
    )
    page.keyboard.press("]")
    assert page.evaluate(camera) == 1  # the keys rest while they are read
    page.keyboard.press("?")
    assert not page.locator("#help").is_visible()


@dataclass
class Slow:
    """A host that keeps the end of some files back.

    Attributes:
        url: Its address.
        held: By the end of a path, how many bytes are sent before it waits.
        go: Set, it waits no more.
    """

    url: str = ""
    held: dict[str, int] = field(default_factory=dict)
    go: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def slow_host() -> Iterator[Callable[[Path], Slow]]:
    """Serves a folder slowly."""
    hosts = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        host: Slow

        def log_message(self, *args: object) -> None: ...

        def copyfile(self, source: Any, outputfile: Any) -> None:
            for end, size in self.host.held.items():
                if self.path.endswith(end):
                    outputfile.write(source.read(size))
                    outputfile.flush()
                    self.host.go.wait(60)
            super().copyfile(source, outputfile)

    def start(folder: Path) -> Slow:
        host = Slow()
        own = type("Own", (Handler,), {"host": host})
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(own, directory=str(folder))
        )
        host.url = f"http://127.0.0.1:{server.server_port}/"
        hosts.append((server, host))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return host

    yield start
    for server, host in hosts:
        host.go.set()
        server.shutdown()
        server.server_close()


def test_a_scene_is_shown_while_it_arrives(open_page, slow_host, files, cameras, tmp_path) -> None:
    """Its first level as soon as that is there; the folder lies below the root of its host."""
    export_viewer([files["small.gsz"]], tmp_path / "a b" / "site", cameras=cameras)
    host = slow_host(tmp_path)
    index = Index.read(files["small.gsz"])
    first, *_, whole = index.header["levels"]
    begin = index.level_ends()[0]
    size = files["small.gsz"].stat().st_size
    host.held["small.gsz"] = begin
    assert begin < 0.5 * size
    watched = open_page(host.url + "a%20b/site/", width=WIDTH, height=HEIGHT)
    page = watched.page
    until(page, "viewer.state.sides[0]?.count > 0")
    page.evaluate("viewer.stage.settled()")
    assert page.evaluate("viewer.state.sides[0].count") == first < whole == GAUSSIANS
    bar = page.get_by_role("progressbar", name="Loading small.gsz")
    assert float(bar.get_attribute("value")) == begin
    assert float(bar.get_attribute("max")) == size
    assert "level 1 of 3" in page.inner_text("#stats")
    assert "MB here" in page.inner_text("#stats")
    coarse = gs.decompress(files["small.gsz"], level=0)
    assert psnr(picture(page), native(coarse, cameras[0])) >= LEAST_PSNR
    host.go.set()
    page.evaluate("viewer.ready")
    page.evaluate("viewer.stage.settled()")
    assert not bar.is_visible()
    assert page.evaluate("viewer.state.sides[0].count") == whole
    fine = gs.decompress(files["small.gsz"])
    assert psnr(picture(page), native(fine, cameras[0])) >= LEAST_PSNR
    assert watched.errors == watched.external == []


def test_what_is_opened_last_is_shown(open_page, slow_host, files, formats, tmp_path) -> None:
    """A drop takes the place of what is still arriving, of which nothing appears any more."""
    export_viewer([files["cut.ply"], files["small.gsz"]], tmp_path / "site")
    host = slow_host(tmp_path / "site")
    host.held["small.gsz"] = Index.read(files["small.gsz"]).level_ends()[0]
    watched = open_page(host.url, width=WIDTH, height=HEIGHT)
    page = watched.page
    until(page, "viewer.state.sides[1]?.count > 0")
    page.keyboard.press("x")  # the sides are exchanged while one of them arrives
    assert names(page) == ["small.gsz", "cut.ply"]
    page.keyboard.press("x")
    drop(page, formats["gsz"], name="dropped.gsz")
    host.go.set()
    page.evaluate("viewer.ready")
    page.evaluate("viewer.stage.settled()")
    assert names(page) == ["cut.ply", "dropped.gsz"]
    assert page.evaluate("viewer.state.sides[1].count") == GAUSSIANS
    assert page.evaluate("viewer.stage.shows[1].sorter.total") == GAUSSIANS
    assert not page.locator("#message").is_visible()
    assert not page.locator("progress").first.is_visible()
    drop(page, formats["spz"])  # nobody is there who reads it
    assert "gscompress convert" in page.inner_text("#message")
    assert watched.errors == []


def test_what_cannot_work_says_why(open_page, serve, files, tmp_path) -> None:
    """No WebGL; and opened from a disk, where browsers run no modules."""
    watched = open_page()
    watched.page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null;")
    watched.page.goto(serve(files["cut.ply"]))
    watched.page.wait_for_selector("#message:not([hidden])")
    assert "WebGL2" in watched.page.inner_text("#message")
    export_viewer([files["small.gsz"]], tmp_path / "site")
    watched = open_page((tmp_path / "site" / "index.html").as_uri())
    hint = watched.page.locator("#unstarted")
    assert not hint.is_visible()  # not at once: on most hosts it would flash up
    hint.wait_for(state="visible")
    assert "python -m http.server" in hint.inner_text()
