from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

import gscompress
from gscompress.cli import VERBS
from gscompress.io import load


def test_version_and_help(run) -> None:
    assert run("--version").out == f"gscompress {gscompress.__version__}\n"
    for args in ([], ["--help"], ["-h"]):
        done = run(*args)
        assert all(f"  {verb} " in done.out + done.err for verb in VERBS)
    for verb in VERBS:
        done = run(verb, "--help")
        assert done.code == 0
        assert f"Usage: gscompress {verb}" in done.out


def test_flags_may_stand_before_the_verb(run, ply) -> None:
    assert json.loads(run("--json", "info", ply).out)["gaussians"] == 300
    assert run("-q", "info", ply).out == ""


def test_info_of_a_ply(run, ply) -> None:
    document = json.loads(run("info", ply, "--json").out)
    assert document["format"] == "ply"
    assert document["bytes"] == ply.stat().st_size
    assert (document["gaussians"], document["sh_degree"], document["mode"]) == (300, 1, "default")
    assert document["bits_per_gaussian"] == 8 * ply.stat().st_size / 300
    assert "Gaussians  300" in run("info", ply).out


def test_info_of_a_gsz(run, ply) -> None:
    compressed = json.loads(run(ply, "--preset", "fast", "--json").out)
    document = json.loads(run("info", "scene.gsz", "--json").out)
    assert document["bytes_by_attribute"] == compressed["bytes_by_attribute"]
    assert document["config"]["attributes"]["means"]["use"] == "morton"
    assert document["provenance"]["gscompress"] == gscompress.__version__
    text = run("info", "scene.gsz").out
    assert "SH degree  1" in text
    assert "morton" in text


def test_levels_of_detail(run, ply) -> None:
    run(ply, "--preset", "fast", "--set", "levels=[0.2, 0.6]")
    levels = json.loads(run("info", "scene.gsz", "--json").out)["levels"]
    assert len(levels) == 3
    assert levels[-1] == {"gaussians": 300, "end": os.path.getsize("scene.gsz")}
    assert f"{levels[1]['gaussians']} Gaussians" in run("info", "scene.gsz").out
    Path("start.gsz").write_bytes(Path("scene.gsz").read_bytes()[: levels[1]["end"]])
    assert run("convert", "start.gsz", "coarse.ply", "--level", "1").code == 0
    assert len(load("coarse.ply")) == levels[1]["gaussians"]
    failed = run("convert", "start.gsz", "all.ply")
    assert failed.code == 1
    assert "truncated" in failed.err
    assert run("convert", "scene.gsz", "no.ply", "--level", "3").code == 1
    assert run("convert", ply, "no.ply", "--level", "0").code == 1
    assert (
        "found the format ply, expected a .gsz" in run("convert", ply, "no.ply", "--level", 1).err
    )
    assert not Path("no.ply").exists()


@pytest.mark.parametrize(
    "header", [{}, {"gaussians": "x"}, {"gaussians": -1, "config": 3}, {"config": {"stages": 1}}]
)
def test_info_of_a_header_that_makes_no_sense(run, folder, header) -> None:
    from gscompress.container import Container

    Path("odd.gsz").write_bytes(Container(header, {}).to_bytes())
    done = run("info", "odd.gsz")
    assert done.code == 1
    assert done.err.startswith("Error: odd.gsz: header: ")


def test_info_starts_fast_and_without_torch(run, ply) -> None:
    run(ply, "--preset", "fast")
    program = (
        "import sys; sys.argv = ['gscompress', 'info', 'scene.gsz']\n"
        "from gscompress.cli import main\n"
        "try: main()\n"
        "finally: assert not {'torch', 'rich', 'plyfile', 'numpy'} & set(sys.modules)"
    )
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(seconds) < 0.3


def test_convert_there_and_back(run, ply, scene) -> None:
    assert run("convert", ply, "x.gsz").code == 0
    done = run("convert", "x.gsz", "y.ply", "--json")
    document = json.loads(done.out)
    assert document["output_bytes"] == os.path.getsize("y.ply")
    back = load("y.ply")
    assert len(back) == len(scene)
    key = np.lexsort(np.round(back.means, 2).T)
    expected = np.lexsort(np.round(scene.means, 2).T)
    assert np.abs(back.means[key] - scene.means[expected]).mean() < 0.05


def test_convert_keeps_the_bands_asked_for(run, ply, scene) -> None:
    assert run("convert", ply, "x.ply", "--sh-degree", 0).code == 0
    assert np.array_equal(load("x.ply").sh, scene.sh[:, :1])
    assert run("convert", ply, "x.ply").code == 1
    assert run("convert", ply, "x.ply", "-w").code == 0
    assert np.array_equal(load("x.ply").sh, scene.sh)


