from __future__ import annotations

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from gscompress.importance.coverage import SEEN_WEIGHT, coverage
from gscompress.render.base import Scores


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
