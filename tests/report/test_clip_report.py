"""What an evaluation of a clip says, against direct computation."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.errors import InputError, UsageError
from gscompress.gaussians import ATTRIBUTES
from gscompress.io import load, save
from gscompress.metrics import psnr, ssim
from gscompress.report import FRAME_COLUMNS, ClipReport, evaluate_clip
from gscompress.report.clip_looks import frames_shown
from gscompress.report.clip_passes import scene_sha256
from gscompress.report.frame_photos import FramePhotos
from gscompress.report.timelines import HEIGHT as CHART_HEIGHT
from gscompress.report.timelines import timelines
from gscompress.stream.layout import GROUPS
from tests.report.conftest import HEIGHT, WIDTH, Page, PatternRenderer, pattern
from tests.stream.clips import Writer, write_clip

GROUPS_OF_FRAMES = (4, 3)
FRAMES = sum(GROUPS_OF_FRAMES)
VIEWS = ("a/10.png", "b/10.png")


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    """A clip of two groups."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip", *GROUPS_OF_FRAMES)


@pytest.fixture(scope="module")
def originals(writer: Writer, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The decoded frames, but darker, each by a little more."""
    folder = tmp_path_factory.mktemp("frames")
    paths = []
    for k, frame in enumerate(writer.frames):
        sh = frame.sh.copy()
        sh[:, 0] -= np.float32(0.02 + 0.01 * k)
        paths.append(folder / f"{k}.ply")
        save(frame.replace(sh=sh), paths[-1])
    return paths


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for view in VIEWS:
        (folder / view).parent.mkdir()
        for k in range(FRAMES):
            image = pattern(f"{view} {k}") * 255
            iio.imwrite(folder / view[0] / f"{10 + k}.png", image.astype(np.uint8))
    return folder


def cameras() -> list[Camera]:
    return [Camera(name, WIDTH, HEIGHT, 50, 50, WIDTH / 2, HEIGHT / 2, np.eye(4)) for name in VIEWS]


@pytest.fixture(scope="module")
def report(writer: Writer, originals: list[Path], photos: Path) -> ClipReport:
    return evaluate_clip(
        writer.folder,
        originals,
        cameras(),
        images=photos,
        renderer=PatternRenderer(),
        check_access=True,
        encode_seconds=[0.5 + k for k in range(FRAMES)],
        command="gscompress stream eval ...",
    )


def test_sizes_and_changes_are_those_of_the_clip(report: ClipReport, writer: Writer) -> None:
    segments = list(writer.manifest().segments())
    assert [one.bytes for one in report.frames] == [segment.bytes for segment in segments]
    assert [one.kind for one in report.frames] == ["key", *3 * ["residual"], "key", "residual",
                                                   "residual"]  # fmt: skip
    assert [one.group for one in report.frames] == [0, 0, 0, 0, 1, 1, 1]
    assert report.kbps == pytest.approx(sum(s.bytes for s in segments) * 8 / 1000 / (FRAMES / 30))
    for k, one in enumerate(report.frames):
        scene = writer.frames[k]
        assert one.gaussians == len(scene)
        assert one.bytes_per_100k == pytest.approx(one.bytes / len(scene) * 1e5)
        assert one.sha256 == scene_sha256(scene)
        assert one.access is True
        assert one.decode_ms > 0
        assert one.encode_seconds == 0.5 + k
        if one.kind == "key":
            assert one.changes is None
            continue
        before = writer.frames[k - 1]
        differs = {
            name: (getattr(scene, name) != getattr(before, name)).reshape(len(scene), -1)
            for name in ATTRIBUTES
        }
        assert one.changes is not None
        anything = np.concatenate(list(differs.values()), axis=1).any(axis=1)
        assert one.changes.changed == np.count_nonzero(anything) > 0
        assert one.changes.by_attribute["means"] == np.count_nonzero(differs["means"].any(axis=1))
        higher = differs["sh"][:, 3:].any(axis=1)
        assert one.changes.by_attribute["shN"] == np.count_nonzero(higher)
        assert one.share("shN") == np.count_nonzero(higher) / len(scene)


def test_scores_are_those_of_the_renders_and_photos(
    report: ClipReport, writer: Writer, originals: list[Path], photos: Path
) -> None:
    renderer = PatternRenderer()
    for k, one in enumerate(report.frames):
        for view, camera in zip(one.views, cameras(), strict=True):
            decoded = renderer.render(writer.frames[k], camera).image
            original = renderer.render(load(originals[k]), camera).image
            photo = iio.imread(photos / camera.name[0] / f"{10 + k}.png") / np.float32(255)
            assert view.render is not None
            assert view.photo is not None
            assert view.original is not None
            assert view.render.psnr == pytest.approx(psnr(decoded, original))
            assert view.render.ssim == pytest.approx(ssim(decoded, original))
            assert view.photo.psnr == pytest.approx(psnr(decoded, photo))
            assert view.original.psnr == pytest.approx(psnr(original, photo))
        assert one.psnr == pytest.approx(np.mean([v.render.psnr for v in one.views if v.render]))
        assert report.quality(one) == one.psnr
    assert report.protocol is not None
    assert report.protocol.mode == "self-reference"


def test_drift_and_slope(report: ClipReport) -> None:
    known = {one.frame: one.psnr or 0.0 for one in report.frames if one.kind != "key"}
    assert report.drift == pytest.approx(min(known[3] - known[1], known[6] - known[5]))
    assert report.drift < -0.5
    assert report.slope == pytest.approx(np.polyfit(list(known), list(known.values()), 1)[0])
    worst = report.worst
    assert worst is not None
    assert worst.psnr == min(one.psnr or 0.0 for one in report.frames)
    summary = report.summary()
    assert summary["worst_frame"] == worst.frame
    assert summary["psnr"] == pytest.approx(np.mean([one.psnr for one in report.frames]))
    changed = [one.bytes for one in report.frames if one.kind != "key"]
    assert summary["change_bytes_per_frame"] == pytest.approx(np.mean(changed))
    assert summary["change_bytes_per_frame_per_100k"] == pytest.approx(np.mean(changed) / 40 * 1e5)
    assert summary["encode_seconds_per_frame"] == pytest.approx(0.5 + (FRAMES - 1) / 2)


def test_inputs_are_named_by_their_sha256(
    report: ClipReport, writer: Writer, originals: list[Path], photos: Path
) -> None:
    def sha256(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    document = json.loads(report.to_json())
    assert document["clip"]["sha256"] == sha256(writer.folder / "manifest.json")
    for one in document["inputs"]["segments"]:
        assert one["sha256"] == sha256(writer.folder / one["url"])
    assert [one["sha256"] for one in document["inputs"]["originals"]] == list(
        map(sha256, originals)
    )
    every = b"".join(
        (photos / view[0] / f"{10 + k}.png").read_bytes() for k in range(FRAMES) for view in VIEWS
    )
    assert document["inputs"]["photos"]["sha256"] == hashlib.sha256(every).hexdigest()
    assert document["inputs"]["photos"]["count"] == len(VIEWS) * FRAMES
    assert document["command"] == "gscompress stream eval ..."


def test_keys_are_stable(report: ClipReport) -> None:
    document = report.to_dict()
    assert set(document) == {
        "clip", "summary", "frames", "inputs", "protocol", "conventions", "device", "command",
        "gscompress",
    }  # fmt: skip
    assert set(document["clip"]) == {
        "path", "sha256", "bytes", "fps", "frames", "seconds", "groups", "gaussians", "sh_degree",
        "mode", "color_space", "complete",
    }  # fmt: skip
    scores = {
        "psnr", "ssim", "photo_psnr", "photo_ssim", "original_photo_psnr", "original_photo_ssim",
    }  # fmt: skip
    assert set(document["summary"]) == scores | {
        "kbps", "bytes_per_frame", "key_frames", "key_bytes", "change_bytes_per_frame",
        "change_bytes_per_frame_per_100k", "changed_share", "births", "deaths", "worst_frame",
        "worst_frame_psnr", "drift", "slope", "decode_ms", "encode_seconds_per_frame",
        "access_checked", "access_failures",
    }  # fmt: skip
    assert set(document["summary"]["decode_ms"]) == {
        "median", "p95", "max", "key_median", "change_median",
    }  # fmt: skip
    assert set(document["frames"][1]) == scores | {
        "frame", "group", "kind", "bytes", "gaussians", "bytes_per_100k", "changed",
        "changed_share", "changed_by_attribute", "births", "deaths", "psnr_worst", "decode_ms",
        "encode_seconds", "access", "sha256", "views",
    }  # fmt: skip
    assert set(document["frames"][1]["changed_by_attribute"]) == set(GROUPS)
    assert set(document["frames"][1]["views"][0]) == scores | {"name"}


def test_a_row_for_each_frame(report: ClipReport) -> None:
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert [row["frame"] for row in rows] == [str(k) for k in range(FRAMES)]
    assert tuple(rows[0]) == FRAME_COLUMNS
    assert rows[0]["changed"] == rows[0]["changed_means"] == ""
    changes = report.frames[2].changes
    assert changes is not None
    assert int(rows[2]["changed_means"]) == changes.by_attribute["means"]
    assert float(rows[2]["psnr"]) == report.frames[2].psnr
    assert all(value != "" for value in rows[2].values())


def test_the_page_is_one_file_that_fetches_nothing(report: ClipReport, tmp_path: Path) -> None:
    report.to_html(tmp_path / "clip.html")
    text = (tmp_path / "clip.html").read_text(encoding="utf-8")
    assert not re.search(r"(?i)(https?:)?//[a-z0-9]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    assert "url(" not in text
    assert "@import" not in text
    page = Page(text)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    images = page.all("img")
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in images)
    assert [one["alt"] for one in images[::3]] == [f"frame {k}, decoded" for k in (0, 3, 6)]
    assert f"{report.psnr:.2f} dB" in text
    assert all(one.sha256 in text for one in report.segments)
    with pytest.raises(InputError, match="exists"):
        report.to_html(tmp_path / "clip.html")


def test_charts(report: ClipReport) -> None:
    charts = {chart.title.split(",")[0]: chart for chart in timelines(report)}
    sizes, shares = charts["kB of each frame (1 kB = 1000 bytes)"], charts["Gaussians that change"]
    assert [bar.key for bar in sizes.bars] == [one.kind == "key" for one in report.frames]
    cut = [bar for bar in sizes.bars if bar.cut]
    assert all(bar.key and bar.height == CHART_HEIGHT for bar in cut)
    tall = {round(bar.height / one.bytes, 2) for bar, one in zip(sizes.bars, report.frames,
            strict=True) if not bar.cut}  # fmt: skip
    assert max(tall) - min(tall) < 0.02  # heights are in proportion
    assert [line.name for line in shares.lines] == ["any", *GROUPS]
    assert all(len(line.pieces) == 2 for line in shares.lines)  # broken at key frames
    assert [tick.label for tick in sizes.ticks] == [str(k) for k in range(FRAMES)]
    assert "PSNR against photos" in charts
    assert "Gaussians that are born and die" not in charts


def test_without_anything_to_compare_with(writer: Writer) -> None:
    report = evaluate_clip(writer.folder)
    assert report.psnr is report.drift is report.slope is report.worst is report.protocol is None
    assert report.frames[0].access is None
    summary = report.summary()
    assert summary["access_checked"] is False
    assert summary["photo_psnr"] is None
    titles = [chart.title for chart in timelines(report)]
    assert len(titles) == 3
    assert not any("PSNR" in title for title in titles)


def test_photos_alone_are_the_truth(writer: Writer, photos: Path, tmp_path: Path) -> None:
    report = evaluate_clip(
        writer.folder, (), cameras()[:1], images=photos, renderer=PatternRenderer(), pictures=1
    )
    assert report.psnr is None
    assert report.protocol is not None
    assert report.protocol.mode == "ground-truth"
    assert [report.quality(one) for one in report.frames] == [
        one.photo_psnr for one in report.frames
    ]
    assert report.drift is not None
    assert [(one.frame, one.truth) for one in report.pictures] == [(FRAMES - 1, "photo")]
    report.to_html(tmp_path / "clip.html")


def test_a_frame_that_differs_by_itself_is_named(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = evaluate_clip.__globals__
    real = module["decode_by_itself"]
    monkeypatch.setitem(
        module, "decode_by_itself", lambda clip, k: "other" if k == 2 else real(clip, k)
    )
    report = evaluate_clip(writer.folder, check_access=True)
    assert report.inaccessible == [2]
    assert report.summary()["access_failures"] == [2]


def test_counts_must_agree(writer: Writer, originals: list[Path], photos: Path) -> None:
    with pytest.raises(InputError, match=r"original frames: found 2, expected 7"):
        evaluate_clip(writer.folder, originals[:2], cameras())
    with pytest.raises(InputError, match=r"encode seconds: found 1, expected 7"):
        evaluate_clip(writer.folder, encode_seconds=[1.0])
    with pytest.raises(InputError, match="found no cameras"):
        evaluate_clip(writer.folder, images=photos)


def test_photos_by_their_names(photos: Path) -> None:
    views = cameras()
    by_order = FramePhotos(photos).find(views, FRAMES)
    assert by_order[3] == [photos / "a" / "13.png", photos / "b" / "13.png"]
    one = Camera("a", WIDTH, HEIGHT, 50, 50, 32, 24, np.eye(4))
    assert FramePhotos(photos, "{camera}/1{frame}").find([one], 3)[2] == [photos / "a" / "12.png"]
    named = FramePhotos(photos, "{folder}/1{frame:01d}.png").find(views, FRAMES)
    assert named == by_order
    with pytest.raises(InputError, match="photos of 7 frames"):
        FramePhotos(photos).find(views, FRAMES + 1)
    with pytest.raises(InputError, match="no such image"):
        FramePhotos(photos, "{folder}/{frame}.png").find(views, 1)
    with pytest.raises(InputError, match="a path out of it"):
        FramePhotos(photos, "../{frame}").find(views, 1)
    with pytest.raises(InputError, match="no such folder"):
        FramePhotos(photos / "none")


@pytest.mark.parametrize(
    "pattern", ["{camera}.png", "{frame", "{frame}{other}", "{frame.real}", "{}", "{frame:s}"]
)
def test_wrong_patterns(photos: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match="photo pattern"):
        FramePhotos(photos, pattern)


def test_frames_shown() -> None:
    assert frames_shown(10, 3) == {0, 4, 9}
    assert frames_shown(2, 5) == {0, 1}
    assert frames_shown(5, 1) == {4}
    assert frames_shown(5, 0) == set()
