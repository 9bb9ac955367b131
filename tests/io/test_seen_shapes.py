from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gscompress.codecs.guidance import Sightings
from gscompress.gaussians import Gaussians
from gscompress.io import load, save
from gscompress.io.quantised import from_smallest_three, morton_order, smallest_three
from gscompress.io.seen_shapes import MOST, PIXEL, SeenShapes, least_seen, turn_per_component
from gscompress.io.sog import SogFormat
from gscompress.io.sog_writer import shortest
from tests.io.format_checks import EYES, make_scene, matching, seen


def rotation(quat: np.ndarray) -> np.ndarray:
    w, x, y, z = quat / np.linalg.norm(quat)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * k + 2 * k @ k


def covariance(scene: Gaussians, i: int) -> np.ndarray:
    turn = rotation(scene.quats[i].astype(np.float64))
    return turn @ np.diag(np.exp(2 * scene.log_scales[i].astype(np.float64))) @ turn.T


def seen_change(scene: Gaussians, other: Gaussians, sightings: Sightings) -> np.ndarray:  # [N]
    """A slow twin: the flat covariances of each view, before and after, against each other."""
    out = np.zeros(len(scene))
    for i in range(len(scene)):
        ways = scene.means[i].astype(np.float64) - EYES
        far = np.linalg.norm(ways, axis=1)
        weights = sightings.weights[i].astype(np.float64)
        blur = (PIXEL * np.average(far, weights=weights + 1e-30)) ** 2
        for way, weight in zip(ways, weights, strict=True):
            plane = np.linalg.svd(way[None])[2][1:]  # two directions across the view
            flat = plane @ (covariance(scene, i) + blur * np.eye(3)) @ plane.T
            change = plane @ (covariance(other, i) - covariance(scene, i)) @ plane.T
            relative = np.linalg.solve(flat, change)
            out[i] += weight * np.trace(relative @ relative)
    return out


def turned(scene: Gaussians, vectors: np.ndarray) -> Gaussians:
    """Small turns about the Gaussians' own axes."""
    w, x, y, z = scene.quats.astype(np.float64).T
    a, b, c = vectors.T / 2
    change = np.stack(
        [
            -x * a - y * b - z * c,
            w * a + y * c - z * b,
            w * b + z * a - x * c,
            w * c + x * b - y * a,
        ],
        axis=1,
    )
    return scene.replace(quats=(scene.quats + change).astype(np.float64))


def test_metrics_are_those_of_flat_covariances() -> None:
    scene = make_scene(40, 0)
    scene = scene.replace(quats=scene.unit_quats)
    sightings = seen(scene)
    shapes = SeenShapes.of(scene, sightings)
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(40, 3))
    vectors *= 2e-3 / np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = seen_change(scene, turned(scene, vectors), sightings)
    found = np.einsum("ni,nij,nj->n", vectors, shapes.turns, vectors)
    share = found / np.maximum(wanted, wanted.max() * 1e-9)
    assert 0.95 < np.median(share) < 1.1
    assert np.quantile(share, 0.1) > 0.8  # the views from everywhere come on top
    assert np.quantile(share, 0.9) < 3
    for axis in range(3):
        moved = scene.log_scales.astype(np.float64)
        moved[:, axis] += 1e-3
        wanted = seen_change(scene, scene.replace(log_scales=moved), sightings)
        found = 4e-6 * shapes.scales[:, axis]
        big = wanted > 1e-3 * wanted.max()
        assert np.median(found[big] / wanted[big]) == pytest.approx(1, abs=0.1)
    assert (shapes.spread > 0).all()
    assert (shapes.spread.sum(axis=1) < 2 + 1e-9).all()  # two of three axes are across a view


def test_turns_per_component() -> None:
    rng = np.random.default_rng(0)
    quats = rng.normal(size=(200, 4))
    largest, others = smallest_three(quats)
    exact = from_smallest_three(largest, others).astype(np.float64)
    steps = rng.normal(0, 1e-4, (200, 3))
    moved = from_smallest_three(largest, others + steps * np.sqrt(2)).astype(np.float64)
    vectors = np.einsum("nij,nj->ni", turn_per_component(exact, largest), steps)
    for i in range(200):
        turn = rotation(exact[i]).T @ rotation(moved[i])
        found = np.array([turn[2, 1], turn[0, 2], turn[1, 0]])
        assert np.abs(found - vectors[i]).max() < 1e-5


