"""The viewer in a real browser: what it shows, and what it asks for."""

from __future__ import annotations

import numpy as np
import pytest

import gscompress as gs
from gscompress.metrics.psnr import psnr
from gscompress.viewer import export_viewer
from tests.browser.viewing import GAUSSIANS, HEIGHT, WIDTH, drop, native, picture, until

LEAST_PSNR = 45.0  # dB; the bar is 30, half floats and 8 bits give about 55


def test_a_compressed_scene_looks_as_our_own_render(show, files, cameras):
    watched = show(files["small.gsz"])
    scene = gs.decompress(files["small.gsz"])
    for number, camera in enumerate(cameras):
        watched.page.evaluate(f"viewer.chooseCamera({number})")
        assert psnr(picture(watched.page), native(scene, camera)) >= LEAST_PSNR
    text = watched.page.inner_text("#stats")
    assert f"{files['small.gsz'].stat().st_size:,} bytes" in text
    assert f"{GAUSSIANS:,} Gaussians, degree 3" in text
    assert "decoded in" in text
    assert watched.errors == []
    assert watched.external == []
    assert len(watched.requests) > 5


def test_linear_light_is_shown_as_srgb(show, files, cameras, tmp_path):
    """A glTF whose colours are linear, beside a PLY that is not; and a .gsz."""
    linear = gs.load(files["cut.ply"]).replace(colour_space="linear")
    gs.save(linear, tmp_path / "linear.glb")
    gs.compress(linear, "fast", device="cpu").save(tmp_path / "linear.gsz")
    light = native(linear, cameras[0])
    expected = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    watched = show(tmp_path / "linear.glb", files["cut.ply"])
    for split, image in ((1, expected), (0, light)):
        watched.page.evaluate(f"viewer.moveSplit({split})")
        watched.page.evaluate("viewer.stage.redraw()")
        assert psnr(picture(watched.page), image) >= 40  # dark colours are spread
    coded = show(tmp_path / "linear.gsz")
    assert psnr(picture(coded.page), expected) >= 30  # the preset's own loss too
    assert watched.errors == coded.errors == []


def test_side_by_side(show, files, cameras):
    """Left of the divider is the first scene, right of it the second."""
    watched = show(files["small.gsz"], files["other.spz"])
    page = watched.page
    scenes = [gs.load(files["small.gsz"]), gs.load(files["other.spz"])]
    images = [native(scene, cameras[0]) for scene in scenes]
    assert psnr(images[0], images[1]) < 42  # the two can be told apart
    for share in (0.5, 0.25):
        page.evaluate(f"viewer.moveSplit({share}); viewer.stage.redraw()")
        page.evaluate("viewer.stage.redraw()")
        shown = picture(page)
        column = round(WIDTH * share)
        for part, own in ((np.s_[:, :column], 0), (np.s_[:, column:], 1)):
            assert psnr(shown[part], images[own][part]) >= LEAST_PSNR
            assert psnr(shown[part], images[1 - own][part]) < 44
    divider = page.locator("#divider")
    box = divider.bounding_box()
    page.mouse.move(box["x"] + 1, 100)
    page.mouse.down()
    page.mouse.move(0.75 * WIDTH, 100)
    page.mouse.up()
    assert page.evaluate("viewer.stage.split") == pytest.approx(0.75, abs=0.01)
    page.keyboard.press("s")
    assert not divider.is_visible()
    assert watched.external == []


def test_keys_and_mouse(show, files):
    page = show(files["small.gsz"]).page
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    assert "previous camera" in page.inner_text("#keys")
    page.keyboard.press("Escape")
    page.keyboard.press("]")
    assert page.evaluate("viewer.state.camera") == 1
    position = "viewer.stage.pose.position"
    before = page.evaluate(position)
    page.mouse.move(120, 90)
    page.mouse.down()
    page.mouse.move(160, 100)
    page.mouse.up()
    turned = page.evaluate(position)
    assert np.linalg.norm(np.subtract(turned, before)) > 0.01
    target = "viewer.stage.target"
    distances = [np.linalg.norm(np.subtract(p, page.evaluate(target))) for p in (before, turned)]
    assert distances[0] == pytest.approx(distances[1])
    page.mouse.wheel(0, -300)
    until(page, f"{position}[0] !== {turned[0]}")
    page.keyboard.press("r")
    assert page.evaluate(position) == pytest.approx(before)


def test_dropped_files(show, files, cameras):
    watched = show(files["cut.ply"])
    page = watched.page
    drop(page, files["small.gsz"])
    assert page.evaluate("viewer.state.sides.map((side) => side.name)") == ["cut.ply", "small.gsz"]
    drop(page, files["other.spz"])  # read by the server
    assert page.evaluate("viewer.state.sides[1].name") == "other.spz"
    page.evaluate("viewer.moveSplit(0)")
    page.evaluate("viewer.stage.redraw()")
    assert psnr(picture(page), native(gs.load(files["other.spz"]), cameras[0])) >= LEAST_PSNR
    drop(page, files["bad.gsz"])
    assert "bad.gsz: chunk 'quats'" in page.inner_text("#message")
    assert page.evaluate("viewer.state.sides[1].name") == "other.spz"  # still there
    assert watched.external == []


def test_a_damaged_file_is_told(show, files):
    watched = show(files["bad.gsz"])
    message = watched.page.locator("#message")
    assert message.is_visible()
    assert message.inner_text().startswith("bad.gsz: chunk 'quats'")
    assert "a wrong CRC" in message.inner_text()
    assert watched.page.evaluate("viewer.stage.sceneCount()") == 0
    # The rest of the file is not waited for.
    assert all(error.endswith("/bad.gsz") for error in watched.errors)


def test_an_exported_folder_needs_no_server_of_ours(files, cameras, open_page, static, tmp_path):
    scenes = [files["small.gsz"], files["other.spz"]]
    written = export_viewer(scenes, tmp_path / "site", cameras=cameras)
    assert {path.relative_to(tmp_path / "site").as_posix() for path in written} >= {
        "index.html", "scene.json", "gsz/scene.js", "files/0/small.gsz", "files/1/other.ply",
    }  # fmt: skip
    watched = open_page(static(tmp_path / "site"), width=WIDTH, height=HEIGHT)
    watched.page.evaluate("viewer.ready")
    names = watched.page.evaluate("viewer.state.sides.map((side) => side.name)")
    assert names == ["small.gsz", "other.spz"]
    assert watched.errors == []
    assert watched.external == []
