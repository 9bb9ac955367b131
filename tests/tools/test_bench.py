import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gscompress.gaussians import ATTRIBUTES, Gaussians

TOOLS = Path(__file__).parents[2] / "tools"
QUESTIONS = (
    "rasterizer",
    "coder",
    "rd",
    "ablation",
    "targets",
    "throughput",
    "paper",
    "stream",
    "exchange",
    "browser",
)


@pytest.fixture(autouse=True)
def tools_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


def make_scene(n: int = 50, degree: int = 2) -> Gaussians:
    rng = np.random.default_rng(0)
    return Gaussians(
        means=rng.normal(0, 1, (n, 3)),
        quats=rng.normal(0, 1, (n, 4)),
        log_scales=rng.normal(-3, 1, (n, 3)),
        opacity_logits=rng.normal(0, 1, n),
        sh=rng.normal(0, 0.2, (n, (degree + 1) ** 2, 3)),
    )


def test_the_dispatcher_names_every_question():
    command = [sys.executable, TOOLS / "bench.py"]
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    for question in QUESTIONS:
        assert f"\n  {question} " in done.stdout
    assert subprocess.run([*command, "nonsense"], capture_output=True, check=False).returncode == 2
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_a_tiled_scene_has_the_size_asked_for_and_no_repeats():
    from benchmarks.throughput import tiled

    scene = make_scene()
    for size in (1, 20, 50, 51, 430):
        big = tiled(scene, size)
        assert len(big) == size
        assert big.sh_degree == 2
        assert len(np.unique(big.means, axis=0)) == size
        big.validate()
    again = tiled(scene, 430)
    assert all(np.array_equal(getattr(big, a), getattr(again, a)) for a in ATTRIBUTES)
    # 9 copies lie on a grid of 3 cells a side, each as wide as the bulk of the scene
    width = np.subtract(*np.quantile(scene.means[:, 0], [0.99, 0.01]))
    assert np.ptp(big.means[:, 0]) > 2.5 * width


def test_growth_is_told_in_powers_of_the_size():
    from benchmarks.throughput import Row, _powers

    def row(preset, n, seconds):
        return Row(preset, n, 248 * n, 11 * n, seconds, seconds, 0.5, 0.5, 9.0, 5e-4 * n, 3e-4 * n)

    rows = [row("fast", 4000, 16.0), row("fast", 1000, 1.0), row("small", 1000, 7.0)]
    assert list(_powers(rows)) == [
        ["fast", "1,000 to 4,000", "1.00", "2.00", "0.00", "1.00", "1.00"]
    ]


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_the_raw_form_given_to_spz_is_reversible(degree):
    from benchmarks.peers import _pack_raw, _unpack_raw

    scene = make_scene(7, degree)
    back = _unpack_raw(_pack_raw(scene))
    for name in ("means", "log_scales", "opacity_logits", "sh", "unit_quats"):
        np.testing.assert_allclose(getattr(back, name), getattr(scene, name), atol=1e-6)


def test_a_peer_that_is_not_installed_is_skipped_with_the_reason(monkeypatch, tmp_path):
    from benchmarks.node_tools import NodeTools, Unavailable
    from benchmarks.peers import Gsply, Spz

    monkeypatch.setitem(sys.modules, "gsply", None)
    with pytest.raises(Unavailable, match="pip install gsply"):
        Gsply(".spz").encode(tmp_path / "a.ply", make_scene(), tmp_path / "a.spz")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="no npm"):
        Spz(NodeTools(tmp_path), 5, 4).encode(tmp_path / "a.ply", make_scene(), tmp_path / "a.spz")


def test_bytes_at_a_psnr_lie_between_measured_points():
    from benchmarks.vq import STEPS, Point, at_equal_quality, bytes_at

    def point(name, size, psnr):
        return Point("sh", name, "", size, 0.0, psnr, None, 0.0)

    curve = [point(STEPS, size, psnr) for size, psnr in ((1000, 40), (2000, 44), (500, 38))]
    assert bytes_at(42, curve) == 1500
    assert bytes_at(39, curve) == 750
    assert bytes_at(44, curve) == 2000
    assert bytes_at(45, curve) is None
    assert bytes_at(37, curve) is None
    assert bytes_at(37, []) is None
    words = [point("RVQ", size, psnr) for size, psnr in ((1200, 39), (1500, 41))]
    assert at_equal_quality([*curve, *words], [40, 44]) == [
        ["sh", STEPS, "1,000", "2,000"],
        ["sh", "RVQ", "1,350 (+35%)", "-"],
    ]


def test_quantizers_are_compared_at_equal_quality(tmp_path, capsys):
    import json

    from benchmarks import vq

    from gscompress.io import load, save

    root = TOOLS.parent
    few = tmp_path / "few.ply"
    save(load(root / "scenes/demo.ply").select(slice(0, None, 40)), few)
    arguments = [str(few), "--cameras", str(root / "scenes/cameras.json"), "--preset", "fast"]
    arguments += ["--views", "1", "--scale", "0.2", "--levels", "40", "--device", "cpu"]
    arguments += ["--groups", "scene,quats", "--factors", "2", "8", "--json", str(tmp_path / "a")]
    assert vq.main(arguments) == 0
    out = capsys.readouterr().out
    assert "bytes at 40 dB" in out
    points = json.loads((tmp_path / "a").read_text())["points"]
    found = {(p["group"], p["quantizer"]) for p in points}
    names = {"equal steps", "SVQ", "RVQ"}
    assert found == {("scene", name) for name in {*names, "VecTree"}} | {
        ("quats", name) for name in names
    }
    counts = {"equal steps": 6, "VecTree": 2, "SVQ": 3, "RVQ": 3}
    for group, name in found:
        curve = [p for p in points if (p["group"], p["quantizer"]) == (group, name)]
        assert len(curve) == counts[name]
        if name in ("SVQ", "RVQ"):
            curve.reverse()
        for one in ("bytes", "psnr"):
            assert curve[0][one] > curve[-1][one], (group, name)


def test_scores_are_compared_at_equal_counts(tmp_path, capsys):
    import json

    from benchmarks import scores

    scene = Path(__file__).parents[2] / "scenes" / "demo.ply"
    arguments = ["--scene", str(scene), "--size", "0.1", "--every", "8", "--device", "cpu"]
    arguments += ["--only", "removal_effect,hits", "--json", str(tmp_path / "a.json")]
    assert scores.main(arguments) == 0
    assert "| removal_effect | " in capsys.readouterr().out
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["size"] == [48, 36]
    assert found["photo_psnr_before"] is None
    best, worst = found["rows"]
    assert (best["score"], worst["score"]) == ("removal_effect", "hits")
    for row in (best, worst):
        assert row["renders"] == sorted(row["renders"], reverse=True)
        assert row["photos"] is None
    assert best["renders"][0] > worst["renders"][0] + 1
    scores.main([*arguments, "--only", "removal_effect", "--rounds", "3"])
    again = json.loads((tmp_path / "a.json").read_text())["rows"][0]
    assert again["renders"][3] > best["renders"][3] + 0.5
