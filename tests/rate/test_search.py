"""The search, on measures that are jagged, noisy or flat."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gscompress.config import Config, load_config
from gscompress.rate.search import Search, Unreachable, Window


class Pretender:
    """Encodes nothing; counts, and gives the configuration itself."""

    def __init__(self) -> None:
        self.count = 0

    def encode(self, config: Config) -> Any:
        self.count += 1
        return config


def level(config: Any) -> float:
    """Smooth in the steps of the spherical harmonics, with a jump at each bit of a position."""
    attributes = config.attributes
    return -math.log2(attributes["sh"].sh_step) + 0.7 * attributes["means"].bits


def noisy(config: Any) -> float:
    seed = int(config.attributes["sh"].sh_step * 1e9)
    return level(config) + float(np.random.default_rng(seed).normal(0, 0.1))


def search(measure: Any, window: Window) -> tuple[float, int]:
    pretender: Any = Pretender()
    found = Search(load_config("balanced"), pretender, measure).run(window)
    assert found.measure == measure(found.encoded)
    return found.measure, pretender.count


@pytest.mark.parametrize("target", np.linspace(8, 22, 41))
def test_jumps_are_no_obstacle(target: float) -> None:
    found, trials = search(level, Window(target, target + 0.02, slope=1.2))
    assert target <= found <= target + 0.02
    assert trials <= 12


@pytest.mark.parametrize(("target", "asked"), [(10.0, 1), (14.75, 0), (20.0, 1)])
def test_far_from_the_start_the_steps_are_allocated_anew(target: float, asked: int) -> None:
    places = []

    def allocate(config: Config) -> Config:
        places.append(level(config))
        sh = config.attributes["sh"]
        attributes = {**config.attributes, "sh": replace(sh, sh_step=sh.sh_step * 1.3)}
        return replace(config, attributes=attributes)

    pretender: Any = Pretender()
    window = Window(target, target + 0.02, slope=1.2)
    found = Search(load_config("balanced"), pretender, level, allocate).run(window)
    assert target <= found.measure <= target + 0.02
    assert len(places) == asked
    assert all(abs(place - target) < 2 for place in places)
    step = 2.0**-found.octaves * load_config("balanced").attributes["sh"].sh_step
    assert found.encoded.attributes["sh"].sh_step == pytest.approx(step * 1.3**asked, rel=1e-3)


@pytest.mark.parametrize("target", np.linspace(8, 22, 41))
def test_noise_wider_than_the_window_is_no_obstacle(target: float) -> None:
    found, trials = search(noisy, Window(target, target + 0.1, slope=1.5, inner=0.5))
    assert target <= found <= target + 0.1
    assert trials <= 24


@pytest.mark.parametrize("place", np.linspace(-0.3, 0.3, 13))
def test_a_jump_wider_than_the_window_is_overcome_by_the_opacities(place: float) -> None:
    """A few large Gaussians turn at one step of the harmonics, whatever the opacities' steps."""
    target = level(load_config("balanced")) + place

    def jumpy(config: Any) -> float:
        above = level(config) >= target
        opacities = 0.5 * math.log2(config.attributes["opacities"].levels / 56)
        return level(config) + opacities + (0.06 if above else -0.06)

    found, trials = search(jumpy, Window(target, target + 0.04, slope=1.5))
    assert target <= found <= target + 0.04
    assert trials <= 20


@pytest.mark.parametrize(("target", "nearest"), [(-9, 3.1), (99, 27.5)])
def test_beyond_the_ends_the_end_is_the_nearest(target: float, nearest: float) -> None:
    with pytest.raises(Unreachable) as caught:
        search(level, Window(target, target + 0.1, slope=1))
    assert caught.value.nearest.measure == pytest.approx(nearest, abs=1)


def test_a_measure_that_does_not_move_is_given_up() -> None:
    with pytest.raises(Unreachable) as caught:
        search(lambda _: 7.0, Window(1, 2, slope=1))
    assert caught.value.nearest.measure == 7
