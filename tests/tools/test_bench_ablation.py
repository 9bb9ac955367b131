"""The question ablation: variants that lack a part are still whole codecs."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from gscompress.codecs.base import Decoded
from gscompress.config import load_config
from gscompress.entropy.base import Planes, Symbols
from gscompress.entropy.mix import Mix
from gscompress.entropy.rans import Rans
from gscompress.gaussians import ATTRIBUTES
from tests.checks import decode, encode, make_scene

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(autouse=True)
def tools_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


def planes_of_neighbours(count=3000):
    """Values that follow the reference, the class and the channel before: each context pays."""
    rng = np.random.default_rng(5)
    decoded = Decoded(count, 0)
    decoded.set_grid(np.sort(rng.integers(0, 1 << 12, (count, 3)).astype(np.uint32), axis=0))
    decoded.classes = rng.integers(5, 11, count).astype(np.uint8)
    side = decoded.side
    smooth = np.cumsum(rng.normal(0, 1, count))
    noise = rng.normal(0, 1, count) * np.exp2(side.classes - 8.0)
    first = np.rint(smooth + noise).astype(np.int32)
    second = np.rint(first / 2 + rng.normal(0, 0.5, count)).astype(np.int32)
    return np.stack([first, second]), Planes(partners=(-1, 0)), side


@pytest.mark.parametrize("coder", [Mix(), Rans()])
def test_a_blinkered_coder_decodes_what_it_encodes_and_pays_for_what_it_does_not_see(coder):
    from benchmarks.ablation_parts import Blinkered

    values, planes, side = planes_of_neighbours()
    sizes = {}
    for name, blinkers in {
        "all": {},
        "classes": {"classes": False},
        "partners": {"partners": False},
        "references": {"references": "none"},
        "previous": {"references": "previous"},
        "nothing": {
            "references": "none", "classes": False, "nearness": False, "partners": False
        },
    }.items():  # fmt: skip
        blinkered = Blinkered(coder, **blinkers)
        parts = blinkered.encode_planes(values, planes, side)
        np.testing.assert_array_equal(blinkered.decode_planes(parts, planes, side), values)
        sizes[name] = sum(map(len, parts))
    if coder == Mix():  # for others the classes are no context anyway
        assert sizes["classes"] > sizes["all"]
    assert sizes["partners"] > sizes["all"]
    assert sizes["references"] > sizes["previous"] >= sizes["all"] * 0.98
    assert sizes["nothing"] > sizes["all"] * 1.1


def test_a_coder_around_another_waits_for_guessed_classes():
    """What the inner one looks at, the outer one need not know."""
    from benchmarks.ablation_parts import Blinkered

    for coder in (Mix(), Rans()):
        scene = make_scene(300, 1)
        _, chunks, levels = encode(scene, coder=Blinkered(coder))
        back, same = (decode(scene, chunks, levels, c) for c in (Blinkered(coder), coder))
        for name in ATTRIBUTES:
            assert (getattr(back, name) == getattr(same, name)).all(), name


def test_order_zero_is_the_entropy_of_each_plane():
    from benchmarks.ablation_parts import OrderZero

    values, planes, side = planes_of_neighbours(20_000)
    values = np.clip(values, -20, 20)
    for levels in ((5000, 20_000), (20_000,)):
        cut = dataclasses.replace(side, levels=levels)
        parts = OrderZero().encode_planes(values, planes, cut)
        assert len(parts) == len(levels)
        np.testing.assert_array_equal(OrderZero().decode_planes(parts, planes, cut), values)
    (data,) = parts
    bits = 0.0
    for plane in values:
        shares = np.unique(plane, return_counts=True)[1] / len(plane)
        bits -= len(plane) * float(shares @ np.log2(shares))
    assert bits / 8 <= len(data) <= bits / 8 * 1.02 + 200
    symbols = Symbols(values[0], np.arange(20_000, dtype=np.uint16) % 7)
    decoded = OrderZero().decode(OrderZero().encode(symbols), 20_000, symbols.contexts)
    np.testing.assert_array_equal(decoded, values[0])


@pytest.mark.parametrize("of", ["degree", "band"])
@pytest.mark.parametrize(("channels", "degree"), [(1, 1), (1, 3), (2, 2), (2, 3)])
def test_flags_of_zeros(of, channels, degree):
    from benchmarks.zero_flags import ZeroFlags

    from gscompress.codecs.ycocg import _planes, _set_flags

    terms, n = (degree + 1) ** 2 - 1, 3000
    rng = np.random.default_rng(1)
    values = np.rint(rng.laplace(0, 1, (channels * (1 + terms), n))).astype(np.int32)
    reach = rng.integers(0, degree + 1, (channels, n))  # above it, all are 0
    for channel in range(channels):
        for term in range(terms):
            row = channels + channel * terms + term
            values[row, math.isqrt(term + 1) > reach[channel]] = 0
    _set_flags(values, channels)
    side = planes_of_neighbours(n)[2]
    planes, coder = _planes(channels, terms), ZeroFlags(Mix(), of)
    parts = coder.encode_planes(values, planes, side)
    np.testing.assert_array_equal(coder.decode_planes(parts, planes, side), values)
    usual = sum(map(len, Mix().encode_planes(values, planes, side)))
    # here, where degrees are what decides, flags of them pay
    if of == "degree" and degree == 3:
        assert sum(map(len, parts)) < usual
    elif degree == 1 and of == "degree":  # nothing that was not there before
        assert sum(map(len, parts)) == usual


def test_every_part_can_be_switched_off_in_the_default_preset():
    from benchmarks.ablation_parts import variants

    base = load_config("balanced", stages="none")
    found = list(variants(base))
    assert len({(v.part, v.name) for v in found}) == len(found)
    for part in ("neighbour prediction", "contexts", "mixing", "adaptive steps", "SH compaction",
                 "contraction", "order of positions"):  # fmt: skip
        own = [variant for variant in found if variant.part == part]
        assert own, part
        for variant in own:
            assert (variant.config is None) == bool(variant.skipped)
    skipped = [v.name for v in found if v.config is None]
    assert set(skipped) <= {"octree", "morton"}, skipped


def test_bits_at_equal_quality_in_closed_form():
    from benchmarks.ablation import Row, equal_quality
    from benchmarks.curves import Curve

    def bits(psnr):
        return 40 * math.exp(0.1 * (psnr - 40))

    curve = Curve.through([(bits(psnr), psnr) for psnr in (36, 38, 40, 42, 44)])
    for psnr in (37.3, 41, 30, 50):  # beyond the ends, too
        row = Row("part", "name", bits=1.2 * bits(psnr), psnr=psnr)
        assert equal_quality(row, curve) == pytest.approx(0.2, abs=1e-9)


def test_ablation_of_a_small_scene(tmp_path, capsys):
    from benchmarks import ablation

    import gscompress as gs

    ply, out = tmp_path / "scene.ply", tmp_path / "out.json"
    gs.save(make_scene(400, 1), ply)
    command = [str(ply), "--max-views", "2", "--scale", "0.1", "--preset", "fast", "--device"]
    command += ["cpu", "--only", "contr", "--cache", str(tmp_path / "c.json"), "--json", str(out)]
    assert ablation.main(command) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["part"] for row in rows] == [""] * 5 + ["contraction"] * 4
    whole, coarser, *_, finer = rows[:5]
    assert coarser["bits"] < whole["bits"] < finer["bits"]
    assert whole["equal_quality"] == pytest.approx(0, abs=1e-9)
    assert rows[5]["psnr"] < whole["psnr"]  # a far background takes the bits
    assert rows[5]["bits"] < rows[6]["bits"] < rows[7]["bits"]
    before = capsys.readouterr().out
    assert ablation.main(command) == 0
    assert capsys.readouterr().out == before
