from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gscompress.gaussians import Gaussians
from gscompress.io import load, save

KEYS = {
    "input_bytes",
    "output_bytes",
    "ratio",
    "gaussians_in",
    "gaussians_out",
    "bytes_by_attribute",
    "stages",
    "seconds",
    "psnr",
}


HURRIED = ("--set", "stages.1.steps=6", "--set", "stages.2.steps=4")
"""Fine-tuning for tests."""


def test_a_scene_alone_is_compressed_with_balanced(run, ply, scene) -> None:
    code, out, err = run(ply, "--no-eval", *HURRIED)
    assert (code, err) == (0, "")
    from gscompress.container import Index

    header = Index.read("scene.gsz").header
    assert header["config"]["attributes"]["importance"]["use"] == "classes"
    assert [stage["use"] for stage in header["config"]["stages"]] == [
        "merge",
        "finetune",
        "finetune",
    ]
    left = len(load("scene.gsz"))
    assert 0.55 * len(scene) < left < 0.65 * len(scene)
    size = os.path.getsize("scene.gsz")
    assert f"{ply.stat().st_size:,} -> {size:,} bytes" in out
    assert f"Gaussians  300 -> {left}" in out


def test_json_is_all_of_stdout(run, ply) -> None:
    code, out, _ = run("compress", ply, "--preset", "fast", "--json", "-v")
    document = json.loads(out)
    assert code == 0
    assert set(document) >= KEYS
    assert document["input_bytes"] == ply.stat().st_size
    assert document["output_bytes"] == os.path.getsize("scene.gsz")
    assert sum(document["bytes_by_attribute"].values()) == document["output_bytes"]
    assert document["ratio"] == document["input_bytes"] / document["output_bytes"]
    assert document["psnr"] is None
    assert document["evaluation"] is None
    assert document["stages"] == []


def test_fast_renders_nothing(run, ply, cameras, monkeypatch: pytest.MonkeyPatch) -> None:
    import gscompress.render.base  # noqa: F401 - so that the package is there

    def refuse(*_: object) -> None:
        raise AssertionError("rendered")

    monkeypatch.setattr(sys.modules["gscompress.render"], "get_renderer", refuse)
    cameras.rename("cameras.json")  # beside the scene: found, but nobody asked for a figure
    assert run(ply, "--preset", "fast").code == 0


