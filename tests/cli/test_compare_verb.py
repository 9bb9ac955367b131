"""``gscompress compare``: its numbers, files, gates, and what it refuses before any work."""

from __future__ import annotations

import csv
import hashlib
import json
import shlex
import sys
from pathlib import Path

import pytest

from gscompress.io import save
from gscompress.render.cpu import CpuRenderer


@pytest.fixture
def files(run, ply, cameras, scene) -> list[str]:
    """Two files made from scene.ply; no cameras beside them."""
    assert run(ply, "--preset", "fast", "-o", "a.gsz", "--json").code == 0
    save(scene, "b.spz")
    return ["a.gsz", "b.spz"]


def test_numbers_equal_those_of_eval(run, ply, cameras, files) -> None:
    done = run("compare", ply, *files, "--cameras", cameras, "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert [file["name"] for file in document["files"]] == files
    for file in document["files"]:
        alone = json.loads(run("eval", ply, file["path"], "--cameras", cameras, "--json").out)
        for key in ("bytes", "ratio", "bits_per_gaussian", "psnr", "ssim", "psnr_worst", "views"):
            assert file[key] == alone[key], key
        content = Path(file["path"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["bytes"] == len(content)
    assert sum(document["files"][0]["bytes_by_attribute"].values()) == Path("a.gsz").stat().st_size
    parts = document["files"][1]["bytes_by_attribute"]
    assert sum(parts.values()) == Path("b.spz").stat().st_size
    assert set(parts) == {"means", "opacities", "sh0", "scales", "quats", "shN", "container"}
    assert 0 < document["coverage"]["share_once"] <= 1


def test_all_outputs_at_once(run, ply, cameras, files, monkeypatch) -> None:
    args = ["compare", str(ply), *files, "--cameras", str(cameras), "--split", "all", "--every", 4]
    args += ["--size", "32x24", "-o", "r.html", "-o", "r.json", "--csv", "r.csv", "--fps"]
    monkeypatch.setattr(sys, "argv", ["/somewhere/gscompress", *map(str, args)])
    done = run(*args)
    assert done.code == 0, done.err
    assert "3 of 9 cameras of" in done.out
    assert "b.spz" in done.out
    document = json.loads(Path("r.json").read_text())
    protocol = document["protocol"]
    assert (protocol["cameras"], protocol["every"], protocol["sizes"]) == (3, 4, "32x24")
    names = [view["name"] for view in document["files"][0]["views"]]
    assert names == ["view_01", "view_05", "view_08"]
    rows = list(csv.DictReader(Path("r.csv").read_text().splitlines()))
    assert [row["view"] for row in rows] == ["mean", *names] * 2
    assert all(float(row["fps"]) > 0 for row in rows)
    assert float(rows[4]["psnr"]) == document["files"][1]["psnr"]
    page = Path("r.html").read_text()
    assert document["files"][0]["sha256"] in page
    assert document["command"] == shlex.join(["gscompress", *map(str, args)])
    again = run(*args)
    assert again.code == 1
    assert "r.html: found the file exists" in again.err


def test_encode_seconds_come_from_compress(run, ply, cameras, files) -> None:
    told = json.loads(run(ply, "--preset", "fast", "-o", "a.gsz", "-w", "--json").out)
    Path("a.json").write_text(json.dumps(told))
    args = ("compare", ply, *files, "--cameras", cameras, "--json", "--encoded", "a.json")
    document = json.loads(run(*args).out)
    assert [file["encode_seconds"] for file in document["files"]] == [told["seconds"], None]
    both = {"files": [told, {"input": "x", "error": "it failed"}]}
    Path("a.json").write_text(json.dumps(both))
    assert json.loads(run(*args).out)["files"][0]["encode_seconds"] == told["seconds"]
    other = json.loads(run("convert", ply, "b.spz", "-w", "--json").out)
    Path("b.json").write_text(json.dumps(other))
    document = json.loads(run(*args, "--encoded", "b.json").out)
    assert [file["encode_seconds"] for file in document["files"]] == [
        told["seconds"],
        other["seconds"],
    ]
    assert other["seconds"] > 0
    for text, found in (("{", "no JSON"), ("{}", "JSON that says"), ("[1]", "JSON that says")):
        Path("a.json").write_text(text)
        assert f"a.json: found {found}" in run(*args).err


def test_photos(run, ply, cameras, files) -> None:
    """Photos that are the renders themselves: the reference loses their rounding only."""
    run("render", ply, "--cameras", cameras, "-o", "photos")
    args = ("compare", ply, *files, "--cameras", cameras, "--images", "photos")
    document = json.loads(run(*args, "--json").out)
    assert document["reference"]["psnr"] > 50
    for file in document["files"]:
        assert file["psnr_drop"] == document["reference"]["psnr"] - file["psnr"]
        assert file["psnr"] == pytest.approx(file["render_psnr"], abs=0.5)
    assert "drop" in run(*args).out


def test_each_file_that_misses_a_gate_is_named(run, ply, cameras, files) -> None:
    args = ("compare", ply, *files, "--cameras", cameras, "--json")
    found = {file["name"]: file for file in json.loads(run(*args).out)["files"]}
    sizes = {name: file["bytes"] for name, file in found.items()}
    small, large = sorted(sizes, key=sizes.__getitem__)
    passed = run(*args, "--min-psnr", 1, "--max-size", "1MB")
    assert (passed.code, passed.err) == (0, "")
    missed = run(*args, "--max-size", f"{sizes[small]}B", "-o", "r.html")
    assert missed.code == 3
    text = f"{large}: {sizes[large]:,} bytes are above --max-size {sizes[small]:,}"
    assert missed.err == f"Error: 1 of 2 files missed a gate: {text}\n"
    assert json.loads(missed.out)["files"][0]["bytes"] == sizes["a.gsz"]
    assert Path("r.html").is_file()
    both = run(*args, "--min-psnr", 149)
    assert both.code == 3
    assert both.err.startswith("Error: 2 of 2 files missed a gate: a.gsz: PSNR ")
    assert "; b.spz: PSNR " in both.err
    each = run(*args, "--min-psnr", 149, "--max-size", "1B")
    assert each.err.startswith("Error: 2 of 2 files missed a gate: a.gsz: PSNR ")
    assert each.err.count(" bytes are above --max-size 1") == 2


def test_the_file_is_named_in_a_narrow_terminal(run, ply, cameras, files, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    run("render", ply, "--cameras", cameras, "-o", "photos")
    done = run("compare", ply, *files, "--cameras", cameras, "--images", "photos", "--fps")
    assert "a.gsz" in done.out
    assert "b.spz" in done.out


def test_bad_files_and_options_stop_before_any_rendering(
    run, ply, cameras, files, monkeypatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was rendered")

    monkeypatch.setattr(CpuRenderer, "render", refuse)
    Path("bad.gsz").write_bytes(Path("a.gsz").read_bytes()[:-9])
    Path("there.csv").write_bytes(b"mine")
    args = ["compare", str(ply), *files, "--cameras", str(cameras)]
    cases = {
        "bad.gsz": (1, "bad.gsz: "),
        "missing.spz": (1, "missing.spz: found no such file"),
        "--csv there.csv": (1, "there.csv: found the file exists"),
        "--csv no/x.csv": (1, "no: found no such folder"),
        "-o x.pdf": (2, "-o x.pdf: its name must end in .html or .json"),
        "--max-size big": (2, "--max-size: "),
        "--images . --size 8x8": (2, "--size excludes --images"),
        "--device cuda:77": (1, "cuda:77"),
    }
    for extra, (code, text) in cases.items():
        done = run(*args, *extra.split())
        assert (done.code, done.out) == (code, ""), extra
        assert text in done.err
        assert "Internal error" not in done.err
    assert Path("there.csv").read_bytes() == b"mine"
