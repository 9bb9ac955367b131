"""Both ways to learn take the same steps."""

from __future__ import annotations

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.metrics.photo_loss import PhotoLoss
from gscompress.render import get_renderer
from gscompress.stages.learners import Learner, NativeLearner, TorchLearner, make_learner

RATES = {
    "means": 1e-3,
    "log_scales": 5e-3,
    "quats": 2e-3,
    "opacity_logits": 1e-2,
    "sh0": 4e-3,
    "shN": 4e-4,
}
LOSS = PhotoLoss(0.2, 0.02)


@pytest.fixture(params=["default", "mip"])
def learners(request, scene: Gaussians) -> tuple[Learner, Learner]:
    pytest.importorskip("torch", reason="one of them needs torch")
    renderer = get_renderer("cpu")
    start = scene.replace(mode=request.param)
    return NativeLearner(start, renderer, 0.5), TorchLearner(start, renderer, 0.5)


def learn(learner: Learner, truth: Gaussians, cameras: list[Camera]) -> list[float]:
    rng = np.random.default_rng(0)
    shape = truth.log_scales.shape
    learner.shift({"log_scales": rng.normal(0, 0.1, shape).astype(np.float32)})
    renderer = get_renderer("cpu")
    pictures = [renderer.render(truth, camera).image for camera in cameras]
    return [
        learner.learn(camera, picture, LOSS, RATES)
        for camera, picture in zip(cameras, pictures, strict=True)
    ]


def test_the_same_steps(
    learners: tuple[Learner, Learner], scene: Gaussians, cameras: list[Camera]
) -> None:
    truth = scene.replace(opacity_logits=scene.opacity_logits + 1)
    losses = [learn(learner, truth, cameras[:6]) for learner in learners]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    native, torch = learners
    assert native.step == torch.step == 6
    for name in ATTRIBUTES:
        start, one, other = (getattr(s, name) for s in (scene, native.scene(), torch.scene()))
        moved = np.abs(one - start)
        assert (moved > 0).mean() > 0.3, name
        # Where a gradient is next to nothing, Adam's direction hangs on its last digits.
        assert np.quantile(np.abs(one - other), 0.99) < 0.02 * moved.max(), name
    views = native.render(cameras[7]), torch.render(cameras[7])
    np.testing.assert_allclose(*views, atol=2e-3)


def test_what_one_kept_the_other_goes_on_from(
    learners: tuple[Learner, Learner], scene: Gaussians, cameras: list[Camera]
) -> None:
    native, torch = learners
    learn(native, scene, cameras[:3])
    torch.restore(native.state(), native.step)
    assert torch.step == 3
    for kind, arrays in native.state().items():
        for name in ATTRIBUTES:
            np.testing.assert_array_equal(arrays[name], torch.state()[kind][name])


def test_rates_of_zero_hold_still(scene: Gaussians, cameras: list[Camera]) -> None:
    learner = make_learner(scene, get_renderer("cpu"), 0.0)
    assert isinstance(learner, NativeLearner)
    picture = np.zeros((cameras[0].height, cameras[0].width, 3), np.float32)
    learner.learn(cameras[0], picture, LOSS, dict.fromkeys(RATES, 0.0) | {"sh0": 1e-2})
    after = learner.scene()
    for name in ATTRIBUTES:
        before = getattr(scene, name)
        if name == "sh":
            assert np.any(after.sh[:, 0] != before[:, 0])
            np.testing.assert_array_equal(after.sh[:, 1:], before[:, 1:])
        else:
            np.testing.assert_array_equal(getattr(after, name), before)
