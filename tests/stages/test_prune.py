"""Pruning: what goes, what stays whatever happens, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

import gscompress as gs
from gscompress.cameras import Camera
from gscompress.config import load_config
from gscompress.errors import ConfigError, InputError
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.importance import score
from gscompress.metrics import psnr
from gscompress.stages.base import Context
from gscompress.stages.prune import Prune
from tests.render.scenes import make_scene

N = 600


@pytest.fixture(scope="module")
def scene() -> Gaussians:
    return make_scene(N, seed=7, degree=1)


@pytest.fixture(scope="module")
def cameras(scene: Gaussians) -> list[Camera]:
    return gs.virtual_cameras(scene, 32, width=64, height=48, kind="object")


@pytest.fixture
def ctx(scene: Gaussians, cameras: list[Camera]) -> Context:
    return Context(scene, cameras, device="cpu")


def rows(part: Gaussians, whole: Gaussians) -> np.ndarray:
    """Where the Gaussians of ``part`` are in ``whole``; all their values must be the same."""
    place = {row.tobytes(): i for i, row in enumerate(whole.means)}
    found = np.array([place[row.tobytes()] for row in part.means], int)
    for name in ATTRIBUTES:
        assert np.array_equal(getattr(part, name), getattr(whole, name)[found])
    return found


@pytest.mark.parametrize("name", ["removal_effect", "weight_sum", "global_significance"])
def test_the_least_important_go(scene, cameras, ctx, name) -> None:
    out = Prune(keep=0.6, score=name, rounds=1, views=99).apply(scene, ctx)
    values = score(scene, cameras, ctx.renderer, name)
    kept = rows(out, scene)
    assert len(kept) == 360
    assert (np.diff(kept) > 0).all()  # in the order they had
    gone = np.setdiff1d(np.arange(N), kept)
    assert values[kept].min() >= values[gone].max() > 0


def test_every_round_measures_anew(scene, cameras, ctx) -> None:
    left = np.arange(N)
    for target in (round(N * 0.4**0.5), 240):
        values = score(scene.select(left), cameras, ctx.renderer)
        left = np.sort(left[np.argsort(values, kind="stable")[len(left) - target :]])
    out = Prune(keep=0.4, rounds=2, views=99).apply(scene, ctx)
    assert np.array_equal(rows(out, scene), left)
    assert not np.array_equal(rows(Prune(keep=0.4, rounds=1).apply(scene, ctx), scene), left)


def test_importance_is_kept_in_total(scene, cameras, ctx) -> None:
    values = score(scene, cameras, ctx.renderer)
    kept = rows(Prune(tau=0.95, rounds=1).apply(scene, ctx), scene)
    assert 50 < len(kept) < 500
    assert values[kept].sum() >= 0.95 * values.sum()
    assert values[kept].sum() - values[kept].min() < 0.95 * values.sum()  # no smaller set has it
    thrice = Prune(tau=0.95, rounds=3).apply(scene, ctx)
    assert 50 < len(thrice) < 500


def measure(out: Gaussians, scene: Gaussians, views: list[Camera], ctx: Context) -> float:
    render = ctx.renderer.render
    return float(np.mean([psnr(render(out, c).image, render(scene, c).image) for c in views]))


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("target", [30.0, 40.0])
def test_the_distortion_budget_is_honoured_and_used(scene, cameras, target, rounds) -> None:
    control = cameras[::4]
    ctx = Context(scene, [c for c in cameras if c not in control], device="cpu", control=control)
    stage = Prune(min_psnr=target, rounds=rounds)
    out = stage.apply(scene, ctx)
    found = measure(out, scene, control, ctx)
    assert target <= found < target + 1.5
    assert 50 < len(out) < 550
    if rounds > 1:
        assert len(out) <= len(Prune(min_psnr=target, rounds=1).apply(scene, ctx))


def test_control_views_are_held_out_where_there_are_none(scene, cameras, ctx) -> None:
    out = Prune(min_psnr=35, rounds=1).apply(scene, ctx)
    held_out = [cameras[i] for i in (2, 6, 10, 14, 18, 22, 26, 30)]
    assert 35 <= measure(out, scene, held_out, ctx) < 36.5


def test_a_budget_that_is_used_up_removes_nothing(scene, cameras) -> None:
    changed = scene.replace(sh=scene.sh * 0.5)
    ctx = Context(scene, cameras, device="cpu")
    assert measure(changed, scene, cameras, ctx) < 40
    assert len(Prune(min_psnr=40).apply(changed, ctx)) == N


def test_what_no_camera_could_see_stays(scene, cameras, ctx) -> None:
    aside = scene.select(np.arange(40))
    aside = aside.replace(means=aside.means + np.float32([400, 0, 0]))
    both = Gaussians.concat([scene, aside])
    ahead = [camera for camera in cameras if camera.position[0] > 1]  # they look away from it
    assert not score(both, ahead, ctx.renderer)[N:].any()
    out = Prune(keep=0.8).apply(both, Context(both, ahead, device="cpu"))
    kept = rows(out, both)
    assert len(kept) == 512
    assert (kept >= N).sum() == 40


def test_too_few_cameras_are_refused(scene, cameras, caplog) -> None:
    few = Context(scene, cameras[:2], device="cpu")
    with pytest.raises(InputError) as caught:
        Prune(keep=0.5).apply(scene, few)
    error = caught.value
    assert error.where == "prune"
    assert error.field == "keep"
    assert error.found.startswith("0.5, but the 2 cameras say nothing about ")
    assert float(error.expected.split()[0]) > 0.9
    assert "more cameras" in error.remedy
    # What it names is accepted.
    least = float(error.expected.split()[0])
    assert len(Prune(keep=least).apply(scene, few)) == round(least * N)
    stopped = Prune(keep=0.5, beyond="stop").apply(scene, few)
    assert 0.9 * N < len(stopped) < N
    with caplog.at_level(logging.WARNING, "gscompress"):
        out = Prune(tau=0.2).apply(scene, few)
    assert len(out) > 0.9 * N
    assert "say nothing about" in caplog.text


def test_nothing_to_do(scene, ctx, monkeypatch) -> None:
    monkeypatch.setattr(Context, "renderer", property(lambda _: pytest.fail("rendered")))
    assert Prune(keep=1).apply(scene, ctx) is scene
    assert Prune(tau=1).apply(scene, ctx) is scene
    empty = make_scene(0)
    assert len(Prune(keep=0.5).apply(empty, Context(empty, device="cpu"))) == 0


def test_same_input_same_output_and_the_input_stays(scene, cameras) -> None:
    before = {name: getattr(scene, name).copy() for name in ATTRIBUTES}
    first, second = (
        Prune(min_psnr=35).apply(scene, Context(scene, cameras, device="cpu")) for _ in range(2)
    )
    for name in ATTRIBUTES:
        assert np.array_equal(getattr(first, name), getattr(second, name))
        assert np.array_equal(getattr(scene, name), before[name])


def test_progress_counts_views_over_all_rounds(scene, cameras) -> None:
    told: list[tuple[str, int, int]] = []
    ctx = Context(scene, cameras, device="cpu", progress=lambda *step: told.append(step))
    Prune(keep=0.5, rounds=2, views=5).apply(scene, ctx)
    assert [step for step in told if step[0] == "prune"] == [("prune", i, 10) for i in range(1, 11)]
    assert told[0] == ("cover", 1, 32)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "0 of keep, tau and min_psnr are given, expected one"),
        ({"keep": 0.5, "tau": 0.9}, "2 of keep, tau and min_psnr are given"),
        ({"keep": 0}, "keep is 0, expected above 0 and at most 1"),
        ({"tau": 1.5}, "tau is 1.5"),
        ({"min_psnr": -3}, "min_psnr is -3"),
        ({"keep": 0.5, "score": "opacity"}, "score is 'opacity', expected one of removal_effect"),
        ({"keep": 0.5, "rounds": 0}, "rounds is 0, expected at least 1"),
        ({"keep": 0.5, "views": 0}, "views is 0"),
    ],
)
def test_parameters_are_checked(fields, text) -> None:
    with pytest.raises(ValueError, match=text):
        Prune(**fields)


def write_config(folder: Path, stage: str) -> Path:
    from gscompress.config import _preset_folder

    path = folder / "mine.toml"
    path.write_text(f"[[stages]]\n{stage}\n" + (_preset_folder() / "fast.toml").read_text())
    return path


def test_in_a_configuration(scene, cameras, tmp_path) -> None:
    path = write_config(tmp_path, 'use = "prune"\nkeep = 0.75')
    config = load_config(path, ["stages.prune.keep=0.5", "stages.prune.rounds=1"])
    assert config.stages == (Prune(keep=0.5, rounds=1),)
    result = gs.compress(scene, config, cameras=cameras, device="cpu")
    assert result.summary["gaussians_out"] == len(result.decoded()) == 300
    (stage,) = result.summary["stages"]
    assert (stage["name"], stage["gaussians_in"], stage["gaussians_out"]) == ("prune", N, 300)
    assert result.to_bytes() == gs.compress(scene, config, cameras=cameras, device="cpu").to_bytes()
    none = load_config(path, stages="none")
    assert gs.compress(scene, none).summary["gaussians_out"] == N
    with pytest.raises(ConfigError, match=r"stages\[0\].*keep is 2"):
        load_config(path, ["stages.prune.keep=2.0"])
