import time

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.metrics import fps
from gscompress.metrics.fps import frame_rates


class Clock:
    """Stands for the time module: only rendering takes time."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class SlowRenderer:
    """Takes a millisecond per Gaussian; the first pass ten times as long; works when waited for."""

    def __init__(self, clock: Clock):
        self.clock = clock
        self.pending = 0.0
        self.frames: list[int] = []

    def render(self, scene, camera, background):
        slow = 10 if len(self.frames) < 6 else 1
        self.frames.append(len(scene))
        self.pending += slow * len(scene) / 1000

    def synchronize(self):
        self.clock.now += self.pending
        self.pending = 0.0


def make_scene(n: int) -> Gaussians:
    return Gaussians(
        np.zeros((n, 3)), np.ones((n, 4)), np.zeros((n, 3)), np.zeros(n), np.zeros((n, 1, 3))
    )


CAMERAS = [Camera(str(k), 8, 8, 8, 8, 4, 4, np.eye(4)) for k in range(3)]


def test_frame_rates_are_exact_on_a_simulated_clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(fps, "time", clock)
    renderer = SlowRenderer(clock)
    rates = frame_rates(renderer, [make_scene(10), make_scene(40)], CAMERAS, repeats=3)
    assert rates == pytest.approx([100.0, 25.0])
    # a warm-up and three passes over three cameras, the scenes in turns
    assert renderer.frames == ([10] * 3 + [40] * 3) * 4


def test_the_median_ignores_one_interruption(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(fps, "time", clock)
    renderer = SlowRenderer(clock)
    plain = renderer.synchronize

    def synchronize():
        plain()
        if len(renderer.frames) == 9:
            clock.now += 1000

    renderer.synchronize = synchronize
    assert frame_rates(renderer, [make_scene(10)], CAMERAS, repeats=5) == pytest.approx([100.0])


def test_a_real_clock_is_used():
    class Sleeper(SlowRenderer):
        def render(self, scene, camera, background):
            time.sleep(0.002)

    assert 0 < frame_rates(Sleeper(Clock()), [make_scene(1)], CAMERAS, repeats=1)[0] <= 500


def test_nothing_to_render_is_refused():
    for cameras, repeats in (([], 5), (CAMERAS, 0)):
        with pytest.raises(InputError, match="at least one"):
            frame_rates(SlowRenderer(Clock()), [make_scene(1)], cameras, repeats=repeats)
