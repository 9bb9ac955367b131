from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from gscompress.importance.coverage import SEEN_WEIGHT, coverage
from gscompress.io import load
from gscompress.render import get_renderer
from gscompress.render.base import Renderer, Scores
from gscompress.virtual_cameras import virtual_cameras


class FakeRenderer:
    """Says that view i gives Gaussian j the weight ``weights[i, j]``."""

    name = "fake"
    device = "none"

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights

    def scores(self, scene: Gaussians, cameras: list[Camera], **_: object) -> Scores:
        weight = np.max([self.weights[int(c.name)] for c in cameras], axis=0).astype(np.float32)
        hits = (weight > 0).astype(np.int64)
        return Scores(weight, weight**2, weight, hits, weight)


def cameras(n: int) -> list[Camera]:
    return [Camera(str(i), 4, 4, 4, 4, 2, 2, np.eye(4)) for i in range(n)]


def scene(n: int) -> Gaussians:
    """Gaussians whose opacity-weighted areas are as 1 : 4 : 9 : ..."""
    return Gaussians(
        means=np.zeros((n, 3)),
        quats=np.ones((n, 4)),
        log_scales=np.repeat(np.log(np.arange(1, n + 1))[:, None], 3, axis=1),
        opacity_logits=np.zeros(n),
        sh=np.zeros((n, 1, 3)),
    )


def test_share_is_by_area_and_number_of_views() -> None:
    weights = np.array(
        [
            [0.5, 0.5, 0.5, 0.0],
            [0.5, 0.0, 0.5, 0.0],
            [0.5, 0.0, SEEN_WEIGHT * 1.01, SEEN_WEIGHT * 0.99],
        ]
    )
    reports = []
    found = coverage(
        scene(4),
        cameras(3),
        FakeRenderer(weights),
        progress=lambda done, total: reports.append((done, total)),
    )
    assert found.counts.tolist() == [3, 1, 3, 0]
    assert found.share == pytest.approx((1 + 9) / 30)
    assert found.share_once == pytest.approx((1 + 4 + 9) / 30)
    assert found.to_dict() == {
        "share": found.share,
        "share_once": found.share_once,
        "k": 3,
        "views": 3,
    }
    assert reports == [(1, 3), (2, 3), (3, 3)]
    assert coverage(scene(4), cameras(3), FakeRenderer(weights), k=1).share == found.share_once
    assert coverage(scene(4), [], FakeRenderer(weights)).share == 0
    assert coverage(scene(0), cameras(1), FakeRenderer(np.zeros((1, 0)))).share == 0


# With the native renderer


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return get_renderer("cpu")


def shell(count: int, radii: list[float]) -> Gaussians:
    """An opaque ellipsoid of small discs: their thin axis along the normal, nearly."""
    points = np.random.default_rng(0).standard_normal((count, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    # The half-way rotation from z to the normal p is the quaternion (1 + p_z, z x p).
    quats = np.stack([1 + points[:, 2], -points[:, 1], points[:, 0], 0 * points[:, 0]], axis=1)
    return Gaussians(
        means=points * radii,
        quats=quats,
        log_scales=np.tile(np.log([0.06, 0.06, 0.002]), (count, 1)),
        opacity_logits=np.full(count, 4.0),
        sh=np.zeros((count, 1, 3)),
    )


def test_virtual_cameras_see_all_of_a_shell_and_nothing_within(renderer: Renderer) -> None:
    outer, hidden = shell(6000, [1, 1.5, 1]), shell(1500, [0.5, 0.5, 0.5])
    both = Gaussians.concat([outer, hidden])
    cameras = virtual_cameras(both, 24, width=200, height=150)
    found = coverage(both, cameras, renderer)
    assert (found.counts[:6000] >= 3).mean() > 0.99
    assert (found.counts[6000:] >= 3).mean() < 0.05
    assert found.share == pytest.approx(0.8, abs=0.02)
    # One camera sees about half of it, and never three times.
    one = coverage(outer, cameras[:1], renderer)
    assert one.share == 0
    assert 0.3 < one.share_once < 0.6


@pytest.mark.parametrize(
    ("name", "share"),
    [("bonsai/point_cloud.ply", 0.93), ("basketball/frames/frame_0000.ply", 0.93)],
)
def test_virtual_cameras_see_real_scenes(
    shared_data: Path, renderer: Renderer, name: str, share: float
) -> None:
    real = load(shared_data / name)
    cameras = virtual_cameras(real, 64, width=240, height=180)
    found = coverage(real, cameras, renderer)
    assert found.share > share
