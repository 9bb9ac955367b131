from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import math
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gscompress.errors import InputError
from gscompress.io import save
from gscompress.report import CSV_COLUMNS, compare, evaluate
from gscompress.report.charts import CHART_WIDTH, TOP_DB, rate_distortion, shares_of, view_lines
from gscompress.report.comparison import short_names
from gscompress.report.histograms import BINS, histograms
from gscompress.report.pictures import choose, jpeg, pixels_each
from tests.report.conftest import Page, make_cameras, make_scene

FILE_KEYS = {
    "name", "path", "sha256", "bytes", "gaussians", "sh_degree", "mode", "format",
    "decode_seconds", "bytes_by_attribute", "encode_seconds", "bits_per_gaussian", "ratio", "psnr",
    "ssim", "lpips", "render_psnr", "render_ssim", "psnr_worst", "psnr_drop", "fps", "views",
}  # fmt: skip
TOP_KEYS = {
    "reference", "files", "coverage", "histograms", "protocol", "device", "command", "gscompress",
}  # fmt: skip


@pytest.fixture
def files(tmp_path):
    """A reference, and three files that render 20, 30 and 40 dB away from it."""
    save(make_scene(200), tmp_path / "reference.ply")
    paths = [tmp_path / name for name in ("a.ply", "b.ply", "c.ply")]
    for path, n, offset in zip(paths, (100, 50, 10), (0.1, 10**-1.5, 0.01), strict=True):
        save(make_scene(n, brightness=offset), path)
    return tmp_path / "reference.ply", paths


@pytest.fixture
def found(files, renderer):
    reference, paths = files
    return compare(
        reference,
        paths,
        make_cameras(3),
        renderer=renderer,
        measure_coverage=False,
        encode_seconds={str(paths[1]): 2.5},
        command="gscompress compare <all>",
    )


def test_numbers_are_those_of_evaluate(found, files, renderer):
    reference, paths = files
    document = json.loads(found.to_json())
    assert [file["name"] for file in document["files"]] == ["a.ply", "b.ply", "c.ply"]
    for path, file in zip(paths, document["files"], strict=True):
        alone = evaluate(reference, path, make_cameras(3), renderer=renderer).to_dict()
        shared = set(alone) & set(file)
        assert shared >= {"bytes", "gaussians", "bits_per_gaussian", "ratio", "psnr", "ssim"}
        for key in shared:
            assert file[key] == alone[key], key
        assert len(file["views"]) == 3
    psnrs = [file["psnr"] for file in document["files"]]
    assert psnrs == pytest.approx([20, 30, 40], abs=1e-2)


def test_the_keys_are_the_contract(found, files):
    document = json.loads(found.to_json())
    assert set(document) == TOP_KEYS
    assert all(set(file) == FILE_KEYS for file in document["files"])
    assert document["command"] == "gscompress compare <all>"
    assert [file["encode_seconds"] for file in document["files"]] == [None, 2.5, None]
    assert all(0 < file["decode_seconds"] < 10 for file in document["files"])
    for path, file in zip(files[1], document["files"], strict=True):
        assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    reference = document["reference"]
    assert reference["sha256"] == hashlib.sha256(files[0].read_bytes()).hexdigest()
    assert reference["gaussians"] == 200


def test_the_reference_is_rendered_once_for_all_files(files, renderer):
    reference, paths = files
    compare(
        reference, paths, make_cameras(3), renderer=renderer, measure_coverage=False, pictures=0
    )
    assert len(renderer.rendered) == 3 * (1 + len(paths))


def test_csv(found):
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == 3 * (1 + 3)
    means = [row for row in rows if row["view"] == "mean"]
    for k, row in enumerate(means):
        report = found.reports[k]
        assert row["file"] == found.names[k]
        assert int(row["bytes"]) == report.bytes
        assert float(row["psnr"]) == report.psnr
        assert float(row["psnr_worst"]) == report.worst.test.psnr
        assert row["lpips"] == ""
        views = rows[4 * k + 1 : 4 * k + 4]
        assert [view["view"] for view in views] == [view.name for view in report.views]
        assert [float(view["psnr"]) for view in views] == [v.test.psnr for v in report.views]
        assert {view["psnr_worst"] for view in views} == {""}
        assert {view["bytes"] for view in views} == {row["bytes"]}


