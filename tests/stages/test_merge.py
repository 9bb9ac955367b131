"""Merging: moments, costs, what it keeps and what it gains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gscompress as gs
from gscompress.cameras import Camera
from gscompress.config import load_config
from gscompress.errors import InputError
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.metrics import psnr
from gscompress.render.base import Scores
from gscompress.render.cpu import CpuRenderer
from gscompress.stages._moments import Pairs, colour_costs, nearby_pairs
from gscompress.stages.base import Context
from gscompress.stages.merge import Merge
from gscompress.stages.prune import Prune
from tests.render.scenes import make_camera, make_scene

N = 600


def told(n: int, weight: float | np.ndarray = 1.0, effect: float | np.ndarray = 1.0) -> Scores:
    """Scores that say what they are told."""
    weight, effect = (np.broadcast_to(np.float32(v), n) for v in (weight, effect))
    return Scores(weight, weight, weight, np.ones(n, np.int64), effect)


def rotation(quat: np.ndarray) -> np.ndarray:
    w, v = quat[0], quat[1:]
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


def covariance(scene: Gaussians, i: int) -> np.ndarray:
    axes = rotation(scene.unit_quats[i].astype(float))
    return axes @ np.diag(np.exp(2 * scene.log_scales[i].astype(float))) @ axes.T


def mass(scene: Gaussians, i: int) -> float:
    a, b, c = np.exp(scene.log_scales[i].astype(float))
    return float(scene.opacities[i]) * (a * b + b * c + a * c)


def logit(opacity: np.ndarray) -> np.ndarray:
    return np.log(opacity / (1 - opacity))


def test_two_identical_halves_give_back_the_whole() -> None:
    whole = make_scene(50, seed=1, degree=2)
    half = whole.replace(opacity_logits=logit(whole.opacities.astype(float) / 2))
    halves = Gaussians.concat([half, half])
    pairs = Pairs.of(halves, np.arange(50), np.arange(50, 100), told(100))
    assert pairs.costs(told(100)) == pytest.approx(0, abs=1e-6)
    merged = pairs.merged()
    assert merged.means == pytest.approx(whole.means, rel=1e-6, abs=1e-7)
    assert merged.opacities == pytest.approx(np.minimum(whole.opacities, 0.999), rel=1e-4)
    assert merged.sh == pytest.approx(whole.sh, rel=1e-6, abs=1e-7)
    for i in range(50):
        scale = np.abs(covariance(whole, i)).max()
        assert covariance(merged, i) == pytest.approx(covariance(whole, i), abs=1e-5 * scale)
    camera = make_camera(60, 45)
    images = [CpuRenderer().render(scene, camera).image for scene in (merged, whole)]
    assert psnr(*images) > 60


def test_moments_and_mass_are_preserved() -> None:
    scene = make_scene(40, seed=2)
    faint = scene.replace(opacity_logits=scene.opacity_logits - 2)
    first, second = np.arange(20), np.arange(20, 40)
    weight = np.linspace(1, 3, 40)
    merged = Pairs.of(faint, first, second, told(40, weight)).merged()
    for k, (i, j) in enumerate(zip(first, second, strict=True)):
        m = mass(faint, i), mass(faint, j)
        f = m[0] / (m[0] + m[1])
        mean = f * faint.means[i].astype(float) + (1 - f) * faint.means[j]
        assert merged.means[k] == pytest.approx(mean, rel=1e-5, abs=1e-6)
        second_moment = np.zeros((3, 3))
        for share, g in ((f, i), (1 - f, j)):
            d = faint.means[g] - mean
            second_moment += share * (covariance(faint, g) + np.outer(d, d))
        scale = np.abs(second_moment).max()
        assert covariance(merged, k) == pytest.approx(second_moment, abs=2e-5 * scale)
        if mass(merged, k) / float(merged.opacities[k]) * 0.999 > sum(m):
            assert mass(merged, k) == pytest.approx(sum(m), rel=1e-4)
        colour = (weight[i] * faint.sh[i] + weight[j] * faint.sh[j]) / (weight[i] + weight[j])
        assert merged.sh[k] == pytest.approx(colour, rel=1e-4, abs=1e-6)


def test_costs_are_the_integrals() -> None:
    rng = np.random.default_rng(3)
    scene = make_scene(2, seed=3, degree=1).replace(
        means=[[0, 0, 0], [0.4, -0.3, 0.2]],
        log_scales=np.log([[0.5, 0.4, 0.6], [0.3, 0.5, 0.4]]),
        opacity_logits=[0.3, -0.5],
    )
    scores = told(2, np.array([2.0, 3.0]), np.array([5.0, 7.0]))
    pairs = Pairs.of(scene, np.array([0]), np.array([1]), scores)
    points = np.stack(np.meshgrid(*[np.linspace(-4, 4, 90)] * 3), axis=-1).reshape(-1, 3)

    def field(s: Gaussians, i: int) -> np.ndarray:
        d = points - s.means[i]
        return float(s.opacities[i]) * np.exp(
            -0.5 * np.einsum("ni,ij,nj->n", d, np.linalg.inv(covariance(s, i)), d)
        )

    both, one = field(scene, 0) + field(scene, 1), field(pairs.merged(), 0)
    shape = np.square(both - one).sum() / np.square(both).sum()
    ways = rng.normal(size=(200_000, 3))
    x, y, z = (ways / np.linalg.norm(ways, axis=1, keepdims=True)).T
    basis = np.stack([np.full_like(x, 0.28209479), *(0.48860251 * a for a in (-y, z, -x))], 1)
    colour = np.square(basis @ (scene.sh[0] - scene.sh[1])).sum(1).mean()
    found = colour_costs(scene, pairs.first, pairs.second, scores)
    assert found == pytest.approx([2 * 3 / 5 * colour], rel=0.02)
    assert pairs.costs(scores) - found == pytest.approx([shape * 12], rel=1e-3)


def test_pairs_are_near_neighbours() -> None:
    spatial = pytest.importorskip("scipy.spatial")
    scene = make_scene(3000, seed=4, degree=0)
    first, second = nearby_pairs(scene)
    assert (first < second).all()
    assert len(np.unique(first * 3000 + second)) == len(first) < 15 * 3000
    found = set(zip(first.tolist(), second.tolist(), strict=True))
    _, nearest = spatial.cKDTree(scene.means).query(scene.means, 2)
    hit = [(min(i, j), max(i, j)) in found for i, j in enumerate(nearest[:, 1].tolist())]
    assert np.mean(hit) > 0.8
    for n in (1, 2, 3):
        assert len(nearby_pairs(make_scene(n))[0]) == n * (n - 1) // 2


@pytest.fixture(scope="module")
def scene() -> Gaussians:
    return make_scene(N, seed=7, degree=1)


@pytest.fixture(scope="module")
def cameras(scene: Gaussians) -> list[Camera]:
    return gs.virtual_cameras(scene, 32, width=64, height=48, kind="object")


def measure(out: Gaussians, scene: Gaussians, views: list[Camera]) -> float:
    render = CpuRenderer().render
    return float(np.mean([psnr(render(out, c).image, render(scene, c).image) for c in views]))


def test_a_split_scene_is_put_together_again(scene, cameras) -> None:
    # Faint, because two halves that are blended one after the other hide a part of each other.
    half = scene.replace(opacity_logits=logit(scene.opacities.astype(float) / 20))
    halves = Gaussians.concat([half, half])
    ctx = Context(halves, cameras, device="cpu")
    merged = Merge(keep=0.5, rounds=1).apply(halves, ctx)
    pruned = Prune(keep=0.5, rounds=1).apply(halves, ctx)
    assert len(merged) == len(pruned) == N
    assert measure(merged, halves, cameras) > measure(pruned, halves, cameras) + 3


def test_on_the_demo_scene_it_loses_less_than_pruning() -> None:
    folder = Path(__file__).parents[2] / "scenes"
    demo = gs.load(folder / "demo.ply")
    cameras = [c.resized(96, 72) for c in gs.load_cameras(folder / "cameras.json")]
    ctx = Context(demo, cameras[::4], device="cpu")
    merged, pruned = (stage(keep=0.6, rounds=1).apply(demo, ctx) for stage in (Merge, Prune))
    assert len(merged) == len(pruned) == round(0.6 * len(demo))
    test = cameras[2::16]
    assert measure(merged, demo, test) > measure(pruned, demo, test) + 2


@pytest.mark.parametrize("rounds", [1, 3])
def test_the_distortion_budget_is_honoured(scene, cameras, rounds) -> None:
    control = cameras[::4]
    train = [c for c in cameras if c not in control]
    ctx = Context(scene, train, device="cpu", control=control)
    out = Merge(min_psnr=32, rounds=rounds).apply(scene, ctx)
    assert 32 <= measure(out, scene, control) < 33.5
    assert 20 < len(out) < 550
    out.validate()


def test_what_no_camera_could_see_stays_as_it_is(scene, cameras) -> None:
    aside = scene.select(np.arange(100))
    aside = aside.replace(
        means=aside.means + np.float32([400, 0, 0]),
        opacity_logits=np.maximum(aside.opacity_logits, 0),
    )
    both = Gaussians.concat([scene, aside])
    ahead = [camera for camera in cameras if camera.position[0] > 1]  # they look away from it
    out = Merge(keep=0.8).apply(both, Context(both, ahead, device="cpu"))
    assert len(out) == 560
    far = np.flatnonzero(out.means[:, 0] > 300)
    for name in ATTRIBUTES:
        assert np.array_equal(getattr(out, name)[far], getattr(aside, name))
    with pytest.raises(InputError, match=r"merge: keep: found 0\.3, but the 2 cameras"):
        Merge(keep=0.3).apply(both, Context(both, cameras[:2], device="cpu"))
    stopped = Merge(keep=0.3, beyond="stop").apply(both, Context(both, cameras[:2], device="cpu"))
    assert 0.3 * len(both) < len(stopped) <= len(both)


def test_same_input_same_output_and_nothing_to_do(scene, cameras) -> None:
    before = {name: getattr(scene, name).copy() for name in ATTRIBUTES}
    told: list[tuple[str, int, int]] = []
    first, second = (
        Merge(keep=0.4, rounds=2, views=8).apply(
            scene, Context(scene, cameras, device="cpu", progress=lambda *step: told.append(step))
        )
        for _ in range(2)
    )
    assert len(first) == 240
    for name in ATTRIBUTES:
        assert np.array_equal(getattr(first, name), getattr(second, name))
        assert np.array_equal(getattr(scene, name), before[name])
    assert [s for s in told if s[0] == "merge"][:16] == [("merge", i, 16) for i in range(1, 17)]
    ctx = Context(scene, cameras, device="cpu")
    assert Merge(keep=1).apply(scene, ctx) is scene
    one = make_scene(1)
    assert len(Merge(keep=0.5).apply(one, Context(one, cameras, device="cpu"))) == 1
    empty = make_scene(0)
    assert len(Merge(keep=0.5).apply(empty, Context(empty, cameras, device="cpu"))) == 0


def test_in_a_configuration(scene, cameras, tmp_path) -> None:
    from gscompress.config import _preset_folder

    path = tmp_path / "mine.toml"
    text = (_preset_folder() / "fast.toml").read_text()
    path.write_text('[[stages]]\nuse = "merge"\nkeep = 0.75\n' + text)
    config = load_config(path, ["stages.merge.keep=0.5", "stages.merge.rounds=1"])
    assert config.stages == (Merge(keep=0.5, rounds=1),)
    summary = gs.compress(scene, config, cameras=cameras, device="cpu").summary
    assert summary["gaussians_out"] == 300
    assert [stage["name"] for stage in summary["stages"]] == ["merge"]
    with pytest.raises(ValueError, match="2 of keep and min_psnr are given"):
        Merge(keep=0.5, min_psnr=40)