def test_of_all_near_whole_numbers_the_best() -> None:
    rng = np.random.default_rng(0)
    target = rng.uniform(0, 20, (300, 3))
    factor = rng.normal(size=(300, 3, 3)) * np.array([1, 1, 0.05])
    metric = factor @ np.swapaxes(factor, 1, 2)

    def cost(numbers: np.ndarray) -> np.ndarray:
        error = numbers - target
        return np.asarray(np.einsum("ni,nij,nj->n", error, metric, error))

    found = least_seen(target, metric, 20, 2)
    assert np.array_equal(found, np.rint(found))
    assert found.min() >= 0
    assert found.max() <= 20
    nearest = np.floor(target + 0.5)
    assert (cost(found) <= cost(nearest) + 1e-9).mean() > 0.97
    assert np.median(cost(found)) < 0.5 * np.median(cost(nearest))
    around = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), axis=-1).reshape(-1, 3)
    tried = np.clip(nearest[:, None] + around, 0, 20)
    best = np.min([cost(tried[:, k]) for k in range(len(around))], axis=0)
    assert cost(found).sum() < 2 * best.sum()
    whole = rng.integers(0, 21, (300, 3)).astype(np.float64)
    assert np.array_equal(least_seen(whole, metric, 20, 2), whole)
    assert np.array_equal(least_seen(whole, metric * 0, 20, 2), whole)


def test_less_of_a_sog_is_seen(tmp_path: Path) -> None:
    scene = make_scene(400, 0)
    scene = scene.select(morton_order(scene.means))
    sightings = seen(scene)
    changes = []
    for given in (None, sightings):
        SogFormat(sightings=given).save(scene, tmp_path / "a.sog")
        back = load(tmp_path / "a.sog")
        turns = seen_change(scene, scene.replace(quats=back.quats), sightings)
        scales = seen_change(scene, scene.replace(log_scales=back.log_scales), sightings)
        changes.append((turns.sum(), scales.sum()))
    assert changes[1][0] < 0.7 * changes[0][0]
    assert changes[1][1] < 0.8 * changes[0][1]


@pytest.mark.parametrize(
    ("name", "settings"), [("a.sog", {}), ("a.spz", {}), ("b.spz", {"axes": "RDF"})]
)
def test_opacities_make_up_for_scales(tmp_path: Path, name: str, settings: dict[str, Any]) -> None:
    scene = make_scene(400, 0)
    sightings = seen(scene)
    save(scene, tmp_path / name, settings={**settings, "sightings": sightings})
    back = load(tmp_path / name, **settings)
    spread = SeenShapes.of(scene, sightings).spread
    order = matching(scene, back)
    scene, spread = scene.select(order), spread[order]
    larger = np.sum(spread * (back.log_scales - scene.log_scales), axis=1)
    small = np.abs(back.log_scales - scene.log_scales).max(axis=1) < MOST
    assert np.ptp(larger[small]) > 0.04
    wanted = np.minimum(scene.opacities * np.exp(-larger / 2), 1)
    assert np.abs(back.opacities - wanted)[small].max() < 0.51 / 255


def test_a_disc_is_as_bright_as_before() -> None:
    """The least squares of exp(-u^2 / 2) by a wider one, over the plane that a camera sees."""
    x = np.linspace(-12, 12, 1201)
    squares = x[:, None] ** 2 + x**2
    before = np.exp(-squares / 2)
    for error in (-0.05, 0.05):  # of both log-scales
        after = np.exp(-squares / 2 / np.exp(2 * error))
        best = np.sum(before * after) / np.sum(after**2)
        assert best == pytest.approx(np.exp(-0.5 * 2 * error), rel=2e-3)


def test_few_rows_of_few_numbers_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.round(rng.normal(size=(200, 8, 3)) * 20).clip(-100, 100).astype(np.float32) / 64
    scene = make_scene(1000, 2)
    sh = scene.sh.copy()
    sh[:, 1:] = rows[rng.integers(200, size=1000)]
    scene = scene.replace(sh=sh)
    SogFormat(sightings=seen(scene)).save(scene, tmp_path / "a.sog")
    scene = scene.select(morton_order(scene.means))
    assert np.array_equal(load(tmp_path / "a.sog").sh[:, 1:], scene.sh[:, 1:])


def test_numbers_are_written_as_short_as_they_are() -> None:
    book = np.random.default_rng(0).normal(size=256).astype(np.float32)
    assert np.array_equal(np.array(shortest(book)).astype(np.float32), book)
    assert max(len(repr(number)) for number in shortest(book)) < 16
    assert shortest(np.array([1e-30, 1e10], np.float32)) == [1e-30, 1e10]
