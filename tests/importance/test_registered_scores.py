"""Importance scores against their definitions, worked out the slow way."""

from __future__ import annotations

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.errors import ConfigError
from gscompress.gaussians import SH_C0, Gaussians
from gscompress.importance import SCORES, pick_views, score
from gscompress.importance.distinctiveness import local_distinctiveness, morton_order
from gscompress.importance.sensitivity import DAMPING, sensitivity
from gscompress.importance.significance import global_significance, global_significance_released
from gscompress.render.base import Scores
from gscompress.render.cpu import CpuRenderer
from tests.render.scenes import make_camera, make_scene

CAMERAS = [make_camera(40, 30, angle=a) for a in (0, 2, 4)]


class Told:
    """A renderer whose scores are given."""

    name = "told"
    device = "none"

    def __init__(self, **scores: np.ndarray) -> None:
        n = len(next(iter(scores.values())))
        zeros = {f: np.zeros(n, np.float32) for f in Scores.__dataclass_fields__}
        self._scores = Scores(**{**zeros, **scores})

    def scores(self, scene: Gaussians, cameras: list[Camera], **_: object) -> Scores:
        return self._scores


@pytest.mark.parametrize("name", SCORES.names())
def test_what_holds_for_every_score(name) -> None:
    if name == "sensitivity":
        pytest.importorskip("torch")
    scene, renderer, told = make_scene(200, seed=1), CpuRenderer(), []
    values = score(scene, CAMERAS, renderer, name, lambda done, total: told.append((done, total)))
    assert values.shape == (200,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert (values > 0).sum() > 20
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert np.array_equal(values, score(scene, CAMERAS, renderer, name))
    assert (values[renderer.scores(scene, CAMERAS).hits == 0] == 0).all()
    assert score(make_scene(0), CAMERAS, renderer, name).shape == (0,)
    assert len(score(make_scene(1), CAMERAS, renderer, name)) == 1


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"score 'importance'.*one of .*removal_effect"):
        score(make_scene(1), CAMERAS, CpuRenderer(), "importance")


def test_plain_scores_are_the_renderers() -> None:
    scene, renderer = make_scene(100, seed=2), CpuRenderer()
    expected = renderer.scores(scene, CAMERAS)
    for name in ("removal_effect", "hits"):
        assert np.array_equal(score(scene, CAMERAS, renderer, name), getattr(expected, name))
    for name in ("weight_sum", "weight_sq_sum", "weight_max"):
        found = score(scene, CAMERAS, renderer, name)
        assert found == pytest.approx(getattr(expected, name), rel=1e-5)


def test_removal_effect_is_what_removing_one_does() -> None:
    scene, renderer = make_scene(40, seed=3, degree=1), CpuRenderer()
    whole = [renderer.render(scene, camera).image.astype(float) for camera in CAMERAS]
    actual = np.zeros(len(scene))
    for i in range(len(scene)):
        rest = scene.select(np.arange(len(scene)) != i)
        for camera, image in zip(CAMERAS, whole, strict=True):
            actual[i] += np.square(renderer.render(rest, camera).image - image).sum()
    assert (actual > 0.1).sum() > 10
    # Where a pixel was finished, removal lets it go on: a difference of the order of 1e-4.
    found = score(scene, CAMERAS, renderer, "removal_effect")
    assert found == pytest.approx(actual, rel=2e-3, abs=2e-3)


def boxes(volumes: np.ndarray) -> Gaussians:
    """Gaussians of given volumes and opacity 1/2."""
    n = len(volumes)
    log_scales = np.repeat(np.log(volumes)[:, None] / 3, 3, axis=1)
    return Gaussians(
        np.zeros((n, 3)), np.ones((n, 4)), log_scales, np.zeros(n), np.zeros((n, 1, 3))
    )


