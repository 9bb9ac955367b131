"""The tables of formats and of the browser, on a scene that takes no time."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import gscompress as gs
from tests.tools.test_bench import TOOLS, make_scene


@pytest.fixture(autouse=True)
def tools_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


def test_the_table_of_writers(tmp_path, capsys):
    from benchmarks.exchange import main

    pytest.importorskip("gsply")
    gs.save(make_scene(200, 2), tmp_path / "a.ply")
    gs.save(make_scene(200, 2), tmp_path / "b.sog")
    options = ["--max-views", "2", "--scale", "0.1", "--only", "g"]
    options += ["--made", f"other={tmp_path / 'b.sog'}", "--npm", str(tmp_path)]
    assert main([str(tmp_path / "a.ply"), *options, "--json", str(tmp_path / "a.json")]) == 0
    rows = json.loads((tmp_path / "a.json").read_text())["rows"]
    found = {(row["writer"], row["setting"]): row for row in rows}
    ours = found["SPZ v4 (gscompress)", "SH 8/8 bits, seen"]
    assert ours["psnr"] > found["SPZ v4 (gscompress)", "SH 5/4 bits, seen"]["psnr"]
    theirs = found["gsply .spz v4", "SH 8/8 bits"]
    assert not theirs["skipped"]
    assert ours["psnr"] >= theirs["psnr"] - 0.5
    assert found["SOG (gscompress)", "seen"]["bytes"] > 1000
    assert found["other", ""]["bytes"] == (tmp_path / "b.sog").stat().st_size
    assert found["other", ""]["cpu_seconds"] is None
    assert "| SPZ v4 (gscompress) | SH 5/4 bits, seen |" in capsys.readouterr().out


def test_the_page_has_the_native_bits(tmp_path):
    """In a process of its own: one process has one browser at a time."""
    from benchmarks.browser import PROGRAMS, digest_of

    pytest.importorskip("playwright")
    if not any(map(shutil.which, PROGRAMS)):
        pytest.skip("needs a Chromium")
    gs.compress(make_scene(300, 1), "fast", device="cpu").save(tmp_path / "a.gsz")
    options = ["--repeats", "1", "--size", "64x48", "--json", str(tmp_path / "a.json")]
    command = [sys.executable, TOOLS / "bench.py", "browser", tmp_path / "a.gsz", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    document = json.loads((tmp_path / "a.json").read_text())
    scene = gs.decompress(tmp_path / "a.gsz")
    assert document["same"]
    assert document["sha256"] == digest_of(scene)
    turned = scene.replace(quats=np.roll(scene.quats, 1, axis=0))
    assert digest_of(turned) != document["sha256"]
    assert "same as native" in done.stdout
