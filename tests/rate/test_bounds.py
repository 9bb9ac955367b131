"""Error bounds hold for every Gaussian, however unlikely its values are."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gscompress as gs
from gscompress.codecs.exact import Exact
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.morton import Morton
from gscompress.config import load_config
from gscompress.errors import ConfigError, InputError
from gscompress.rate import parse_bounds
from gscompress.rate.bounds import bounded, check_bounds, find_errors
from gscompress.rate.encoder import Encoder
from gscompress.rate.goals import MaxError
from gscompress.stages.base import Context
from tests.checks import importances, make_scene

TIGHT = "means=1um,scales=0.001%,opacities=1e-5,quats=0.0001deg,sh=1e-6"
USUAL = "means=1mm,scales=1%,opacities=0.01,quats=0.5deg,sh=0.02"
LOOSE = "means=1,scales=100%,opacities=0.4,quats=20deg,sh0=0.3,shN=0.5"


def adversarial() -> gs.Gaussians:
    """Far positions, needles, saturated opacities, turned quaternions, huge colours."""
    scene = make_scene(3000, 3)
    rng = np.random.default_rng(8)
    means, log_scales, sh = scene.means.copy(), scene.log_scales.copy(), scene.sh.copy()
    logits, quats = scene.opacity_logits.copy(), scene.quats.copy()
    means[:20] *= 500
    log_scales[20:40] = rng.uniform(-40, 10, (20, 3))
    logits[40:80] = rng.choice([-90, -16, -9, 0, 9, 16, 90], 40)
    quats[80:120] = np.abs(rng.choice([0, 1, math.sqrt(0.5), 1e-3, 1e3], (40, 4))) + 1e-9
    sh[120:160] *= 1000
    return gs.Gaussians(
        means=means, quats=quats, log_scales=log_scales, opacity_logits=logits, sh=sh
    )


@pytest.mark.parametrize("text", [TIGHT, USUAL, LOOSE])
@pytest.mark.parametrize("preset", ["fast", "balanced"])
def test_bounds_hold_on_adversarial_values(text: str, preset: str) -> None:
    scene, bounds = adversarial(), parse_bounds(text)
    encoder = Encoder(scene, scene, Guidance(importances(scene)))
    encoded, rate = MaxError(bounds).reach(
        load_config(preset, stages="none"), encoder, Context(scene)
    )
    back = gs.decompress(encoded.container.to_bytes())
    found = find_errors(encoded.arranged, back)
    for quantity, limit in bounds.items():
        assert found[quantity] <= limit
    assert rate is not None
    assert rate["reached"] == {quantity: found[quantity] for quantity in bounds}


def test_bounds_are_used_and_not_only_held() -> None:
    scene = make_scene(4000, 2)
    bounds = parse_bounds(USUAL)
    encoder = Encoder(scene, scene, Guidance())
    _, rate = MaxError(bounds).reach(load_config("fast"), encoder, Context(scene))
    assert rate is not None
    for quantity, limit in bounds.items():
        assert rate["reached"][quantity] >= limit * 0.45, quantity
    assert rate["encodes"] == 1


def test_looser_bounds_make_smaller_files() -> None:
    scene = make_scene(2000, 2)
    sizes = [
        len(gs.compress(scene, "fast", max_error=text).to_bytes()) for text in (TIGHT, USUAL, LOOSE)
    ]
    assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]


def test_positions_beyond_all_bits_are_lossless() -> None:
    scene = adversarial()
    config = load_config("fast")
    means = {
        limit: bounded(config, scene, {"means": limit}).attributes["means"] for limit in (1e-9, 1.0)
    }
    assert means[1e-9] == Exact()
    assert isinstance(means[1.0], Morton)
    assert means[1.0].quantile == 1


def test_attributes_without_a_bound_are_coded_as_configured() -> None:
    config = load_config("balanced")
    changed = bounded(config, make_scene(10), {"scales": 0.01})
    assert changed.attributes["scales"] != config.attributes["scales"]
    for group in ("means", "importance", "opacities", "quats", "sh"):
        assert changed.attributes[group] == config.attributes[group]


def test_errors_as_they_are_defined() -> None:
    one = make_scene(1, 1)
    half = math.radians(2) / 2
    w, x = math.cos(half), math.sin(half)
    first = one.replace(quats=np.array([[-2, 0, 0, 0]], np.float32))
    second = first.replace(
        means=first.means + np.array([3, 4, 0], np.float32),
        log_scales=first.log_scales + np.log([1.1, 0.95, 1]).astype(np.float32),
        quats=np.array([[w, x, 0, 0]], np.float32),
        sh=first.sh + np.array([[[0, 0.5, 0]], [[0, 0, -0.25]], [[0] * 3], [[0] * 3]])
        .reshape(1, 4, 3).astype(np.float32),
    )  # fmt: skip
    found = find_errors(first, second)
    assert found["means"] == pytest.approx(5, rel=1e-5)
    assert found["scales"] == pytest.approx(0.1, rel=1e-4)
    assert found["opacities"] == 0
    assert found["quats"] == pytest.approx(2, rel=1e-5)
    assert found["sh0"] == pytest.approx(0.5 * 0.28209479, rel=1e-5)
    assert found["shN"] == pytest.approx(0.25, rel=1e-5)


def test_a_broken_bound_is_an_error() -> None:
    with pytest.raises(
        InputError, match=r"max error: quats: found 0\.5, expected a bound that can"
    ):
        check_bounds({"quats": 0.5}, {"quats": 0.75})


def test_parsing() -> None:
    assert parse_bounds("means=2cm, scales=1%,quats=0.01rad,sh=0.5") == {
        "means": 0.02, "scales": 0.01, "quats": math.degrees(0.01), "sh0": 0.5, "shN": 0.5
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected such as means=1mm"),
        ("means", "found 'means'"),
        ("colour=3", "found 'colour=3'"),
        ("means=-3", "found 'means=-3'"),
        ("means=0", "means: found 0.0, expected a positive number"),
        ("means=1.2.3", "found 'means=1.2.3'"),
        ("quats=3mm", "quats: found the unit 'mm', expected deg, rad"),
        ("sh=1,sh0=2", "found sh0 twice"),
    ],
)
def test_texts_that_are_no_bounds(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_bounds(text)
    assert message in str(caught.value)


def test_stages_exclude_bounds() -> None:
    config = load_config("fast")
    staged = type(config)(stages=(object(),), attributes=config.attributes, entropy=config.entropy)  # type: ignore[arg-type]
    scene = make_scene(5)
    with pytest.raises(ConfigError, match="found a configuration with 1 stage"):
        MaxError({"means": 1}).reach(staged, Encoder(scene, scene, Guidance()), Context(scene))
