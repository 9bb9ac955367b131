"""The player of clips in a real browser."""

from __future__ import annotations

import base64
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

import gscompress as gs
from gscompress.metrics.psnr import psnr
from gscompress.stream.clip import Clip
from gscompress.viewer import ViewServer, export_viewer
from tests.stream.clips import serving
from tests.viewer.breaking import breaking
from tests.viewer.moving import FRAMES, SECOND_KEY, damage, write_moving_clip

SCENES = Path(__file__).parents[2] / "scenes"
WIDTH, HEIGHT = 240, 180
GAUSSIANS = 1500
LEAST_PSNR = 45.0  # dB; the bar is 30, half floats and 8 bits give about 55
SLOW = 4.0  # frames per second: hardly any is skipped, though rendering is slow


@pytest.fixture(scope="module")
def cameras() -> list[Any]:
    chosen = gs.load_cameras(SCENES / "cameras.json")[:30:15]
    return [camera.resized(WIDTH, HEIGHT) for camera in chosen]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, cameras) -> Path:
    """Ten frames of a cut of the demo scene."""
    scene = gs.load(SCENES / "demo.ply")
    opaque = np.argsort(-scene.opacity_logits - scene.log_scales.sum(axis=1))[:GAUSSIANS]
    folder = tmp_path_factory.mktemp("clips") / "moving"
    small = [camera.resized(WIDTH // 2, HEIGHT // 2) for camera in cameras]
    write_moving_clip(folder, scene.select(np.sort(opaque)), small, fps=SLOW)
    return folder


@pytest.fixture(scope="module")
def frames(clip) -> list[gs.Gaussians]:
    with Clip.open(clip) as opened:
        return list(opened.frames())


@pytest.fixture
def show(open_page, cameras) -> Iterator[Any]:
    """Opens the viewer on a clip, and waits for its first frame."""
    servers = []

    def open_(place: Path | str) -> Any:
        server = ViewServer([place], cameras=cameras)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        watched = open_page(server.url, width=WIDTH, height=HEIGHT)
        watched.page.evaluate("viewer.ready")
        return watched

    yield open_
    for server in servers:
        server.shutdown()
        server.server_close()


def psnr_of(shot: np.ndarray, frame: gs.Gaussians, camera: Any) -> float:
    native = np.clip(np.asarray(gs.render(frame, camera)), 0, 1)
    return psnr(shot[..., :3].astype(np.float32) / 255, native)


def assert_shows(page: Any, frame: gs.Gaussians, camera: Any) -> None:
    """The page without its panels is our own render of a frame."""
    page.evaluate("document.body.classList.add('plain')")
    page.evaluate("viewer.player.settled()")
    shot = iio.imread(page.screenshot())
    page.evaluate("document.body.classList.remove('plain')")
    assert psnr_of(shot, frame, camera) >= LEAST_PSNR


def test_ten_frames_look_as_our_own_renders(show, clip, frames, cameras):
    watched = show(clip)
    page = watched.page
    assert_shows(page, frames[0], cameras[0])
    shown = page.evaluate(
        """async () => {
          const { player } = viewer;
          const numbers = [];
          const { onChange } = player;
          player.onChange = () => {
            numbers.push(player.number);
            onChange();
          };
          player.setLoops(false);
          player.play();
          while (player.playing) await new Promise((resolve) => { setTimeout(resolve, 20); });
          return numbers;
        }"""
    )
    assert shown == sorted(shown)
    assert shown[-1] == FRAMES - 1
    assert len(set(shown)) > FRAMES // 2  # a busy machine may skip some
    assert_shows(page, frames[-1], cameras[0])
    assert page.evaluate("viewer.player.errors") == []
    text = page.inner_text("#stats")
    sizes = [segment.bytes for segment in Clip.open(clip).manifest.segments()]
    assert f"frame {FRAMES} of {FRAMES}, 4 per second" in text
    assert f"{sizes[-1]:,} bytes of {sum(sizes):,}" in text
    assert f"{len(frames[-1]):,} Gaussians, degree 3" in text
    assert "decoded in" in text
    # Births and deaths, and from another camera.
    page.evaluate("viewer.chooseCamera(1)")
    page.evaluate("viewer.player.seek(5)")
    assert_shows(page, frames[5], cameras[1])
    assert len(frames[5]) != len(frames[0])
    page.evaluate("viewer.player.seek(2)")
    assert_shows(page, frames[2], cameras[1])
    assert watched.errors == []
    assert watched.external == []


def test_a_paused_frame_is_the_one_whose_number_is_told(show, clip, frames, cameras):
    """Wherever it is paused, and though the camera has just been turned."""
    page = show(clip).page
    for milliseconds in (30, 700, 260):
        number = page.evaluate(
            """async (milliseconds) => {
              const { player, chooseCamera } = viewer;
              player.play();
              await new Promise((resolve) => { setTimeout(resolve, milliseconds); });
              chooseCamera(1);
              player.pause();
              chooseCamera(0);
              return player.settled();
            }""",
            milliseconds,
        )
        assert number == page.evaluate("viewer.player.number")
        assert_shows(page, frames[number], cameras[0])


def test_no_drawing_mixes_two_frames(show, clip, frames, cameras):
    """While the camera turns, that is all the time; some are born and die, and a group begins."""
    page = show(clip).page
    page.evaluate("viewer.player.seek(1)")
    shots = page.evaluate(
        """async (until) => {
          const { stage, player } = viewer;
          const shots = [];
          const draw = stage.renderer.draw.bind(stage.renderer);
          stage.renderer.draw = (...all) => {
            draw(...all);
            shots.push(stage.canvas.toDataURL());
          };
          while (player.number < until) {
            let turns = true;
            const turned = (async () => { while (turns) await stage.redraw(); })();
            await player.step(1);
            turns = false;
            await turned;
          }
          stage.renderer.draw = draw;
          return shots;
        }""",
        SECOND_KEY + 1,
    )
    seen, number = [], 1
    for url in shots:
        image = iio.imread(base64.b64decode(url.partition(",")[2]))
        while psnr_of(image, frames[number], cameras[0]) < LEAST_PSNR and number < FRAMES - 1:
            number += 1
        seen.append((number, psnr_of(image, frames[number], cameras[0])))
    assert min(quality for _, quality in seen) >= LEAST_PSNR, seen
    assert {number for number, _ in seen} == set(range(1, SECOND_KEY + 2))


def test_keys_and_the_bar(show, clip):
    page = show(clip).page
    number = "viewer.player.number"
    for key, expected in ((".", 1), (".", 2), (",", 1), (",", 0), (",", 0)):
        page.keyboard.press(key)
        page.wait_for_function(f"() => {number} === {expected}")
    page.keyboard.press("?")
    assert "play or pause" in page.inner_text("#keys")
    page.keyboard.press("Escape")
    page.locator("#seek").fill("8")
    page.wait_for_function(f"() => {number} === 8")
    assert page.inner_text("#time") == "2.0 / 2.5 s"
    page.keyboard.press("Escape")
    page.locator("#play").click()
    page.wait_for_function(f"() => {number} < 8")  # begun anew
    page.locator("#play").click()
    assert not page.evaluate("viewer.player.playing")


def test_damage_is_told_and_it_goes_on_at_the_next_key_frame(show, clip, frames, cameras, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(clip, folder)
    url = damage(folder, Clip.open(clip).manifest, 2)
    watched = show(folder)
    page = watched.page
    page.evaluate("viewer.player.setLoops(false)")
    page.evaluate("viewer.player.play()")
    page.wait_for_function("() => !viewer.player.playing")
    assert page.evaluate("viewer.player.number") == FRAMES - 1
    (error,) = page.evaluate("viewer.player.errors")
    assert error["frame"] == 2
    assert error["error"].startswith(f"{url}: sha256: found ")
    assert page.inner_text("#message").startswith(f"damaged: frame 2: {url}: sha256")
    page.evaluate("viewer.player.seek(4)")
    assert page.evaluate("viewer.player.number") == SECOND_KEY
    page.evaluate("viewer.player.seek(viewer.player.number)")
    assert not page.locator("#message").is_visible()
    assert_shows(page, frames[SECOND_KEY], cameras[0])
    assert watched.external == []


def test_a_clip_of_another_host(show, clip, frames, cameras):
    """The page asks its own server, which asks the other one."""
    with serving(clip) as server:
        watched = show(f"http://127.0.0.1:{server.server_port}/")
        watched.page.evaluate("viewer.player.seek(9)")
        assert_shows(watched.page, frames[9], cameras[0])
        hosts = {url.split("/")[2] for url in watched.requests}
        assert len(hosts) == 1
        assert f"127.0.0.1:{server.server_port}" not in hosts
        assert watched.errors == []


def test_an_exported_clip_needs_no_server_of_ours(
    clip, frames, cameras, open_page, static, tmp_path
):
    written = export_viewer([clip], tmp_path / "site", cameras=cameras)
    names = {path.relative_to(tmp_path / "site").as_posix() for path in written}
    assert names >= {"index.html", "scene.json", "player/player.js", "clip/manifest.json"}
    assert names >= {f"clip/{path.name}" for path in clip.iterdir()}
    watched = open_page(static(tmp_path / "site"), width=WIDTH, height=HEIGHT)
    watched.page.evaluate("viewer.ready")
    watched.page.evaluate("viewer.player.step(1)")
    assert_shows(watched.page, frames[1], cameras[0])
    assert watched.errors == []
    assert watched.external == []


def test_downloads_that_break_go_on_where_they_were(open_page, clip, frames, cameras, tmp_path):
    """Manifest, key frames and another one; one is damaged once; the host fails for a while."""
    export_viewer([clip], tmp_path / "site", cameras=cameras)
    troubles = {
        "manifest.json": ["break"],
        "000000.gsz": ["break", "break"],
        "000001.gsr": ["fail", "break"],
        "000002.gsr": ["damage"],
        "000007.gsz": ["fail", "fail", "break"],
    }
    with breaking(tmp_path / "site", troubles=troubles) as host:
        watched = open_page(host.url, width=WIDTH, height=HEIGHT)
        page = watched.page
        page.evaluate("viewer.ready")
        for number in range(FRAMES):
            page.evaluate(f"viewer.player.seek({number})")
            assert page.evaluate("viewer.player.settled()") == number
            if number in (0, 6, FRAMES - 1):
                assert_shows(page, frames[number], cameras[0])
        assert page.evaluate("viewer.player.errors") == []
        assert not any(host.troubles.values())
        network = page.evaluate("viewer.player.network")
        assert network["retries"] == 7  # the manifest is the page's own
        assert network["resumed"] >= 3
        assert "7 downloads broke" in page.inner_text("#stats")
        key = [wanted for name, wanted in host.asked if name == "000000.gsz"][:3]
        size = (clip / "000000.gsz").stat().st_size
        assert key[0] is None
        assert 0 < int(key[1][6:-1]) < int(key[2][6:-1]) < size
        again = [wanted for name, wanted in host.asked if name == "000002.gsr"][:2]
        assert again == [None, None]


def test_what_stays_broken_is_given_up(open_page, clip, frames, cameras, tmp_path):
    """Damaged twice, or not there: told by name, and the next key frame is shown."""
    export_viewer([clip], tmp_path / "site", cameras=cameras)
    troubles = {"000002.gsr": ["damage"] * 99, "000008.gsr": ["gone"] * 99}
    with breaking(tmp_path / "site", troubles=troubles) as host:
        page = open_page(host.url, width=WIDTH, height=HEIGHT).page
        page.evaluate("viewer.ready")
        page.evaluate("viewer.player.setLoops(false)")
        page.evaluate("viewer.player.seek(2)")
        assert page.evaluate("viewer.player.settled()") == SECOND_KEY
        assert page.inner_text("#message").startswith("moving: frame 2: 000002.gsr: sha256: ")
        page.evaluate("viewer.player.seek(viewer.player.number)")  # the message goes
        assert_shows(page, frames[SECOND_KEY], cameras[0])
        page.evaluate("viewer.player.play()")
        page.wait_for_function("() => !viewer.player.playing")
        first, second = page.evaluate("viewer.player.errors")
        assert first["frame"] == 2
        assert first["error"].startswith("000002.gsr: sha256: found ")
        assert second == {"frame": 8, "error": "000008.gsr: trouble with 000008.gsr"}
        assert {wanted for _, wanted in host.asked} == {None}


def test_a_scene_whose_download_breaks_is_shown(open_page, tmp_path, cameras):
    scene = gs.load(SCENES / "demo.ply")
    scene = scene.select(np.arange(GAUSSIANS))
    gs.compress(scene, "fast", device="cpu").save(tmp_path / "cut.gsz")
    written = export_viewer([tmp_path / "cut.gsz"], tmp_path / "site", cameras=cameras)
    (name,) = {path.name for path in written if path.suffix == ".gsz"}
    with breaking(tmp_path / "site", troubles={name: ["break", "break"]}) as host:
        page = open_page(host.url, width=WIDTH, height=HEIGHT).page
        page.evaluate("viewer.ready")
        page.evaluate("document.body.classList.add('plain')")
        page.evaluate("viewer.stage.settled()")
        assert len(host.asked) == 3
        shot = iio.imread(page.screenshot())
        assert psnr_of(shot, gs.load(tmp_path / "cut.gsz"), cameras[0]) >= LEAST_PSNR
