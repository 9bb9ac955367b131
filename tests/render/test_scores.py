"""Scores of the native rasterizer against the dense reference, and of removal by removing."""

import dataclasses

import numpy as np
import pytest

from gscompress import _native
from gscompress.render.cpu import CpuRenderer
from tests.render.scenes import make_camera, make_scene

LEVELS = _native.simd_levels()
BACKGROUND = (0.2, 0.5, 0.8)
KEYS = ("sum", "squares", "largest", "hits", "effect", "passed", "dominated")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("mode", ["default", "mip"])
def test_match_the_dense_reference(mode, level) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("gsplat", reason="the reference is built on gsplat's torch functions")
    from tests.oracle import dense

    scene = make_scene(400, seed=1, mode=mode)
    n = len(scene)
    arrays = (scene.means, scene.quats, scene.scales, scene.opacities, scene.sh)
    exact = tuple(torch.tensor(a, dtype=torch.float64) for a in arrays)
    cameras = [make_camera(60, 45, angle=a) for a in (0.1, 2)]
    expected = {f: np.zeros(n) for f in KEYS}
    for camera in cameras:
        view = dense.render(exact, camera, BACKGROUND, antialiased=mode == "mip")
        assert view.margin.min() > 1e-6  # no decision is open: hits must agree exactly
        weights = view.weights
        after = 1 - weights.cumsum(-1)
        shown = (weights[..., None] * view.colors).cumsum(-2)
        behind = (view.image[..., None, :] - shown) / after[..., None]
        effect = weights.square() * (behind - view.colors).square().sum(-1)
        sums = (weights.sum((0, 1)), weights.square().sum((0, 1)), (weights > 0).sum((0, 1)))
        for key, values in zip(("sum", "squares", "hits"), sums, strict=True):
            expected[key] += view.per_gaussian(values, n)
        expected["effect"] += view.per_gaussian(effect.sum((0, 1)), n)
        passed = ((after + weights) * (weights > 0)).sum((0, 1))
        expected["passed"] += view.per_gaussian(passed, n)
        winners = weights.argmax(-1)[weights.amax(-1) > 0]
        wins = torch.bincount(winners, minlength=weights.shape[-1])
        expected["dominated"] += view.per_gaussian(wins.double(), n)
        largest = view.per_gaussian(weights.amax((0, 1)), n)
        expected["largest"] = np.maximum(expected["largest"], largest)
    scores = CpuRenderer(threads=2, simd=level).scores(scene, cameras, BACKGROUND, occlusion=True)
    assert expected["hits"].sum() > 10_000
    assert np.array_equal(scores.hits, expected["hits"])
    assert scores.hits.dtype == np.int64
    assert np.array_equal(scores.dominated, expected["dominated"])
    assert scores.dominated.dtype == np.int64
    for mine, key in (
        (scores.weight_sum, "sum"),
        (scores.weight_sq_sum, "squares"),
        (scores.weight_max, "largest"),
        (scores.transmittance_sum, "passed"),
    ):
        assert mine.dtype == np.float32
        assert mine == pytest.approx(expected[key], rel=1e-4, abs=1e-6)
    error = np.linalg.norm(scores.removal_effect - expected["effect"])
    assert error < 1e-4 * np.linalg.norm(expected["effect"])
    assert expected["effect"].max() > 1


def test_removal_effect_is_what_removal_does() -> None:
    scene = make_scene(60, seed=2, degree=1)
    camera = make_camera(50, 40)
    renderer = CpuRenderer()
    whole = renderer.render(scene, camera, BACKGROUND).image.astype(np.float64)
    scores = renderer.scores(scene, [camera], BACKGROUND)
    actual = np.zeros(len(scene))
    for i in range(len(scene)):
        rest = scene.select(np.arange(len(scene)) != i)
        image = renderer.render(rest, camera, BACKGROUND).image
        actual[i] = np.square(image - whole).sum()
    assert (actual > 0.1).sum() > 20
    assert np.array_equal(actual > 0, scores.hits > 0)
    # Where a pixel was finished, removal lets it go on: a difference of the order of 1e-4.
    assert scores.removal_effect == pytest.approx(actual, rel=2e-3, abs=2e-3)


@pytest.mark.parametrize("level", LEVELS)
def test_threads_do_not_change_a_bit(level) -> None:
    scene = make_scene(3001, seed=3)
    cameras = [make_camera(90, 70, angle=a) for a in (0, 1)]
    one, two, five = (
        CpuRenderer(threads=t, simd=level).scores(scene, cameras, occlusion=True) for t in (1, 2, 5)
    )
    for field in dataclasses.fields(one):
        values = getattr(one, field.name)
        assert values.max() > 0
        assert np.array_equal(values, getattr(two, field.name))
        assert np.array_equal(values, getattr(five, field.name))


def test_the_pass_without_removal_effects_is_the_same() -> None:
    scene, camera = make_scene(800, seed=4), make_camera(70, 60)
    n = len(scene)
    results = []
    for removal in (True, False):
        image, alpha = np.empty((60, 70, 3), np.float32), np.empty((60, 70), np.float32)
        sums = {
            "weight_sum": np.zeros(n),
            "weight_sq_sum": np.zeros(n),
            "weight_max": np.zeros(n, np.float32),
            "hits": np.zeros(n, np.int64),
        }
        _native.Rasterizer(threads=2).scores(
            scene.means,
            scene.quats,
            scene.scales,
            scene.opacities,
            scene.sh,
            camera.viewmat,
            (camera.fx, camera.fy, camera.cx, camera.cy),
            background=BACKGROUND,
            antialiased=False,
            image=image,
            alpha=alpha,
            removal_effect=np.zeros(n) if removal else None,
            **sums,
        )
        results.append((image, alpha, *sums.values()))
    expected = CpuRenderer().render(scene, camera, BACKGROUND)
    assert np.array_equal(results[0][0], expected.image)
    for a, b in zip(*results, strict=True):
        assert a.max() > 0
        assert b == pytest.approx(a, rel=1e-6)


def test_no_gaussians_and_no_cameras() -> None:
    done: list[tuple[int, int]] = []
    scores = CpuRenderer().scores(
        make_scene(0), [make_camera(9, 9)], progress=lambda i, n: done.append((i, n))
    )
    assert len(scores.hits) == 0
    assert done == [(1, 1)]
    assert not CpuRenderer().scores(make_scene(7), []).hits.any()
