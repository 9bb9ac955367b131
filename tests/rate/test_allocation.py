"""Steps that suit the scene."""

from pathlib import Path

import numpy as np
import pytest

import gscompress as gs
from gscompress.cameras import split
from gscompress.config import load_config
from gscompress.errors import ConfigError
from gscompress.metrics import psnr
from gscompress.rate.allocation import Slope, bits_and_factors, shares_of_steps
from tests.checks import make_scene

SCENES = Path(__file__).parents[2] / "scenes"


def test_the_last_byte_of_each_group_gains_the_same():
    slopes = [Slope(100.0, 1e-5), Slope(400.0, 2e-5), Slope(50.0, 2e-5)]
    factors = np.array(shares_of_steps(slopes))
    gains = [s.error * f**2 / s.octave_bytes for s, f in zip(slopes, factors, strict=True)]
    assert gains == pytest.approx([gains[0]] * 3, rel=1e-6)
    bytes_saved = sum(s.octave_bytes * np.log2(f) for s, f in zip(slopes, factors, strict=True))
    assert bytes_saved == pytest.approx(0, abs=1e-6)
    # and it is a minimum: any other factors with the same bytes have a larger error
    error = sum(s.error * f**2 for s, f in zip(slopes, factors, strict=True))
    rng = np.random.default_rng(0)
    b = np.array([s.octave_bytes for s in slopes])
    for _ in range(20):
        moved = rng.normal(0, 0.1, 3)
        moved -= (moved @ b) / (b @ b) * b
        other = factors * 2**moved
        assert sum(s.error * f**2 for s, f in zip(slopes, other, strict=True)) > error


def test_steps_stay_within_bounds():
    wild = shares_of_steps([Slope(100.0, 1e-3), Slope(100.0, 1e-12), Slope(100.0, -1e-9)])
    assert min(wild) >= 0.4
    assert max(wild) <= 2.5
    assert shares_of_steps([Slope(0.0, 1e-3), Slope(-5.0, 1e-3)]) == [1.0, 1.0]


def test_steps_may_save_bytes_for_others():
    slopes = [Slope(100.0, 1e-5), Slope(400.0, 2e-5)]
    factors = shares_of_steps(slopes, 150.0)
    saved = sum(s.octave_bytes * np.log2(f) for s, f in zip(slopes, factors, strict=True))
    assert saved == pytest.approx(150, abs=1e-6)


def test_positions_take_part():
    """Errors are relative to all; their bits move where that gains more than it costs."""
    slopes = [Slope(100.0, 0.3), Slope(400.0, 0.3)]
    for means, expected in ((0.4, 0), (0.01, 1), (3.0, -1)):
        share = 1 / (0.6 + means)
        scaled = [Slope(s.octave_bytes, s.error * share) for s in slopes]
        bits, factors, gain = bits_and_factors(scaled, Slope(300.0, means * share))
        assert bits == expected
        saved = sum(s.octave_bytes * np.log2(f) for s, f in zip(scaled, factors, strict=True))
        assert saved == pytest.approx(-300 * bits, abs=1e-6)
        error = sum(s.error * f**2 for s, f in zip(scaled, factors, strict=True))
        error += means * share * 4.0**bits
        assert gain == pytest.approx(-np.log2(error), abs=1e-9)
        assert gain > 0
    assert bits_and_factors(slopes, Slope(0.0, 0.4))[0] == 0  # positions without bits


def test_the_demo_scene_gets_better_at_the_same_size():
    demo = gs.load(SCENES / "demo.ply")
    cameras = SCENES / "cameras.json"
    train, test = split(gs.load_cameras(cameras), cameras)
    images = [gs.render(demo, camera) for camera in test[::2]]
    found = []
    for views in (0, 4):
        config = load_config("balanced", [f"allocate={views}"], stages="none")
        result = gs.compress(demo, config, cameras=train)
        decoded = result.decoded()
        score = np.mean(
            [psnr(gs.render(decoded, c), i) for c, i in zip(test[::2], images, strict=True)]
        )
        found.append((len(result.to_bytes()), score, result.container.header["config"]))
    (size, before, plain), (other_size, after, tuned) = found
    assert abs(other_size / size - 1) < 0.02
    assert after > before + 0.2
    assert tuned["attributes"]["sh"]["step"] < plain["attributes"]["sh"]["step"]
    assert tuned["attributes"]["means"]["bits"] < plain["attributes"]["means"]["bits"]


def test_positions_far_too_fine_are_found_in_rounds():
    """No single look at what steps do trusts itself that far."""
    scene = make_scene(800, 1)
    cameras = gs.virtual_cameras(scene, 3)
    without = ["attributes.importance.views=0", "attributes.sh.views=0"]
    found = []
    for views in (0, 3):
        sets = [f"allocate={views}", "attributes.means.bits=21", *without]
        result = gs.compress(scene, load_config("balanced", sets, stages="none"))
        decoded, bits = result.decoded(), result.container.header["config"]["attributes"]["means"]
        score = np.mean([psnr(gs.render(decoded, c), gs.render(scene, c)) for c in cameras])
        found.append((len(result.to_bytes()), score, bits["bits"]))
    (size, before, _), (other_size, after, bits) = found
    assert bits <= 21 - 4
    assert abs(other_size / size - 1) < 0.02
    assert after > before + 5


@pytest.mark.parametrize("preset", ["fast", "lossless"])
def test_codecs_of_every_kind(preset):
    """Steps that cannot be widened, or scenes that nobody sees, change nothing."""
    scene = make_scene(200, 1)
    config = load_config(preset, ["allocate=3"])
    back = gs.decompress(gs.compress(scene, config).to_bytes())
    assert len(back) == 200
    assert len(gs.compress(make_scene(0, 1), config).decoded()) == 0


@pytest.mark.parametrize("value", ["-1", "1.5", "true", "2000", "'a'"])
def test_numbers_of_views_that_make_no_sense(value):
    with pytest.raises(ConfigError, match="allocate"):
        load_config("fast", [f"allocate={value}"])
