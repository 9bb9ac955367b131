"""``gscompress clean``: counts, the guard, and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gscompress.gaussians import Gaussians
from gscompress.io import load, save


@pytest.fixture
def floaters(ply, scene) -> Gaussians:
    """``dirty.ply``: the scene and 40 opaque floaters at a distance of 2.5 to 3."""
    rng = np.random.default_rng(1)
    far = rng.normal(size=(40, 3))
    far *= rng.uniform(2.5, 3, (40, 1)) / np.linalg.norm(far, axis=1, keepdims=True)
    more = scene.select(np.arange(40)).replace(means=far)
    save(Gaussians.concat([scene, more]), "dirty.ply")
    return more


def test_counts_and_what_is_left(run, scene, floaters) -> None:
    done = run("clean", "dirty.ply", "out.ply", "--sphere", "0,0,0,2", "--min-opacity", "0.5")
    assert done.code == 0, done.err
    expected = scene.select(scene.opacities >= 0.5)
    assert 50 < len(expected) < 300
    assert np.array_equal(load("out.ply").means, expected.means)
    assert done.out.splitlines()[0] == "sphere               340 -> 300, 40 removed"
    assert f"all                  340 -> {len(expected)}, " in done.out
    args = ("clean", "dirty.ply", "out.ply", "--box", "-2,-2,-2,2,2,2", "--json")
    assert run(*args).code == 1  # it exists
    document = json.loads(run(*args, "-w").out)
    assert (document["gaussians_in"], document["filters"][0]["name"]) == (340, "box")
    assert document["gaussians_out"] == len(load("out.ply"))
    assert document["psnr"] is None


def test_any_format_comes_out(run, scene, floaters) -> None:
    assert run("clean", "dirty.ply", "out.spz", "--sphere", "0,0,0,2").code == 0
    assert len(load("out.spz")) == 300


def test_the_guard_looks_before_anything_is_written(run, cameras, floaters) -> None:
    args = ("clean", "dirty.ply", "out.ply", "--min-opacity", "0.3", "--cameras", cameras)
    refused = run(*args, "--min-psnr", 90)
    assert (refused.code, refused.out) == (3, "")
    assert "nothing was written" in refused.err
    assert "below --min-psnr 90, at 2 held-out cameras of" in refused.err
    assert not Path("out.ply").exists()
    document = json.loads(run(*args, "--min-psnr", 10, "--json").out)
    run("convert", "dirty.ply", "x.ply")
    found = json.loads(run("eval", "dirty.ply", "out.ply", "--cameras", cameras, "--json").out)
    assert document["psnr"] == found["psnr"]
    assert document["psnr_worst"] == found["psnr_worst"]
    assert 10 < document["psnr"] < 90


def test_the_guard_makes_its_own_views_where_there_are_no_cameras(run, floaters) -> None:
    done = run("clean", "dirty.ply", "out.ply", "--max-scale", "9", "--min-psnr", 140)
    assert done.code == 0, done.err
    assert "PSNR        150.00 dB" in done.out
    assert "3 virtual cameras" in done.out


def test_cameras_without_a_guard_are_a_mistake(run, cameras, floaters) -> None:
    done = run("clean", "dirty.ply", "x.ply", "--min-opacity", "0.1", "--cameras", cameras)
    assert (done.code, done.err) == (2, "Error: --cameras needs --min-psnr\n")


def test_floaters_go_with_open3d(run, floaters) -> None:
    pytest.importorskip("open3d", reason="needs open3d (pip install 'gscompress[open3d]')")
    done = run("clean", "dirty.ply", "out.ply", "--statistical", "2", "--json")
    assert done.code == 0, done.err
    kept = load("out.ply")
    distances = np.linalg.norm(kept.means, axis=1)
    assert (distances > 2).sum() <= 2
    assert (distances <= 1).sum() >= 297


def test_without_open3d_nothing_is_written(run, floaters, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "open3d", None)
    done = run("clean", "dirty.ply", "out.ply", "--radius", "0.5")
    assert done.code == 1
    assert done.err == (
        "Error: Removing floaters needs the package 'open3d', which is not installed. Install it "
        "with: pip install 'gscompress[open3d]'\n"
    )
    assert not Path("out.ply").exists()