def test_convert_passes_settings_on(run, ply, scene) -> None:
    assert run("convert", ply, "a.spz", "--spz-version", 3, "--sh-bits", "8,8").code == 0
    assert Path("a.spz").read_bytes()[:2] == b"\x1f\x8b"
    assert run("convert", ply, "b.spz", "--sh-bits", "3,1").code == 0
    assert 1 < len(np.unique(load("b.spz").sh[:, 1:])) < 6
    assert len(np.unique(load("a.spz").sh[:, 1:])) > 10
    assert run("convert", ply, "a.sog", "--sog-palette", 16, "--webp-effort", 0).code == 0
    assert len(np.unique(load("a.sog").sh[:, 1:], axis=0)) <= 16
    for flags in (["--spz-version", 3], ["--sh-bits", "5,4"], ["--webp-effort", 1]):
        done = run("convert", ply, "b.ply", *flags)
        assert done.code == 2
        assert f"{flags[0]}: a .ply has no such setting" in done.err
    assert run("convert", ply, "c.spz", "--sh-bits", "9,1").code == 2
    assert "--axes-in: axes: found up" in run("convert", ply, "c.spz", "--axes-in", "up").err
    assert not Path("b.ply").exists()
    assert not Path("c.spz").exists()


def test_convert_to_sog_looks_from_cameras(run, ply, cameras) -> None:
    assert run("convert", ply, "blind.sog", "--views", 0, "--sog-palette", 16).code == 0
    done = run("convert", ply, "virtual.sog", "--views", 4, "--sog-palette", 16)
    assert "4 virtual cameras" in done.out
    args = ("convert", ply, "seen.sog", "--sog-palette", 16, "--cameras", cameras, "--json")
    assert run(*args).code == 0
    psnr = {}
    for name in ("blind", "seen"):
        where = ("--cameras", cameras, "--split", "train")  # these few see little of the sphere
        psnr[name] = json.loads(run("eval", ply, f"{name}.sog", *where, "--json").out)["psnr"]
    assert psnr["seen"] > psnr["blind"] + 1
    for flags in (["--views", 3], ["--cameras", cameras]):
        assert f"{flags[0]}: a .ply has no such setting" in run("convert", ply, "b.ply", *flags).err


def test_convert_to_spz_looks_from_cameras(run, ply, cameras) -> None:
    assert run("convert", ply, "blind.spz", "--views", 0).code == 0
    assert run("convert", ply, "seen.spz", "--cameras", cameras).code == 0
    assert "3 virtual cameras" in run("convert", ply, "virtual.spz", "--views", 3).out
    psnr = {}
    for name in ("blind", "seen"):
        where = ("--cameras", cameras, "--split", "train")
        psnr[name] = json.loads(run("eval", ply, f"{name}.spz", *where, "--json").out)["psnr"]
    assert psnr["seen"] > psnr["blind"]


def test_convert_turns_axes(run, ply, scene) -> None:
    assert run("convert", ply, "a.glb").code == 0
    assert np.array_equal(load("a.glb").means, scene.means)
    assert run("convert", "a.glb", "a.ply", "--axes-in", "RDF").code == 0
    assert np.array_equal(load("a.ply").means, scene.means * np.array([-1, -1, 1]))
    assert run("convert", ply, "b.ply", "--axes-out", "RUB").code == 0
    assert np.array_equal(load("b.ply").means, scene.means * np.array([1, -1, -1]))


def test_convert_says_what_is_lost_and_keeps_the_mode(run, ply) -> None:
    done = run("convert", ply, "a.spz", "--mode", "mip", "--json")
    assert json.loads(done.out)["mode"] == "mip"
    assert json.loads(run("info", "a.spz", "--json").out)["mode"] == "mip"
    done = run("convert", "a.spz", "a.splat")
    assert done.code == 0
    assert "the mode 'mip' is left out" in done.err
    assert "above degree 0 are left out" in done.err
    assert "warning" not in run("convert", "a.spz", "a.glb").err
    assert load("a.glb").mode == "mip"


def test_info_counts_all_files_of_a_scene(run, ply) -> None:
    import zipfile

    assert run("convert", ply, "a.sog").code == 0
    with zipfile.ZipFile("a.sog") as archive:
        archive.extractall("folder")
    document = json.loads(run("info", "folder/meta.json", "--json").out)
    assert document["bytes"] == sum(path.stat().st_size for path in Path("folder").iterdir())