def test_an_unreadable_file_stops_before_anything_is_rendered(files, renderer, tmp_path):
    reference, paths = files
    (tmp_path / "broken.ply").write_bytes(paths[0].read_bytes()[:-5])
    for bad in (tmp_path / "broken.ply", tmp_path / "missing.spz"):
        with pytest.raises(InputError, match=bad.name):
            compare(reference, [*paths, bad], make_cameras(3), renderer=renderer)
    with pytest.raises(InputError, match="no files"):
        compare(reference, [], make_cameras(3), renderer=renderer)
    assert renderer.rendered == []


def test_a_sog_in_a_folder_counts_all_its_files(files, renderer, tmp_path):
    save(make_scene(200), tmp_path / "scene.sog")
    folder = tmp_path / "folder"
    with zipfile.ZipFile(tmp_path / "scene.sog") as archive:
        archive.extractall(folder)
    found = compare(
        files[0],
        [folder / "meta.json"],
        make_cameras(1),
        renderer=renderer,
        measure_coverage=False,
        pictures=0,
    )
    parts = [folder / "meta.json", *sorted(folder.glob("*.webp"))]
    assert len(parts) >= 5
    report = found.reports[0]
    assert report.bytes == sum(part.stat().st_size for part in parts)
    content = b"".join(part.read_bytes() for part in parts)
    assert report.test.sha256 == hashlib.sha256(content).hexdigest()


