"""Targets on scenes whose quality jumps with every other step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gscompress.codecs.guidance import Guidance
from gscompress.config import load_config
from gscompress.gaussians import Gaussians
from gscompress.metrics import psnr
from gscompress.pipeline import decompress
from gscompress.rate import Encoder, make_goal, scaled
from gscompress.rate.search import Search, Window
from gscompress.rate.trim import trim, trimmed
from gscompress.render import get_renderer
from gscompress.stages.base import Context
from gscompress.virtual_cameras import orbit
from tests.checks import make_scene
from tests.rate.test_search import Pretender

BALANCED = load_config("balanced")


def jagged(config: Any) -> float:
    """Five per octave, jumps of 1.5 at every other scale step, and what trimming takes off."""
    scales, quats, sh = (config.attributes[group] for group in ("scales", "quats", "sh"))
    jump = np.random.default_rng(int(scales.step * 1e6)).normal(0, 1.5)
    ratio = quats.step / scales.step * 0.11 / 0.0176  # 1 but for trimming
    price = math.log2(sh.compaction / 0.03)
    return float(-5 * math.log2(sh.sh_step) + jump - 0.8 * math.log2(ratio) - 0.05 * price)


@pytest.mark.parametrize("target", np.linspace(0, 40, 41))
def test_what_is_a_little_above_is_trimmed(target: float) -> None:
    pretender: Any = Pretender()
    window = Window(target, target + 0.1, slope=5.0, inner=0.9)
    found = Search(BALANCED, pretender, jagged).run(window)
    assert target <= found.measure <= target + 0.1
    assert found.measure == jagged(found.encoded)
    assert pretender.count <= 60


def test_trimming_moves_only_what_changes_evenly() -> None:
    half = trimmed(BALANCED, 0.5)
    assert trimmed(BALANCED, 0.0) == BALANCED
    changed = {g for g, codec in half.attributes.items() if codec != BALANCED.attributes[g]}
    assert changed == {"quats", "sh"}
    sh, quats = half.attributes["sh"], half.attributes["quats"]
    assert quats.step == pytest.approx(0.0176 * 1.5)
    assert sh.compaction == pytest.approx(0.03 * math.sqrt(32), rel=1e-3)
    assert (sh.step, sh.sh_step, sh.rounding) == (0.0275, 0.088, 0.5)
    fast = load_config("fast")
    assert trimmed(fast, 0.5).attributes["sh"].rounding == 0.25
    assert trimmed(load_config("lossless"), 1.0) == load_config("lossless")


@pytest.mark.parametrize(("high", "trials"), [(9.4, 1), (9.8, 4), (9.1, 4), (8.6, 4)])
def test_a_falling_measure_is_met(high: float, trials: int) -> None:
    seen = []

    def measure(share: float) -> float:
        seen.append(10 - share - 0.5 * share**2)
        return seen[-1]

    trim(measure, 10.0, high - 0.1, high)
    assert high - 0.1 <= seen[-1] <= high
    assert len(seen) <= trials


@pytest.mark.parametrize(("fall", "trials"), [(0.0, 1), (0.1, 2)])
def test_what_trimming_cannot_reach_is_given_up(fall: float, trials: int) -> None:
    seen = []

    def measure(share: float) -> float:
        seen.append(share)
        return 10 - fall * share

    trim(measure, 10.0, 8.0, 8.1)
    assert len(seen) == trials


def sparse_scene() -> Gaussians:
    """Small Gaussians, and some as large as the image, of which each is most of the error."""
    scene = make_scene(400, 1)
    log_scales, logits = scene.log_scales.copy(), scene.opacity_logits.copy()
    log_scales[:6] += np.float32(2.5)
    logits[:6] = np.linspace(-3, 0, 6, dtype=np.float32)
    return scene.replace(log_scales=log_scales, opacity_logits=logits)


def test_a_psnr_is_met_on_a_sparse_scene() -> None:
    scene = sparse_scene()
    views = orbit(scene, 3, width=64, height=48)
    renderer = get_renderer("cpu")
    truth = [renderer.render(scene, view).image for view in views]

    def quality(decoded: Gaussians) -> float:
        images = [renderer.render(decoded, view).image for view in views]
        return float(np.mean([psnr(*pair) for pair in zip(images, truth, strict=True)]))

    config, ctx = load_config("fast"), Context(scene, control=tuple(views))
    near = [Encoder(scene, scene, Guidance()).encode(scaled(config, k / 50)) for k in range(8)]
    steps = np.diff([quality(encoded.decoded) for encoded in near])
    assert np.abs(steps).max() > 0.3, "the scene is not jagged"
    encoder = Encoder(scene, scene, Guidance())
    encoded, rate = make_goal(target_psnr=41).reach(config, encoder, ctx)
    reached = quality(decompress(encoded.container.to_bytes()))
    assert 41 <= reached <= 41.1
    assert rate is not None
    assert rate["reached"] == pytest.approx(reached, abs=1e-6)
    assert rate["encodes"] <= 60