def test_global_significance_of_the_paper() -> None:
    volumes = np.array([4.0, 1, 2, 1000, 8, 16, 32, 64, 128, 256])  # at 90 %: 1000
    told = Told(transmittance_sum=np.arange(10, dtype=np.float32))
    expected = 0.5 * np.arange(10) * np.minimum(volumes / 1000, 1) ** 0.1
    assert global_significance(boxes(volumes), [], told) == pytest.approx(expected, rel=1e-5)
    # Of 20, the largest is beyond the normaliser, and clipped.
    twice = np.concatenate([volumes, [3000.0] * 3, [1.0] * 7])
    told = Told(transmittance_sum=np.ones(20, np.float32))
    expected = 0.5 * np.minimum(twice / 3000, 1) ** 0.5
    assert np.sort(twice)[18] == 3000
    found = global_significance(boxes(twice), [], told, beta=0.5)
    assert found == pytest.approx(expected, rel=1e-5)


def test_global_significance_of_the_released_code() -> None:
    volumes = np.array([4.0, 1, 2, 1000, 8, 16, 32, 64, 128, 256])
    told = Told(transmittance_sum=np.arange(10, dtype=np.float32))
    normaliser = np.sort(volumes)[::-1][int(0.9 * 10)]
    assert normaliser == 1
    expected = 0.5 * np.arange(10) * (volumes / normaliser) ** 0.1
    found = global_significance_released(boxes(volumes), [], told)
    assert found == pytest.approx(expected, rel=1e-5)
    assert found.max() > 0.5 * 9  # not clipped


def interleaved(cell: np.ndarray) -> int:
    """Morton code, bit by bit."""
    return sum(
        (int(cell[axis]) >> bit & 1) << (3 * bit + axis) for bit in range(21) for axis in range(3)
    )


def test_local_distinctiveness_is_of_the_neighbours_in_morton_order() -> None:
    scene = make_scene(50, seed=4)
    means = scene.means.astype(np.float64)
    low, high = means.min(0), means.max(0)
    codes = [interleaved(cell) for cell in ((means - low) / (high - low) * (2**21 - 1)).astype(int)]
    line = sorted(range(50), key=lambda i: codes[i])
    assert line == morton_order(scene.means).tolist()
    assert line != list(range(50))
    weights = np.linspace(1, 2, 50).astype(np.float32)
    dominated = np.ones(50, np.int64)
    dominated[line[7]] = 0
    colors = SH_C0 * scene.sh[:, 0].astype(np.float64)
    expected = np.zeros(50)
    for place, i in enumerate(line):
        previous = line[place - 1] if place else line[1]
        following = line[place + 1] if place < 49 else line[48]
        near = np.abs(colors[i] - colors[previous]) + np.abs(colors[i] - colors[following])
        expected[i] = weights[i] * near.mean() ** 2 if dominated[i] else 0
    found = local_distinctiveness(scene, [], Told(weight_sum=weights, dominated=dominated))
    assert found == pytest.approx(expected, rel=1e-5)
    assert found[line[7]] == 0


def test_sensitivity_is_the_determinant_of_the_fisher_matrix() -> None:
    torch = pytest.importorskip("torch")
    scene, camera, renderer = make_scene(12, seed=5, degree=1), make_camera(10, 8), CpuRenderer()
    means = torch.tensor(scene.means, requires_grad=True)
    log_scales = torch.tensor(scene.log_scales, requires_grad=True)
    rest = [torch.tensor(a) for a in (scene.quats, scene.opacities, scene.sh)]
    fisher = np.zeros((12, 6, 6))
    for pixel in range(8 * 10 * 3):
        image, _ = renderer.rasterize(means, rest[0], log_scales.exp(), *rest[1:], camera)
        found = torch.autograd.grad(image.reshape(-1)[pixel], (means, log_scales))
        gradient = torch.cat(found, 1).double().numpy()
        fisher += gradient[:, :, None] * gradient[:, None, :]
    scale = np.trace(fisher, axis1=1, axis2=2) / 6
    damped = fisher + DAMPING * scale[:, None, None] * np.eye(6)
    expected = np.linalg.det(damped) ** (1 / 6)
    assert (expected > 0).sum() > 8
    found = sensitivity(scene, [camera], renderer, probes=1000)
    assert found == pytest.approx(expected, rel=0.1)
    assert not np.array_equal(found, sensitivity(scene, [camera], renderer, probes=1000, seed=1))


def test_views_are_spread_over_the_cameras() -> None:
    cameras = [make_camera(8, 8, angle=a) for a in range(10)]
    assert [c.name for c in pick_views(cameras, 4)] == ["0", "3", "6", "9"]
    assert list(pick_views(cameras, 99)) == cameras