def test_photos(files, renderer, tmp_path):
    from tests.report.conftest import pattern

    cameras = make_cameras(2)
    for camera in cameras:
        pixels = np.rint(pattern(camera.name) * 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / camera.name)
    found = compare(
        files[0],
        files[1],
        cameras,
        images=tmp_path,
        renderer=renderer,
        measure_coverage=False,
        pictures=1,
    )
    document = found.to_dict()
    assert document["protocol"]["mode"] == "ground-truth"
    assert document["reference"]["psnr"] == pytest.approx(58.9, abs=0.3)  # rounding to 8 bits
    for file in document["files"]:
        assert file["psnr_drop"] == document["reference"]["psnr"] - file["psnr"]
    assert document["files"][2]["render_psnr"] == pytest.approx(40, abs=1e-2)
    found.to_html(tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert '<option value="photo">' in text
    assert text.count('class="plot"') == 2
    assert "<b>photos</b>" in text


def plot_of(found):
    return rate_distortion(found, [report.psnr for report in found.reports])


def page_of(found, tmp_path) -> tuple[str, Page, dict]:
    found.to_html(tmp_path / "page.html", overwrite=True)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data
    return text, Page(text), json.loads(data[1])


def test_the_page_is_one_file_that_fetches_nothing(found, tmp_path):
    text, page, _ = page_of(found, tmp_path)
    bare = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"(?i)https?:|[\"'(=]//", bare)
    assert "url(" not in text
    assert "@import" not in text
    assert not [tag for tag, a in page.tags if tag in ("link", "iframe", "object") or "href" in a]
    assert not [a for a in page.all("script") if "src" in a]
    policy = next(a for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"].startswith("default-src 'none'; img-src data:;")


def test_the_table_of_the_page(found, tmp_path):
    text, page, data = page_of(found, tmp_path)
    assert "40.00" in text
    assert found.reports[0].test.sha256 in text
    assert found.reference.sha256 in text
    assert "gscompress compare &lt;all&gt;" in text
    values = [a["data-value"] for a in page.all("td") if "data-value" in a]
    for report in found.reports:
        assert str(report.bytes) in values
        assert str(report.psnr) in values
    assert data["scores"]["psnr"] == [[v.test.psnr for v in r.views] for r in found.reports]
    sortable = [a for a in page.all("th") if "aria-sort" in a]
    assert len(sortable) == 10 + 1 + 3


def test_everything_has_a_label(found, tmp_path):
    _, page, _ = page_of(found, tmp_path)
    assert all("aria-label" in svg for svg in page.all("svg"))
    assert all("alt" in image for image in page.all("img"))
    assert all("aria-label" in item for item in page.all("input"))
    assert len(page.all("label")) == len(page.all("select")) == 4


def test_pictures_in_the_page(found, tmp_path):
    _, _, data = page_of(found, tmp_path)
    assert [picture["role"] for picture in data["pictures"]] == ["worst", "median", "best"]
    sources = [file["difference"] for file in data["pictures"][0]["files"]]
    bodies = [base64.b64decode(source.partition("base64,")[2]) for source in sources]
    images = [np.asarray(Image.open(io.BytesIO(body))) for body in bodies]
    # One gain for all, the largest power of two that does not clip a difference of 0.1.
    assert data["pictures"][0]["gain"] == 8
    means = [image.mean() / 255 for image in images]
    assert means == pytest.approx([8 * 0.1, 8 * 10**-1.5, 8 * 0.01], abs=0.005)


def test_hostile_names_do_not_escape(found, tmp_path):
    name = "</script><script>alert(1)</script>"
    text, page, data = page_of(replace(found, names=(name, *found.names[1:])), tmp_path)
    assert data["names"][0] == name
    assert "<script>alert" not in text
    assert len(page.all("script")) == 2


def test_without_pictures_the_page_still_works(files, renderer, tmp_path):
    found = compare(
        files[0],
        files[1][:1],
        make_cameras(1),
        renderer=renderer,
        measure_coverage=False,
        pictures=0,
    )
    text, page, data = page_of(found, tmp_path)
    assert data["pictures"] == []
    assert page.all("img") == []
    assert "1 file against reference.ply" in text


def test_rate_distortion_plot(found):
    plot = plot_of(found)
    sizes = [report.bytes for report in found.reports]
    xs = [point.x for point in plot.points]
    assert [point.name for point in plot.points] == list(found.names)
    assert sorted(xs, reverse=True) == xs  # the files get smaller
    # logarithmic: distances are as the ratios of the sizes
    distances = (xs[0] - xs[1]) / (xs[1] - xs[2])
    ratios = math.log(sizes[0] / sizes[1]) / math.log(sizes[1] / sizes[2])
    assert distances == pytest.approx(ratios, rel=1e-2)
    assert all(0 < x < CHART_WIDTH for x in xs)
    ys = [point.y for point in plot.points]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.1)  # 10 dB each
    assert len(plot.lines) == 1  # one format
    assert not any(point.above for point in plot.points)


def test_what_is_better_than_the_axis_is_drawn_at_its_top(files, renderer):
    found = compare(
        files[0],
        [files[0], *files[1]],
        make_cameras(2),
        renderer=renderer,
        measure_coverage=False,
        pictures=0,
    )
    plot = plot_of(found)
    assert found.reports[0].psnr == 150
    assert plot.points[0].above
    assert plot.points[0].y == pytest.approx(height_of(TOP_DB, plot.grid), abs=0.1)
    lines = view_lines(found)
    heights = [float(point.split(",")[1]) for point in lines.lines[0].split()]
    assert heights == pytest.approx([height_of(TOP_DB, lines.grid)] * 2, abs=0.1)


def height_of(decibel: float, grid) -> float:
    """By interpolation between the grid's lines."""
    a, b = grid[0], grid[-1]
    return a.y + (b.y - a.y) * (decibel - a.decibel) / (b.decibel - a.decibel)


def test_labels_of_the_plot_do_not_lie_on_each_other(files, renderer):
    found = compare(
        files[0],
        [files[1][0]] * 5,
        make_cameras(1),
        renderer=renderer,
        measure_coverage=False,
        pictures=0,
    )
    ys = sorted(point.label_y for point in plot_of(found).points)
    assert min(np.diff(ys)) >= 13.9


