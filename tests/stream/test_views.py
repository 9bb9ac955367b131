"""What renders say of errors."""

from __future__ import annotations

import numpy as np
import pytest

import gscompress as gs
from gscompress.gaussians import Gaussians
from gscompress.render import get_renderer
from gscompress.stream.layout import EVEN, Layout, Steps
from gscompress.stream.slots import FRACTION, Slots
from gscompress.stream.views import Control, Views
from tests.checks import make_scene

FINE = Steps((2.0**-14,) * 6, EVEN)


@pytest.fixture(scope="module")
def scene() -> Gaussians:
    few, rng = make_scene(60, 1, seed=3), np.random.default_rng(3)
    return few.replace(  # no twins, whose order in depth would change, and no needles
        means=rng.normal(0, 0.7, (60, 3)),
        log_scales=rng.uniform(-2.2, -1.2, (60, 3)),
        opacity_logits=few.opacity_logits.clip(-2, 2),
    )


@pytest.fixture(scope="module")
def views(scene: Gaussians) -> Views:
    return Views(gs.virtual_cameras(scene, 8, width=48, height=36), get_renderer("cpu"))


def changed(scene: Gaussians, slot: int, channel: int, amount: float) -> Gaussians:
    """One channel of one Gaussian moved by an amount."""
    slots = Slots(scene, FINE)
    sums = np.zeros((1, slots.layout.channels), np.int32)
    sums[0, channel] = round(amount * 2**14 * FRACTION)
    slots.move(np.array([slot], np.int32), sums)
    return slots.scene()


def test_slopes_are_derivatives(scene: Gaussians, views: Views) -> None:
    """Of the mean squared error against pictures, by each kind of channel."""
    target = scene.replace(means=scene.means + np.float32(0.02), sh=scene.sh * np.float32(0.9))
    pictures = views.pictures(target)
    slopes, error = views.slopes(scene, pictures)
    assert error == pytest.approx(views.error(scene, pictures), rel=1e-9)
    slots = np.argsort(-np.abs(slopes).sum(axis=1))[:5]
    for name, channels in Layout(1).slices.items():
        for slot in slots[:2]:
            channel = channels.start + int(np.argmax(np.abs(slopes[slot, channels])))
            step = 1e-3
            above = views.error(changed(scene, int(slot), channel, step), pictures)
            below = views.error(changed(scene, int(slot), channel, -step), pictures)
            found = (above - below) / (2 * step)
            assert found == pytest.approx(slopes[slot, channel], rel=0.1, abs=2e-7), name


def test_sensitivities_are_second_differences(scene: Gaussians, views: Views) -> None:
    """What the error grows by when a channel alone is wrong, on average over many."""
    found = np.mean([views.sensitivities(scene, seed=seed) for seed in range(40)], axis=0)
    pictures = views.pictures(scene)
    slots = np.argsort(-found.sum(axis=1))[:3]
    for channels in Layout(1).slices.values():
        ratios = []
        for slot in slots:
            channel = channels.start + int(np.argmax(found[slot, channels]))
            step = 2e-3
            grown = views.error(changed(scene, int(slot), channel, step), pictures) / step**2
            ratios.append(grown / found[slot, channel])
        assert 0.6 < np.mean(ratios) < 1.6


def test_control(scene: Gaussians) -> None:
    cameras = gs.virtual_cameras(scene, 30, width=32, height=24)
    control = Control(cameras, get_renderer("cpu"))
    assert len(control.cameras) == 8
    assert control.cameras[0] is cameras[0]
    assert control.cameras[-1] is cameras[-1]
    worse = scene.replace(sh=scene.sh * np.float32(0.5))
    expected = np.mean(
        [gs.metrics.psnr(gs.render(worse, one), gs.render(scene, one)) for one in control.cameras]
    )
    assert control.psnr(worse, scene) == pytest.approx(expected, abs=1e-4)