def test_the_figure_is_measured_at_held_out_cameras(run, ply, cameras) -> None:
    code, out, _ = run(ply, "--preset", "fast", "--cameras", cameras, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["psnr"] > 30
    assert document["evaluation"]["cameras"] == f"2 held-out cameras of {cameras}"
    again = json.loads(run("eval", ply, "scene.gsz", "--cameras", cameras, "--json").out)
    assert document["psnr"] == pytest.approx(again["psnr"], abs=1e-9)


def test_without_cameras_virtual_ones_are_used_and_named(run, ply) -> None:
    code, out, _ = run(ply, "--preset", "fast", "--eval")
    assert code == 0
    assert "virtual cameras, none being given" in out
    assert re.search(r"coverage   \d+\.\d% of the opacity-weighted area is seen by 3 or more", out)
    _, document, _ = run(ply, "--preset", "fast", "--eval", "-w", "--json")
    seen = json.loads(document)["evaluation"]["coverage"]
    assert 0 < seen["share"] <= seen["share_once"] <= 1
    assert seen["views"] == 3
    assert "dB against the input's renders" in out


def test_report(run, ply, cameras) -> None:
    args = (ply, "--preset", "fast", "--cameras", cameras)
    assert run(*args, "--report", "r.json").code == 0
    report = json.loads(Path("r.json").read_text())
    assert report["bytes"] == os.path.getsize("scene.gsz")
    assert run(*args, "-w", "--report", "r.html").code == 0
    assert "<html" in Path("r.html").read_text()


def test_settings_reach_the_file(run, ply) -> None:
    args = ("--preset", "fast", "--set", "attributes.means.bits=11", "--stages", "none")
    assert run(ply, *args).code == 0
    document = json.loads(run("info", "scene.gsz", "--json").out)
    assert document["config"]["attributes"]["means"]["bits"] == 11
    assert document["config"]["stages"] == []


def test_a_configuration_file(run, ply) -> None:
    from gscompress.config import _preset_folder

    text = (_preset_folder() / "fast.toml").read_text()
    Path("mine.toml").write_text(text)
    assert run(ply, "--config", "mine.toml", "--no-eval").code == 0


def test_the_same_seed_gives_the_same_file(run, ply) -> None:
    assert run(ply, "-o", "a.gsz", "--no-eval", "--seed", 3, *HURRIED).code == 0
    assert run(ply, "-o", "b.gsz", "--no-eval", "--seed", 3, *HURRIED).code == 0
    assert Path("a.gsz").read_bytes() == Path("b.gsz").read_bytes()


def test_an_interrupted_run_goes_on(run, ply, cameras) -> None:
    """The state is kept by name of the file; what was done is not done again."""
    from gscompress.config import _preset_folder

    stage = """[[stages]]
use = "finetune"
steps = 6
check_every = 2
requantize = 0
"""
    Path("mine.toml").write_text(
        (_preset_folder() / "fast.toml").read_text().replace("[attributes]", stage + "[attributes]")
    )
    args = (ply, "--config", "mine.toml", "--no-eval", "--cameras", cameras, "--overwrite")
    assert run(*args, "-o", "a.gsz").code == 0
    assert run(*args, "-o", "b.gsz", "--resume", "states").code == 0
    state = Path("states/b.gsz/0_finetune.npz")
    written = state.stat().st_mtime_ns
    assert run(*args, "-o", "b.gsz", "--resume", "states").code == 0
    assert Path("a.gsz").read_bytes() == Path("b.gsz").read_bytes()
    with np.load(state) as arrays:
        assert arrays["step"] == 6
    assert state.stat().st_mtime_ns > written
    state.write_bytes(b"nothing of the kind")
    code, _, err = run(*args, "-o", "b.gsz", "--resume", "states")
    assert code == 1
    assert "0_finetune.npz" in err


def test_a_folder_for_states_that_cannot_be(run, ply) -> None:
    Path("file").write_text("")
    code, _, err = run(ply, "--preset", "fast", "--resume", "file")
    assert code == 1
    assert "file" in err
    assert not Path("scene.gsz").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_batch(run, ply, scene: Gaussians, jobs: int) -> None:
    save(scene.select(slice(0, 100)), "second.ply")
    Path("broken.ply").write_bytes(b"ply\nnonsense")
    args = (ply, "broken.ply", "second.ply", "--preset", "fast", "--jobs", jobs, "--json")
    code, out, err = run(*args)
    assert code == 1
    first, broken, second = json.loads(out)["files"]
    assert (first["gaussians_out"], second["gaussians_out"]) == (300, 100)
    assert broken["input"] == "broken.ply"
    assert broken["error"].startswith("broken.ply: ")
    assert broken["error"] in err
    assert err.endswith("Error: 1 of 3 scenes failed\n")
    assert sorted(path.name for path in Path().iterdir()) == [
        "broken.ply", "scene.gsz", "scene.ply", "second.gsz", "second.ply"
    ]  # fmt: skip


def test_a_batch_into_a_folder(run, ply, scene: Gaussians) -> None:
    save(scene, "second.ply")
    Path("out").mkdir()
    code, out, err = run(ply, "second.ply", "-o", "out", "--preset", "fast")
    assert (code, err) == (0, "")
    assert sorted(os.listdir("out")) == ["scene.gsz", "second.gsz"]
    assert "out/second.gsz" in out


def test_an_empty_scene(run, folder, scene: Gaussians) -> None:
    save(scene.select(slice(0, 0)), "empty.ply")
    assert run("empty.ply").code == 0
    assert len(load("empty.gsz")) == 0
    assert run("info", "empty.gsz").code == 0


def test_killed_at_any_moment_leaves_no_partial_file(ply) -> None:
    """A bounded version: three moments."""
    program = [sys.executable, "-m", "gscompress", str(ply), "--preset", "fast", "-w", "-q"]
    started = time.perf_counter()
    subprocess.run(program, check=True)
    whole = time.perf_counter() - started
    Path("scene.gsz").unlink()
    for share in (0.4, 0.7, 0.9):
        process = subprocess.Popen(program)
        time.sleep(share * whole)
        process.kill()
        process.wait()
        if Path("scene.gsz").exists():
            assert len(load("scene.gsz")) == 300
            Path("scene.gsz").unlink()


def test_a_target_size_is_reached_and_said(run, ply) -> None:
    code, out, _ = run(ply, "--preset", "fast", "--target-size", "9kB", "--json")
    assert code == 0
    document = json.loads(out)
    assert 8910 <= document["output_bytes"] == os.path.getsize("scene.gsz") <= 9000
    rate = document["rate"]
    assert set(rate) == {"kind", "target", "reached", "octaves", "encodes"}
    assert (rate["kind"], rate["target"], rate["reached"]) == ("size", 9000, os.path.getsize(
        "scene.gsz"
    ))  # fmt: skip
    out = run(ply, "--preset", "fast", "--target-size", "9kB", "-w").out
    assert "target     9,000 bytes: 99." in out


def test_a_target_size_out_of_reach_writes_nothing(run, ply) -> None:
    done = run(ply, "--preset", "fast", "--target-size", "100B")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(
        r"Error: target size: found 100 bytes, expected the nearest that can be reached: "
        r"1,\d{3} bytes\. The steps are as coarse as they get: "
        r"only fewer Gaussians are smaller\.\n",
        done.err,
    )
    assert not Path("scene.gsz").exists()


def test_a_target_psnr_holds_where_it_is_measured(run, ply, cameras) -> None:
    args = (ply, "--preset", "fast", "--cameras", cameras, "--target-psnr", 40)
    code, out, _ = run(*args, "--json")
    assert code == 0
    document = json.loads(out)
    assert 40 <= document["rate"]["reached"] <= 40.1
    assert document["rate"]["views"] == "2 control views"
    assert document["psnr"] == pytest.approx(document["rate"]["reached"], abs=1e-4)
    assert "target     40 dB: 40.0" in run(*args, "-w").out


def test_a_target_psnr_without_cameras_holds_at_the_virtual_ones(run, ply) -> None:
    code, out, _ = run(ply, "--preset", "fast", "--target-psnr", 40, "--json")
    assert code == 0
    document = json.loads(out)
    assert 40 <= document["psnr"] <= 40.1
    assert document["rate"]["views"] == "3 control views"


def test_quality_and_bounds_are_said(run, ply) -> None:
    assert "quality    50: -1.00 octaves" in run(ply, "--no-eval", "--quality", 50, *HURRIED).out
    args = ("--preset", "fast", "-w", "--max-error", "means=1mm,sh=0.02")
    out = run(ply, *args).out
    assert [line[:18] for line in out.splitlines() if line.startswith("bound")] == [
        "bound      means 0", "bound      sh0 0.0", "bound      shN 0.0"
    ]  # fmt: skip