def test_the_axis_fits_the_values(found):
    plot = rate_distortion(found, [28.17, 28.64, 28.85])
    assert [line.decibel for line in plot.grid] == [28.0, 28.2, 28.4, 28.6, 28.8, 29.0]
    assert [point.y for point in plot.points] == pytest.approx([265.6, 115.2, 48.0])
    plot = rate_distortion(found, [20, 59, 150])
    assert [line.decibel for line in plot.grid] == [10, 20, 30, 40, 50, 60, 70]


def test_short_names():
    assert short_names(["x/a.gsz", "y/b.spz"]) == ("a.gsz", "b.spz")
    assert short_names(["x/a.gsz", "y/a.gsz", "b.spz"]) == ("x/a.gsz", "y/a.gsz", "b.spz")
    assert short_names(["in memory", "in memory"]) == ("in memory", "in memory (2)")


def test_histograms_are_shares_of_the_same_bins():
    rng = np.random.default_rng(0)
    n = 4000
    scene = make_scene(n).replace(
        means=rng.normal(size=(n, 3)),
        quats=rng.normal(size=(n, 4)),
        log_scales=rng.normal(size=(n, 3)),
        opacity_logits=np.full(n, 2.0),
        sh=rng.normal(size=(n, 4, 3)),
    )
    # The same rotation, its axes named in another order: nothing that can be seen changes.
    x, y, z = 1, 2, 3
    swapped = scene.unit_quats[:, [0, x, y, z]]
    half = np.float32(np.sqrt(0.5))  # times 90 degrees about z: axes x and y swap
    w, a, b, c = swapped.T
    turned = half * np.stack([w - c, a + b, b - a, c + w], axis=1)
    same = scene.replace(quats=turned, log_scales=scene.log_scales[:, [1, 0, 2]])
    found = {item.name: item for item in histograms(scene, [same, scene.select(slice(0))])}
    assert set(found) == {"means", "opacities", "scales", "quats", "sh0", "shN"}
    for item in found.values():
        assert len(item.reference) == BINS
        assert sum(item.reference) == pytest.approx(1)
        assert item.tests[0] == pytest.approx(item.reference, abs=2 / n), item.name
        assert sum(item.tests[1]) == 0
    opacity = found["opacities"]
    assert (opacity.low, opacity.high) == (0, 1)
    assert opacity.reference[int(BINS / (1 + math.exp(-2)))] == 1


def test_a_tilt_is_the_angle_of_the_shortest_axis():
    turn = math.radians(30)
    scene = make_scene(1).replace(
        quats=[[math.cos(turn / 2), 0, 0, math.sin(turn / 2)]],  # about z
        log_scales=[[0, -5, 0]],  # y is the shortest
    )
    (tilt,) = (item for item in histograms(scene, []) if item.name == "quats")
    assert tilt.reference.index(1.0) == int(30 / 90 * BINS)


def test_shares_leave_out_what_takes_nothing():
    shares = shares_of({"means": 30, "importance": 0, "sh0": 70})
    assert [(share.name, share.percent) for share in shares] == [("sh0", 70), ("means", 30)]
    assert shares[1].hue == shares_of({"means": 1})[0].hue


def test_choose_spreads_over_the_views():
    psnrs = [float(value) for value in range(20, 29)]
    assert choose(psnrs, 0) == {}
    assert choose(psnrs, 1) == {"worst": 0}
    assert choose(psnrs, 4) == {"worst": 0, "2 of 4": 3, "3 of 4": 5, "best": 8}
    assert choose(psnrs, 5) == {"worst": 0, "2 of 5": 2, "median": 4, "4 of 5": 6, "best": 8}
    assert len(choose(psnrs, 99)) == 9


def test_pictures_have_a_bounded_number_of_pixels():
    assert pixels_each(100) * 100 <= 32_000_000
    image = np.zeros((300, 400, 3), np.float32)
    small = Image.open(io.BytesIO(jpeg(image, 12_000)))
    assert small.size == (126, 94)
    assert Image.open(io.BytesIO(jpeg(image, 120_000))).size == (400, 300)
