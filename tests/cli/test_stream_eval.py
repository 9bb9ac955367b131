"""``gscompress stream eval``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gscompress.io import save
from tests.stream.clips import Writer, write_clip


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip", 3, 2)


@pytest.fixture
def frames(writer: Writer, folder: Path) -> list[Path]:
    """What the clip was made from, but brighter."""
    paths = [folder / f"{k}.ply" for k in range(len(writer.frames))]
    for path, frame in zip(paths, writer.frames, strict=True):
        save(frame.replace(sh=frame.sh + 0.1), path)
    return paths


def test_figures_files_and_gates(run, writer: Writer, frames: list[Path], cameras: Path) -> None:
    common = ("stream", "eval", writer.folder, *frames, "--cameras", cameras)
    done = run(
        *common, "--json", "--check-access", "--report", "clip.html", "--report", "clip.json",
        "--csv", "clip.csv", "--max-kbps", 1e6, "--min-psnr", 1,
    )  # fmt: skip
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["clip"]["bytes"] == writer.manifest().bytes
    assert document["summary"]["access_failures"] == []
    assert document["summary"]["access_checked"] is True
    assert document["inputs"]["cameras"]["path"] == str(cameras)
    assert document["protocol"]["split"] == "test"
    psnrs = [one["psnr"] for one in document["frames"]]
    assert all(10 < psnr < 100 for psnr in psnrs)
    assert json.loads(Path("clip.json").read_text())["frames"][2]["psnr"] == psnrs[2]
    assert Path("clip.html").read_text().startswith("<!doctype html>")
    assert len(Path("clip.csv").read_text().splitlines()) == 1 + len(frames)

    low = min(psnrs)
    done = run(*common, "--min-psnr", low + 0.001, "--max-kbps", 1)
    assert done.code == 3
    assert f"the PSNR of frame {psnrs.index(low)} is {low:.3f} dB, below" in done.err
    assert "kbit/s are above --max-kbps 1" in done.err
    assert "measured at" in done.out
    assert run(*common, "--min-psnr", low - 0.001, "-q").code == 0


def test_seconds_of_the_encoder(run, writer: Writer, folder: Path) -> None:
    told = folder / "encoded.json"
    told.write_text(json.dumps({"per_frame": [{"seconds": k} for k in range(5)]}))
    done = run("stream", "eval", writer.folder, "--encode-json", told, "--json")
    document = json.loads(done.out)
    assert [one["encode_seconds"] for one in document["frames"]] == [0, 1, 2, 3, 4]
    assert document["protocol"] is None
    text = run("stream", "eval", writer.folder, "--encode-json", told).out
    assert "encode     2.0 s per frame" in text
    assert "drift" not in text
    for wrong in ('{"per_frame": [{}]}', "[]", '{"per_frame": [{"seconds": NaN}]}', "{"):
        told.write_text(wrong)
        assert run("stream", "eval", writer.folder, "--encode-json", told).code == 1


def test_wrong_usage(run, writer: Writer, frames: list[Path], folder: Path) -> None:
    clip = writer.folder
    assert run("stream", "eval", clip, "--min-psnr", 30).code == 2
    assert run("stream", "eval", clip, "--images", folder).code == 2
    assert run("stream", "eval", clip, "--photo-pattern", "{frame}").code == 2
    assert run("stream", "eval", clip, "--report", "clip.pdf").code == 2
    assert run("stream", "eval", clip, *frames[:2]).code == 1
    assert run("stream", "eval", clip, "missing.ply").code == 1
    Path("there.csv").write_text("mine")
    assert run("stream", "eval", clip, "--csv", "there.csv").code == 1
    assert Path("there.csv").read_text() == "mine"


def test_access_is_a_gate(run, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    from gscompress.report import evaluate_clip

    real = evaluate_clip.__globals__["decode_by_itself"]
    monkeypatch.setitem(
        evaluate_clip.__globals__,
        "decode_by_itself",
        lambda clip, frame: "other" if frame in (1, 4) else real(clip, frame),
    )
    done = run("stream", "eval", writer.folder, "--check-access")
    assert done.code == 3
    assert "frames 1, 4 differ when decoded alone" in done.err
    assert "2 frames differ, bit for bit" in done.out