def test_render_a_view(run, ply, cameras, scene) -> None:
    args = ("render", ply, "--cameras", cameras)
    assert run(*args, "--view", 3, "-o", "a.png").code == 0
    assert run(*args, "--view", "view_03", "-o", "b.png").code == 0
    image = iio.imread("a.png")
    assert image.shape == (48, 64, 3)
    assert np.array_equal(image, iio.imread("b.png"))
    camera = gscompress.load_cameras(cameras)[3]
    exact = gscompress.render(scene, camera)
    assert np.abs(image / 255 - np.clip(exact, 0, 1)).max() <= 0.5 / 255 + 1e-6
    assert exact.max() > 0.3  # there is something to see
    assert run(*args, "--view", 3, "--size", "32x24").code == 0
    assert iio.imread("scene.png").shape == (24, 32, 3)


def test_render_all_views(run, ply, cameras) -> None:
    done = run("render", ply, "--cameras", cameras, "--split", "test", "-o", "out", "--json")
    assert done.code == 0
    assert json.loads(done.out)["files"] == ["out/view_00.png", "out/view_08.png"]
    assert sorted(os.listdir("out")) == ["view_00.png", "view_08.png"]
    assert run("render", ply, "--cameras", cameras, "--split", "test", "-o", "out").code == 1


def test_render_stays_in_its_folder(run, ply, cameras) -> None:
    views = json.loads(cameras.read_text())
    views[0]["img_name"] = "../../etc/passwd"
    views[1]["img_name"] = "a/b.jpg"
    views[2]["img_name"] = "a_b.jpg"
    cameras.write_text(json.dumps(views))
    assert run("render", ply, "--cameras", cameras, "-o", "out").code == 0
    names = os.listdir("out")
    assert len(names) == 9
    assert {"_.._etc_passwd.png", "a_b.png"} < set(names)


@pytest.mark.skipif(
    importlib.util.find_spec("imageio_ffmpeg") is None, reason="needs the extra video"
)
def test_render_a_video(run, ply) -> None:
    done = run("render", ply, "-o", "x.mp4", "--frames", 5, "--size", "65x48")
    assert done.code == 0, done.err
    import imageio_ffmpeg

    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "x.mp4"]
    program += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    decoded = subprocess.run(program, check=True, capture_output=True).stdout
    frames = np.frombuffer(decoded, np.uint8).reshape(5, 48, 64, 3)
    assert frames.std() > 5
    assert sorted(os.listdir()) == ["scene.ply", "x.mp4"]


def test_eval_json(run, ply, cameras) -> None:
    run(ply, "--preset", "fast")
    done = run("eval", ply, "scene.gsz", "--cameras", cameras, "--split", "all", "--json")
    document = json.loads(done.out)
    assert set(document) >= {
        "reference", "test", "bytes", "gaussians", "bits_per_gaussian", "psnr", "ssim", "lpips",
        "fps", "views", "protocol", "device",
    }  # fmt: skip
    assert [view["name"] for view in document["views"]] != []
    assert len(document["views"]) == 9
    assert document["bytes"] == os.path.getsize("scene.gsz")
    assert document["psnr"] == pytest.approx(
        sum(view["psnr"] for view in document["views"]) / 9, abs=1e-9
    )


def test_eval_against_photos(run, ply, cameras) -> None:
    """Photos that are the renders themselves: nothing but their rounding is lost."""
    run("render", ply, "--cameras", cameras, "-o", "photos")
    args = ("eval", ply, ply, "--cameras", cameras, "--images", "photos", "--json")
    document = json.loads(run(*args).out)
    assert 50 < document["psnr"] < 70
    assert document["psnr_drop"] == 0


def test_eval_for_people(run, ply) -> None:
    text = run("eval", ply, ply).out
    assert "PSNR       150.00 dB against the input's renders" in text
    assert "measured at 3 virtual cameras, none being given" in text


def test_doctor(run) -> None:
    done = run("doctor", "--json")
    document = json.loads(done.out)
    assert done.code == 0
    assert document["problems"] == []
    assert set(document["presets"].values()) == {"ok"}
    assert document["native"]["simd"]
    assert "preset      balanced: ok" in run("doctor").out


def test_a_reader_that_leaves_is_no_defect(ply) -> None:
    program = [sys.executable, "-m", "gscompress", "info", str(ply)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_progress_bars_only_on_a_terminal(run, ply) -> None:
    assert run(ply, "--preset", "fast", "--eval").err == ""
