"""The question targets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gscompress as gs

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(autouse=True)
def tools_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


def test_targets_are_round_and_spread():
    from benchmarks.targets import targets_between

    sizes = targets_between("size", 94_903, 411_222, 10)
    assert len(sizes) == 10
    assert (sizes[0], sizes[-1]) == (94_900, 411_000)
    assert np.ptp(np.diff(np.log(sizes))) < 0.02
    psnrs = targets_between("psnr", 30.04, 57.02, 10)
    assert (psnrs[0], psnrs[-1]) == (30.0, 57.0)
    assert np.ptp(np.diff(psnrs)) < 0.15


def test_what_counts_as_a_hit():
    from benchmarks.targets import _hits

    assert [_hits("size", 1000, size) for size in (989, 990, 1000, 1001)] == [
        False, True, True, False
    ]  # fmt: skip
    assert [_hits("psnr", 40, psnr) for psnr in (39.999, 40, 40.1, 40.11)] == [
        False, True, True, False
    ]  # fmt: skip


def test_targets_of_a_part_of_the_demo_scene(tmp_path, capsys):
    from benchmarks import targets

    ply, out = tmp_path / "scene.ply", tmp_path / "out.json"
    scenes = TOOLS.parent / "scenes"
    gs.save(gs.load(scenes / "demo.ply").select(slice(0, None, 6)), ply)
    command = [str(ply), "--cameras", str(scenes / "cameras.json"), "--max-views", "4"]
    command += ["--scale", "0.25", "--preset", "fast", "--count", "2"]
    command += ["--qualities", "50", "70", "--device", "cpu"]
    command += ["--cache", str(tmp_path / "cache.json"), "--json", str(out)]
    assert targets.main(command) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["kind"] for row in rows] == ["size"] * 2 + ["psnr"] * 2
    assert all(row["hit"] for row in rows)
    assert all(row["encodes"] >= 1 for row in rows)
    for row in rows[2:]:
        assert row["promised"] == pytest.approx(row["reached"], abs=1e-5)
    before = capsys.readouterr().out
    assert "scene.ply, psnr: 2 of 2 hit" in before
    assert targets.main(command) == 0
    assert capsys.readouterr().out == before
