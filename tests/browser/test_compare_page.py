"""The page of ``gscompress compare`` in a browser: six files of the demo scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gscompress as gs
from gscompress.io.sog import SogFormat
from gscompress.io.spz import SpzFormat
from gscompress.report import Comparison

SCENES = Path(__file__).parents[2] / "scenes"
GAUSSIANS = 2000


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Comparison]:
    """The address of a page, and what it shows: two files of ours and four of other formats."""
    scene = gs.load(SCENES / "demo.ply")
    scene = scene.select(slice(None, None, -(-len(scene) // GAUSSIANS)))
    cameras = [camera.resized(160, 120) for camera in gs.load_cameras(SCENES / "cameras.json")]
    return six_files(tmp_path_factory.mktemp("compare"), scene, cameras[:24:8])


def six_files(
    folder: Path, scene: gs.Gaussians, cameras: list[gs.Camera], *, palette: int = 1 << 16
) -> tuple[str, Comparison]:
    """A scene in six files, compared."""
    gs.save(scene, folder / "scene.ply")
    gs.compress(scene, "fast").save(folder / "fast.gsz")
    gs.compress(scene, "fast", quality=45).save(folder / "coarse.gsz")
    SpzFormat().save(scene, folder / "default.spz")
    SpzFormat(sh1_bits=8, sh_rest_bits=8).save(scene, folder / "fine.spz")
    SogFormat(palette=palette).save(scene, folder / "scene.sog")
    gs.save(scene, folder / "scene.compressed.ply")
    names = ["fast.gsz", "coarse.gsz", "default.spz", "fine.spz", "scene.sog"]
    found = gs.compare(
        folder / "scene.ply",
        [folder / name for name in [*names, "scene.compressed.ply"]],
        cameras,
    )
    found.to_html(folder / "report.html")
    return (folder / "report.html").as_uri(), found


def column(page: Any, index: int) -> list[str]:
    """The cells of a column of the table of files, from the top."""
    cells = page.locator(f"#files tbody td:nth-child({index + 1})")
    return [text.strip() for text in cells.all_text_contents()]


def clean(watched: Any) -> bool:
    """Nothing went wrong, and only the page itself was asked for."""
    assert watched.errors == []
    assert watched.requests == [watched.page.url]
    return True


def test_the_table_sorts_by_mouse_and_keyboard(open_page, report) -> None:
    url, found = report
    watched = open_page(url)
    page = watched.page
    assert column(page, 0) == list(found.names)
    sizes = [r.bytes for r in found.reports]
    page.get_by_role("button", name="size", exact=True).click()
    by_size = [name for _, name in sorted(zip(sizes, found.names, strict=True), reverse=True)]
    assert column(page, 0) == by_size
    heading = page.locator("#files th").nth(1)
    assert heading.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert column(page, 0) == by_size[::-1]
    assert heading.get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="PSNR, dB", exact=True).click()
    psnrs = sorted((r.psnr for r in found.reports), reverse=True)
    assert column(page, 5) == [f"{psnr:.2f}" for psnr in psnrs]
    page.get_by_role("button", name="file", exact=True).click()
    assert column(page, 0) == sorted(found.names)
    assert clean(watched)


def test_the_slider_and_the_choices_change_the_pictures(open_page, report) -> None:
    watched = open_page(report[0])
    page = watched.page
    slider = page.get_by_role("slider")
    clip = "getComputedStyle(document.getElementById('after')).clipPath"
    assert page.evaluate(clip) == "inset(0px 0px 0px 50%)"
    slider.focus()
    slider.press("Home")
    assert page.evaluate(clip) == "inset(0px 0px 0px 0%)"
    page.locator("#compare").scroll_into_view_if_needed()
    box = page.locator("#compare").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.2 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], middle)
    page.mouse.up()
    assert float(slider.input_value()) == pytest.approx(75, abs=0.5)
    shown = page.locator("#after")
    before = shown.get_attribute("src")
    page.locator("#file").select_option(label="default.spz")
    assert shown.get_attribute("src") != before
    assert "default.spz" in page.locator("#tag-after").text_content()
    assert page.locator("#files tr.on td").first.text_content().strip() == "default.spz"
    first = page.locator("#before").get_attribute("src")
    page.locator("#view").select_option(index=1)
    assert page.locator("#before").get_attribute("src") != first
    page.locator(".pick").first.click()
    assert page.locator("#file").input_value() == "0"
    size = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.naturalHeight])")
    assert size == [[160, 120]] * 3
    assert clean(watched)


def test_the_views_show_the_chosen_metric(open_page, report) -> None:
    url, found = report
    watched = open_page(url)
    page = watched.page
    page.locator("#metric").select_option(value="ssim")
    row = page.locator("#views tbody tr").nth(1).locator("td").all_text_contents()
    assert row[1:] == [f"{report.views[1].test.ssim:.4f}" for report in found.reports]
    mean = page.locator("#views tfoot td").all_text_contents()
    assert mean[1:] == [f"{report.ssim:.4f}" for report in found.reports]
    assert clean(watched)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_both_colour_schemes(open_page, report, scheme) -> None:
    watched = open_page(report[0], width=390, height=800, color_scheme=scheme, has_touch=True)
    assert watched.page.evaluate("document.documentElement.scrollWidth") == 390
    background = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 28)"}[scheme]
    assert clean(watched)


def test_a_real_scene(open_page, shared_data, tmp_path) -> None:
    """All of bonsai: every part of the page is there, and none is empty."""
    path = shared_data / "bonsai" / "point_cloud.ply"
    cameras = gs.load_cameras(shared_data / "bonsai" / "cameras.json")[::150]
    small = [camera.resized(200, 133) for camera in cameras]
    url, found = six_files(tmp_path, gs.load(path), small, palette=512)
    watched = open_page(url)
    page = watched.page
    assert column(page, 0) == list(found.names)
    assert len(found.names) == 6
    sizes = page.locator("#files tbody td:nth-child(2)")
    shown = [int(cell.get_attribute("data-value")) for cell in sizes.all()]
    assert shown == [report.bytes for report in found.reports]
    assert min(report.psnr for report in found.reports) > 25
    assert page.locator("#views tbody tr").count() == len(small)
    pictures = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.naturalHeight])")
    assert pictures == [[200, 133]] * 3
    boxes = [plot.bounding_box() for plot in page.locator("svg:visible").all()]
    assert len(boxes) >= 2  # rate and distortion, histograms
    assert all(box["width"] > 0 and box["height"] > 0 for box in boxes)
    assert str(found.reference.sha256) in page.content()
    assert clean(watched)
