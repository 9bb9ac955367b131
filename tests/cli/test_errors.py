"""What the command line says when something is wrong: exact texts, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gscompress import cli

VERBS = ", ".join(cli.VERBS)

CASES: dict[str, tuple[str, int, str]] = {
    "no such file": (
        "no.ply",
        1,
        "Error: no.ply: found no such file, expected a file. Check the path.",
    ),
    "a misspelt verb": (
        "infoo scene.ply",
        2,
        f"Error: 'infoo' is neither a verb ({VERBS}) nor a file. Did you mean 'info'?",
    ),
    "an output that exists": (
        "scene.ply -o there.gsz",
        1,
        "Error: there.gsz: found the file exists, expected a new name. "
        "Choose another name, or allow overwriting (-w on the command line)",
    ),
    "an output of another kind": (
        "scene.ply -o scene.spz",
        2,
        "Error: compress writes .gsz, not scene.spz: 'gscompress convert' writes all",
    ),
    "an output without its folder": (
        "scene.ply -o no/scene.gsz",
        1,
        "Error: no: found no such folder, expected one to write to",
    ),
    "several scenes in one file": (
        "scene.ply there.gsz -o x.gsz",
        2,
        "Error: 2 scenes do not fit into one file: name a folder by -o",
    ),
    "two scenes of one name": (
        "scene.ply ./scene.ply -w",
        2,
        "Error: several scenes would become scene.gsz",
    ),
    "an unknown preset": (
        "scene.ply --preset balansed",
        1,
        "Error: preset 'balansed': found no such preset, expected one of balanced, fast, "
        "lightgaussian, lossless, quality, small. Did you mean 'balanced'?",
    ),
    "two goals": (
        "scene.ply --target-size 5MB --quality 50",
        2,
        "Error: --quality and --target-size exclude each other",
    ),
    "a target size that is none": (
        "scene.ply --target-size 5TB",
        2,
        "Error: --target-size: target size: found '5TB', expected a size such as 800kB, 5MB or "
        "5MiB",
    ),
    "a quality out of range": (
        "scene.ply --quality 101",
        2,
        "Error: --quality: quality: found 101, expected 1 to 100",
    ),
    "a bound on nothing": (
        "scene.ply --max-error colour=1",
        2,
        "Error: --max-error: max error: found 'colour=1', expected such as means=1mm,scales=1%,"
        "opacities=0.01,quats=0.5deg,sh=0.02",
    ),
    "a bound in another unit": (
        "scene.ply --max-error quats=1mm",
        2,
        "Error: --max-error: max error: quats: found the unit 'mm', expected deg, rad",
    ),
    "a target without steps": (
        "scene.ply --preset lossless --target-size 5kB",
        1,
        "Error: target size: found a configuration whose codecs have no steps, expected one that "
        "is lossy, such as the preset balanced",
    ),
    "two configurations": (
        "scene.ply --preset fast --config x.toml",
        2,
        "Error: --preset and --config exclude each other",
    ),
    "an unknown field": (
        "scene.ply --preset fast --set attributes.means.bit=3",
        1,
        "Error: preset 'fast': attributes.means: found unknown field 'bit', expected one of bits, "
        "quantile. Did you mean 'bits'?",
    ),
    "a setting of another type": (
        "scene.ply --preset fast --set attributes.means.bits=a",
        1,
        "Error: preset 'fast': attributes.means.bits: found the string 'a', expected integer",
    ),
    "a setting without a value": (
        "scene.ply --set attributes.means.bits",
        1,
        "Error: --set attributes.means.bits: found 'attributes.means.bits', expected PATH=VALUE, "
        "such as stages.prune.keep=0.5",
    ),
    "an unknown device": (
        "scene.ply --device gpu",
        1,
        "Error: unknown device 'gpu': expected auto, cpu, cuda or cuda:<number>",
    ),
    "photos without cameras": (
        "scene.ply --images .",
        2,
        "Error: --images needs cameras, and there are none: give --cameras",
    ),
    "a report of unknown kind": (
        "scene.ply --report x.pdf",
        2,
        "Error: --report x.pdf: its name must end in .html or .json",
    ),
    "a damaged file": (
        "info damaged.gsz",
        1,
        "Error: damaged.gsz: head: found 6 bytes, expected 24 at least",
    ),
    "a folder": ("info .", 1, "Error: .: found a directory, expected a file. Check the path."),
    "an unknown format": (
        "convert scene.ply scene.xyz",
        1,
        "Error: scene.xyz: found the ending '.xyz', expected one of .compressed.ply, .glb, .gltf, "
        ".gsz, .ksplat, .ply, .sog, .splat, .spz, .usd, .usda, .usdc, .usdz, meta.json. "
        "Name the file by its format.",
    ),
    "more SH than there is": (
        "convert scene.ply x.ply --sh-degree 3",
        2,
        "Error: --sh-degree 3: scene.ply has spherical harmonics up to degree 1 only",
    ),
    "a size that is none": (
        "render scene.ply --size big",
        2,
        "Error: Invalid value for '--size': 'big' is no size such as 1280x720",
    ),
    "a picture of unknown kind": (
        "render scene.ply -o x.gif",
        2,
        "Error: -o x.gif: its name must end in .png or .mp4, or be a folder",
    ),
    "an unknown view": (
        "render scene.ply --cameras views/cameras.json --view x",
        1,
        "Error: views/cameras.json: view 'x': found no such camera, expected a name such as "
        "'view_00', or 0 to 8",
    ),
    "no cameras where some are wanted": (
        "eval scene.ply scene.ply --split train",
        2,
        "Error: --split needs cameras, and there are none: give --cameras",
    ),
    "a cleaning without a filter": (
        "clean scene.ply x.ply",
        2,
        "Error: nothing to remove: give --box, --sphere, --min-opacity, --max-scale, --radius or "
        "--statistical",
    ),
    "a ball of three numbers": (
        "clean scene.ply x.ply --sphere 0,0,1",
        2,
        "Error: Invalid value for '--sphere': '0,0,1' is not X,Y,Z,R",
    ),
    "a box inside out": (
        "clean scene.ply x.ply --box 1,0,0,0,1,1",
        2,
        "Error: box: found (1.0, 0.0, 0.0) to (0.0, 1.0, 1.0), expected low <= high",
    ),
    "a filter that keeps nothing": (
        "clean scene.ply x.ply --sphere 99,0,0,1",
        1,
        "Error: sphere: found none of 300 Gaussians kept, expected at least one. Check the units: "
        "positions and scales are in those of the scene's file.",
    ),
    "an unknown option": ("scene.ply --nosuch", 2, "Error: No such option '--nosuch'."),
}


@pytest.mark.parametrize("case", CASES)
def test_error_messages(run, ply, cameras, case: str) -> None:
    Path("there.gsz").write_bytes(b"")
    Path("damaged.gsz").write_bytes(b"\x89GSZ\x01\x00")
    before = sorted(Path().rglob("*"))
    args, code, text = CASES[case]
    done = run(*args.split())
    assert (done.code, done.out) == (code, "")
    assert done.err.splitlines()[-1] == text
    assert "Traceback" not in done.err
    assert sorted(Path().rglob("*")) == before


def test_existing_outputs_are_refused_before_any_work(run, ply, monkeypatch) -> None:
    import gscompress.io

    def refuse(path: object) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("gscompress.pipeline.compress", refuse)
    monkeypatch.setattr(gscompress.io, "load", refuse)
    Path("there.gsz").write_bytes(b"x")
    Path("there.png").write_bytes(b"x")
    Path("there.html").write_bytes(b"x")
    for args in (
        "scene.ply -o there.gsz",
        "scene.ply --report there.html",
        "convert scene.ply there.gsz",
        "render scene.ply -o there.png",
        "eval scene.ply scene.ply --report there.html",
    ):
        done = run(*args.split())
        assert done.code == 1, done.err
        assert "the file exists" in done.err
    assert Path("there.gsz").read_bytes() == b"x"


def test_a_missed_gate_exits_with_3_and_still_prints_the_result(run, ply, cameras) -> None:
    run(ply, "--preset", "fast")
    args = ("eval", ply, "scene.gsz", "--cameras", cameras, "--json", "--min-psnr")
    passed, missed = run(*args, 1), run(*args, 149)
    assert (passed.code, missed.code) == (0, 3)
    assert json.loads(missed.out)["psnr"] == json.loads(passed.out)["psnr"]
    assert "below --min-psnr 149" in missed.err


def test_a_defect_of_ours_is_one_line(run, ply, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("gscompress.pipeline.compress", fail)
    done = run(ply)
    assert done.code == 1
    assert done.err.splitlines()[0] == "Internal error: RuntimeError: boom"
    assert "please report" in done.err
    assert "Traceback" not in done.err
    assert "Traceback" in run(ply, "-v", "-v").err


def test_interrupted(run, ply, monkeypatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gscompress.pipeline.compress", interrupt)
    done = run(ply)
    assert (done.code, done.err.strip()) == (130, "interrupted")
    assert not Path("scene.gsz").exists()
