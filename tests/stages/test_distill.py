"""Fewer harmonics that look like all of them did."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.codecs.guidance import Sightings
from gscompress.codecs.harmonics import harmonics
from gscompress.errors import ConfigError
from gscompress.gaussians import Gaussians
from gscompress.metrics.psnr import psnr
from gscompress.registry import Registry
from gscompress.stages import STAGES
from gscompress.stages.base import Context
from gscompress.stages.distill import Distill
from gscompress.stages.harmonics import refit
from tests.codecs import sh_twin


def directions(count: int, seed: int = 0) -> np.ndarray:
    ways = np.random.default_rng(seed).normal(size=(count, 3))
    return ways / np.linalg.norm(ways, axis=1, keepdims=True)


@pytest.mark.parametrize("terms", [1, 4, 9, 16, 25])
def test_harmonics_are_those_of_the_textbook(terms: int) -> None:
    ways = np.concatenate([directions(40), np.eye(3), -np.eye(3)])
    np.testing.assert_allclose(harmonics(ways, terms), sh_twin.harmonics(terms, ways), atol=1e-12)


class TestRefit:
    def sightings(self, count: int, views: int) -> tuple[np.ndarray, Sightings]:
        rng = np.random.default_rng(3)
        eyes = 5 * directions(views, 4) * [1, 1, 0.2]
        weights = rng.exponential(size=(count, views)) * (rng.random((count, views)) < 0.8)
        means = rng.normal(0, 0.5, (count, 3)).astype(np.float32)
        return means, Sightings.of(eyes.astype(np.float32), weights)

    @pytest.mark.parametrize("terms", [1, 4, 9])
    def test_is_the_least_squares_optimum(self, terms: int) -> None:
        """Against a dense least-squares solver that knows views, not metrics."""
        means, sightings = self.sightings(20, 30)
        sh = np.random.default_rng(5).normal(size=(20, 16, 3)).astype(np.float32)
        fitted, left = refit(sh, means, sightings, terms, damping=0.0)
        assert fitted.shape == (20, terms, 3)
        for i in range(20):
            ways = means[i].astype(np.float64) - sightings.eyes
            ways /= np.linalg.norm(ways, axis=1, keepdims=True)
            root = np.sqrt(sightings.weights[i].astype(np.float64))[:, None]
            basis = root * sh_twin.harmonics(16, ways)
            best, rest, _, _ = np.linalg.lstsq(basis[:, :terms], basis @ sh[i], rcond=None)
            np.testing.assert_allclose(fitted[i], best, rtol=2e-4, atol=2e-4)
            assert left[i] == pytest.approx(rest.sum(), rel=1e-3)

    def test_damping_leads_to_truncation(self) -> None:
        means, sightings = self.sightings(10, 30)
        sh = np.random.default_rng(5).normal(size=(10, 16, 3)).astype(np.float32)
        change = [
            np.abs(refit(sh, means, sightings, 4, damping)[0] - sh[:, :4]).max()
            for damping in (0.0, 1.0, 1e6)
        ]
        assert change[0] > 0.3
        assert change[0] > change[1] > 1e-2 > 1e-4 > change[2]

    def test_a_gaussian_that_nobody_sees_is_truncated(self) -> None:
        means, sightings = self.sightings(6, 8)
        sightings.codes[2] = 0
        sh = np.random.default_rng(5).normal(size=(6, 9, 3)).astype(np.float32)
        fitted, _ = refit(sh, means, sightings, 4, damping=0.0)
        assert np.array_equal(fitted[2], sh[2, :4])
        assert np.isfinite(fitted).all()

    def test_nothing_to_drop(self) -> None:
        means, sightings = self.sightings(6, 8)
        sh = np.ones((6, 4, 3), np.float32)
        fitted, left = refit(sh, means, sightings, 4, damping=1.0)
        assert np.array_equal(fitted, sh)
        assert not left.any()


def quality(scene: Gaussians, cameras: list[Camera], ctx: Context) -> float:
    renders = ctx.renderer.render
    truth = ctx.scene
    return float(np.mean([psnr(renders(scene, c).image, renders(truth, c).image) for c in cameras]))


@pytest.mark.parametrize("degree", [0, 1])
def test_beats_truncation_at_held_out_views(
    context: Context, cameras: list[Camera], degree: int
) -> None:
    truncated = context.scene.replace(sh=context.scene.sh[:, : (degree + 1) ** 2])
    fitted = Distill(sh_degree=degree).apply(context.scene, context)
    assert fitted.sh_degree == degree
    held_out = cameras[1::2]
    gain = quality(fitted, held_out, context) - quality(truncated, held_out, context)
    assert gain > 1.0


def test_tolerance_zeroes_what_does_not_show(context: Context, cameras: list[Camera]) -> None:
    before = context.scene.sh.copy()
    shares, psnrs = [], []
    for tolerance in (0.0, 0.03, 0.15):
        fitted = Distill(sh_degree=2, tolerance=tolerance).apply(context.scene, context)
        assert fitted.sh_degree == 2
        shares.append(np.mean(np.all(fitted.sh[:, 4:] == 0, axis=(1, 2))))
        psnrs.append(quality(fitted, cameras[1::2], context))
        flat = np.all(fitted.sh[:, 1:4] == 0, axis=(1, 2))
        assert np.all(fitted.sh[flat, 4:] == 0)  # never a higher band without the lower ones
    assert np.array_equal(context.scene.sh, before)
    assert shares[0] == 0
    assert 0.05 < shares[1] < shares[2] - 0.1
    assert psnrs[0] > psnrs[1] > psnrs[2] > 25


def test_iterations_beat_the_closed_form(context: Context, cameras: list[Camera]) -> None:
    closed = Distill(sh_degree=0)
    held_out = cameras[1::2]
    start, end = (
        stage.apply(context.scene, context)
        for stage in (closed, dataclasses.replace(closed, steps=80))
    )
    assert quality(end, held_out, context) > quality(start, held_out, context) + 0.05
    assert np.array_equal(end.opacity_logits, start.opacity_logits)
    assert np.array_equal(end.log_scales, start.log_scales)


def test_nothing_to_do(context: Context) -> None:
    assert Distill(sh_degree=2).apply(context.scene, context) is context.scene
    assert Distill(sh_degree=4).apply(context.scene, context) is context.scene
    empty = context.scene.select(np.arange(0))
    assert Distill(sh_degree=0).apply(empty, context) is empty


def test_without_cameras(scene: Gaussians) -> None:
    ctx = Context(scene, device="cpu")
    fitted = Distill(sh_degree=0, views=8).apply(scene, ctx)
    assert fitted.sh_degree == 0
    assert np.abs(fitted.sh - scene.sh[:, :1]).max() > 1e-3


@pytest.mark.parametrize("wrong", [{"sh_degree": 5}, {"views": 0}, {"damping": -1}, {"steps": -1}])
def test_parameters_are_checked(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Distill(**wrong)  # type: ignore[arg-type]


def test_registered() -> None:
    assert isinstance(STAGES, Registry)
    assert STAGES.get("distill") is Distill
    with pytest.raises(ConfigError):
        STAGES.get("distil")
