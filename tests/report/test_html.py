import base64
import io
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from gscompress.errors import InputError
from gscompress.report import evaluate as evaluate_report
from gscompress.report.pictures import choose, difference_gain, jpeg
from tests.report.conftest import HEIGHT, WIDTH, Page, make_cameras, make_scene, pattern

evaluate = partial(evaluate_report, split="test")


@pytest.fixture
def report(renderer, monkeypatch):
    """Three test views of 30, 40 and 50 dB."""
    offsets = {"view_000.png": 10**-1.5, "view_008.png": 10**-2.0, "view_016.png": 10**-2.5}
    plain = renderer.render

    def render(scene, camera, background):
        result = plain(scene, camera, background)
        return result._replace(image=result.image + np.float32(offsets[camera.name] * len(scene)))

    monkeypatch.setattr(renderer, "render", render)
    return evaluate(make_scene(1), make_scene(2), make_cameras(24), renderer=renderer)


def test_the_page_is_one_file_that_fetches_nothing(report, tmp_path):
    report.to_html(tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(?i)(https?:)?//[a-z0-9]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    assert "url(" not in text
    assert "@import" not in text
    page = Page(text)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))


def test_an_existing_page_is_kept(report, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists"):
        report.to_html(path)
    assert path.read_text() == "mine"
    report.to_html(path, overwrite=True)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_pictures_are_the_worst_median_and_best_view(report, tmp_path):
    assert [(p.role, p.view, round(p.render_psnr)) for p in report.pictures] == [
        ("worst", "view_000.png", 30),
        ("median", "view_008.png", 40),
        ("best", "view_016.png", 50),
    ]
    report.to_html(tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    sources = [image["src"].partition(",")[2] for image in page.all("img")]
    assert len(sources) == 9
    images = [np.asarray(Image.open(io.BytesIO(base64.b64decode(s)))) for s in sources]
    assert {image.shape for image in images} == {(HEIGHT, WIDTH, 3)}
    # reference of the worst view: the pattern + 10^-1.5; JPEG of noise is coarse, its mean is not
    truth = pattern("view_000.png") + 10**-1.5
    assert images[0].mean() / 255 == pytest.approx(truth.mean(), abs=0.005)
    # one gain for all: 16 is the largest power of two that keeps 10^-1.5 below 1
    assert {picture.gain for picture in report.pictures} == {16}
    for k, decibel in ((2, 30), (5, 40), (8, 50)):
        assert images[k].mean() / 255 == pytest.approx(16 * 10 ** (-decibel / 20), abs=0.01)


def test_numbers_and_bars(report, tmp_path):
    report.to_html(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    bars = page.all("rect")
    assert len(bars) == 3
    # the axis spans 25 to 55 dB in 180 pixels: 6 pixels per dB
    heights = [float(bar["height"]) for bar in bars]
    assert heights == pytest.approx([30, 90, 150], abs=0.1)
    assert "40.00 dB" in text
    assert "renders of the reference scene" in text
    assert "photo (ground truth)" not in text


def test_names_are_escaped(report, tmp_path):
    hostile = replace(report.views[0], name="<script>alert(1)</script>")
    replace(report, views=(hostile, *report.views[1:])).to_html(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_ground_truth_page_names_the_photos_and_the_drop(renderer, tmp_path):
    cameras = make_cameras(8)
    for camera in cameras[:1]:
        pixels = np.rint(pattern(camera.name) * 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / camera.name)
    report = evaluate(
        make_scene(brightness=0.01),
        make_scene(brightness=0.1),
        cameras,
        images=tmp_path,
        renderer=renderer,
    )
    report.to_html(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b>photos</b>" in text
    assert f"<b>{report.psnr_drop:.2f} dB</b>" in text
    assert len(Page(text).all("rect")) == 2  # the bar, and the reference's mark
    assert "<figcaption>photo</figcaption>" in text
    assert len(Page(text).all("img")) == 4
    assert [picture.render_psnr for picture in report.pictures] == [report.render_scores.psnr]


def test_bytes_by_attribute(report, tmp_path):
    facts = replace(
        report.test, path="a.gsz", bytes=4000, bytes_by_attribute={"means": 1000, "sh": 3000}
    )
    replace(report, test=facts).to_html(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "sh 3.00 kB (75.0 %)" in text
    assert "means 1.00 kB (25.0 %)" in text


def test_choose_names_each_view_once():
    assert choose([30.0, 20.0, 40.0]) == {"worst": 1, "median": 0, "best": 2}
    assert choose([30.0, 20.0]) == {"worst": 1, "best": 0}
    assert choose([30.0]) == {"worst": 0}


@pytest.mark.parametrize(("difference", "gain"), [(0.0, 1024), (0.01, 64), (0.5, 2), (1.0, 1)])
def test_difference_gain(difference, gain):
    image = np.zeros((20, 20, 3), np.float32)
    assert difference_gain([(image, image + np.float32(difference))]) == gain


def test_jpeg_clamps():
    image = np.full((16, 16, 3), 3.0, np.float32)
    assert np.asarray(Image.open(io.BytesIO(jpeg(image)))).min() == 255
