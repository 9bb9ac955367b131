"""Curves of rate and distortion, and the question rd."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(autouse=True)
def tools_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


def exponential(psnrs, base, per_db=0.1):
    """A tool whose bits grow exponentially with the PSNR."""
    return [(base * math.exp(per_db * (psnr - 30)), psnr) for psnr in psnrs]


def test_bd_rate_of_curves_a_constant_factor_apart_is_that_factor():
    from benchmarks.curves import Curve, bd_rate

    reference = Curve.through(exponential([30, 35, 42, 50, 60], 100))
    ours = Curve.through(exponential([28, 33, 41, 47, 55], 60))
    assert bd_rate(ours, reference) == pytest.approx(-0.4, abs=1e-12)
    assert bd_rate(reference, ours) == pytest.approx(1 / 0.6 - 1, abs=1e-12)


def test_bd_rate_of_exponentials_in_closed_form():
    """ln ratio = ln(a/b) + (p - q)(x - 30): its mean over [34, 56] is its value at 45."""
    from benchmarks.curves import Curve, bd_rate

    ours = Curve.through(exponential(np.linspace(34, 60, 9), 80, 0.08))
    reference = Curve.through(exponential(np.linspace(30, 56, 6), 100, 0.11))
    expected = math.exp(math.log(0.8) + (0.08 - 0.11) * 15) - 1
    assert bd_rate(ours, reference) == pytest.approx(expected, abs=1e-12)


def test_bd_rate_needs_a_common_interval():
    from benchmarks.curves import Curve, bd_rate

    low, high = (Curve.through(exponential(p, 100)) for p in ([30, 40], [40, 50]))
    assert bd_rate(low, high) is None
    assert bd_rate(low, Curve.through([(100, 35)])) is None
    assert bd_rate(low, Curve.through([])) is None


def test_a_curve_keeps_only_points_that_are_worth_their_bits():
    from benchmarks.curves import Curve

    curve = Curve.through([(200, 50), (100, 40), (150, 39), (100, 30), (300, 50)])
    assert curve.bits.tolist() == [100, 200]
    assert curve.psnr.tolist() == [40, 50]
    assert curve.bits_for(35) == pytest.approx(100)
    assert curve.bits_for(45) == pytest.approx(math.sqrt(100 * 200))
    assert curve.bits_for(50.01) is None


def test_the_envelope_takes_the_best_of_all_between_their_points_too():
    from benchmarks.curves import Curve, envelope

    first = Curve.through(exponential([30, 40, 50], 100, 0.1))
    second = Curve.through(exponential([30, 40, 50], 130, 0.05))
    best = envelope([first, second, Curve.through([(90, 45)])])
    for psnr in (31, 33, 38, 43, 44.9, 46, 49):
        own = [curve.bits_for(psnr) for curve in (first, second)]
        expected = min([*own, 90] if psnr <= 45 else own)
        assert best.bits_for(psnr) == pytest.approx(expected, rel=2e-3)


def test_the_verdict_names_the_worst_place_and_what_is_not_reached():
    from benchmarks.curves import Curve, verdict

    ours = Curve.through(exponential([28, 40, 60], 60))
    fine = verdict(ours, {"a": Curve.through(exponential([35, 50], 100))}, 30, 65)
    assert fine.never_worse
    assert fine.least_saving == pytest.approx(0.4)
    worse = verdict(ours, {"a": Curve.through([(100, 40), (120, 44)])}, 30, 65)
    assert not worse.never_worse
    assert (worse.at_psnr, worse.against) == (44, "a")
    assert worse.least_saving == pytest.approx(1 - 60 * math.exp(1.4) / 120)
    beyond = verdict(ours, {"a": Curve.through([(10_000, 62)])}, 30, 65)
    assert not beyond.never_worse
    assert beyond.not_reached == pytest.approx(60.05)
    assert verdict(ours, {"a": Curve.through([(10_000, 80)])}, 30, 60).never_worse
    assert verdict(ours, {}).least_saving is None


def test_the_comparison_of_two_exponential_tools():
    from benchmarks.comparison import ENVELOPE, PSNRS, compare

    found = compare(exponential([28, 45, 65], 50), {"peer": exponential([35, 52], 100)})
    assert found.bd_rates["peer"] == pytest.approx(-0.5)
    savings = dict(zip(PSNRS, found.savings["peer"], strict=True))
    assert savings[42] == pytest.approx(0.5)
    assert savings[30] == pytest.approx(1 - 50 / (100 * math.exp(0.5)))  # its cheapest file
    assert savings[55] is None
    assert found.savings[ENVELOPE] == pytest.approx(found.savings["peer"])
    assert found.verdict.never_worse
    again = compare(exponential([28, 45], 50), {}, {"own": [(1, 60)]})
    assert again.savings["own"][0] == pytest.approx(1 - 50)
    assert ENVELOPE not in again.savings
    assert again.verdict.least_saving is None


def test_the_plot_is_an_image_with_every_series_and_point():
    from benchmarks.plot import rd_plot

    series = {"ours <b>": exponential([30, 40, 50], 40), "peer": [(200, 45), (210, 150)], "far": []}
    root = ElementTree.fromstring(rd_plot("a & b", series))
    space = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in root.iter(f"{space}text")]
    assert {"a & b", "ours <b>", "peer", "100", "40"} <= set(texts)
    assert "far" not in texts
    circles = list(root.iter(f"{space}circle"))
    assert len(circles) == 3 + 1 + 2  # the points shown, and the legend
    heights = [float(circle.get("cy")) for circle in circles[:3]]
    assert heights == sorted(heights, reverse=True)


def test_a_store_goes_on_where_the_last_run_ended(tmp_path):
    from benchmarks.store import Store

    path, calls = tmp_path / "cache" / "known.json", []

    def make(value):
        calls.append(value)
        return {"value": value}

    first = Store(path)
    assert first.get({"tool": "a", "scene": 1}, lambda: make(3)) == {"value": 3}
    again = Store(path)
    assert again.knows({"scene": 1, "tool": "a"})
    assert again.get({"scene": 1, "tool": "a"}, lambda: make(4)) == {"value": 3}
    assert again.get({"scene": 2, "tool": "a"}, lambda: make(5)) == {"value": 5}
    with pytest.raises(ZeroDivisionError):
        again.get({"scene": 3}, lambda: 1 / 0)
    assert not Store(path).knows({"scene": 3})
    assert calls == [3, 5]


def test_rd_of_a_small_scene(tmp_path, capsys):
    pytest.importorskip("gaussforge")
    from benchmarks import rd

    import gscompress as gs
    from tests.checks import make_scene

    ply, cache = tmp_path / "scene.ply", tmp_path / "cache.json"
    gs.save(make_scene(400, 1), ply)
    command = [str(ply), "--max-views", "2", "--scale", "0.1", "--curve", "fast", "--presets", ""]
    command += ["--qualities", "40,60", "--only", "gaussforge .spz", "--cache", str(cache)]
    command += ["--svg", str(tmp_path / "rd.svg"), "--json", str(tmp_path / "rd.json")]
    assert rd.main([*command, "--device", "cpu"]) == 0
    document = json.loads((tmp_path / "rd.json").read_text())
    assert len(document["views"]) == 2
    assert document["views"][0].endswith("80x60")
    rows = document["rows"]
    assert [row["setting"] for row in rows[:2]] == ["quality 40", "quality 60"]
    assert rows[0]["bytes"] < rows[1]["bytes"]
    assert rows[0]["psnr"] + 3 < rows[1]["psnr"]
    assert rows[1]["bits_per_gaussian"] == rows[1]["bytes"] * 8 / 400
    assert [row["family"] for row in rows[2:]] == ["gaussforge .spz v3", "gaussforge .spz v4"]
    assert document["comparison"]["bits"]["ours"][0] is not None
    first = capsys.readouterr()
    assert "BD-rate" in first.out
    assert "(known)" not in first.err
    assert rd.main([*command, "--device", "cpu"]) == 0
    assert capsys.readouterr().err.count("(known)") == 4
