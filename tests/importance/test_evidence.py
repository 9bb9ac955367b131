"""Who may be judged by what cameras see."""

from __future__ import annotations

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from gscompress.importance.coverage import coverage
from gscompress.importance.evidence import MAX_UNSEEN, judged, least_keep
from gscompress.render.cpu import CpuRenderer
from gscompress.virtual_cameras import virtual_cameras
from tests.importance.test_coverage import shell

OUTER, INNER = 8000, 500


@pytest.fixture(scope="module")
def nested() -> Gaussians:
    """A closed ellipsoid with a smaller one inside."""
    both = Gaussians.concat([shell(OUTER, [1, 1.2, 1]), shell(INNER, [0.4, 0.4, 0.4])])
    return both.replace(opacity_logits=np.full(len(both), 6.0))


def judge(scene: Gaussians, cameras: list[Camera]) -> np.ndarray:
    return judged(scene, cameras, CpuRenderer())


def test_what_is_hidden_from_all_sides_is_judged(nested, monkeypatch) -> None:
    cameras = virtual_cameras(nested, 32, width=120, height=90)
    assert INNER / (OUTER + INNER) < MAX_UNSEEN
    monkeypatch.setattr("gscompress.importance.evidence.GROUPS", 99)  # each for itself
    counts = coverage(nested, cameras, CpuRenderer()).counts
    assert (counts[OUTER:] == 0).mean() > 0.9
    known = judge(nested, cameras)
    assert known[OUTER:].all()
    assert known[:OUTER].mean() > 0.99


def test_what_was_only_seen_from_one_side_is_not(nested) -> None:
    cameras = virtual_cameras(nested, 128, width=120, height=90)
    positions = np.array([camera.position for camera in cameras])
    ways = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    one_side = [camera for camera, way in zip(cameras, ways, strict=True) if way[0] > 0.85]
    assert len(one_side) >= 8
    known = judge(nested, one_side)
    front, back = (nested.means[:OUTER, 0] > 0.7, nested.means[:OUTER, 0] < -0.5)
    assert known[:OUTER][front].mean() > 0.98
    assert known[:OUTER][back].mean() < 0.2  # light comes through between the discs
    assert known[OUTER:].mean() < 0.05  # hidden perhaps, but nobody has looked from behind


def test_two_cameras_judge_nothing_and_transparency_needs_none(nested) -> None:
    cameras = virtual_cameras(nested, 2, width=120, height=90)
    assert not judge(nested, cameras).any()
    clear = nested.replace(opacity_logits=np.full(len(nested), -5.6))  # 1 / 271
    assert judge(clear, cameras).all()


def test_what_may_be_asked_for() -> None:
    assert least_keep(1) == 0
    assert least_keep(0.9) == pytest.approx(0.1)
    assert least_keep(0.75) == pytest.approx(0.7)
    assert least_keep(0.5) == pytest.approx(0.9)
    assert least_keep(0) == 1
    for share in np.linspace(0.01, 0.99, 50):
        keep = least_keep(share)
        assert 1 - keep <= share  # who is not judged stays
        kept_of_judged = 1 - (1 - keep) / share
        assert kept_of_judged >= min(keep - 0.1, 0) - 1e-9


def test_complete_cameras_judge_all(nested) -> None:
    far = nested.select(np.arange(100))  # seen by nobody, from no direction
    far = far.replace(means=far.means + np.float32([0, 0, 1e6]))
    both = Gaussians.concat([nested, far])
    cameras = virtual_cameras(nested, 96, width=120, height=90)
    told = []
    everybody = judged(both, cameras, CpuRenderer(), lambda done, total: told.append((done, total)))
    assert everybody.all()
    assert told == [(i, 96) for i in range(1, 97)]
    few = judge(both, cameras[::24])
    assert not few[-100:].any()
    assert few.mean() < 0.9
    # Many unseen Gaussians: these cameras do not surround what the scene was trained on.
    much = nested.select(np.arange(2000))
    much = much.replace(means=much.means + np.float32([0, 0, 1e6]))
    assert not judge(Gaussians.concat([nested, much]), cameras)[-2000:].any()


def test_what_only_witnesses_see_is_not_judged(nested) -> None:
    cameras = virtual_cameras(nested, 96, width=120, height=90)
    right = [camera for camera in cameras if camera.position[0] > 0.5]
    left = [camera for camera in cameras if camera.position[0] <= 0.5]
    known = judged(nested, right, CpuRenderer(), witnesses=left)
    assert known[:OUTER][nested.means[:OUTER, 0] < -0.9].mean() < 0.2
    assert known[:OUTER][nested.means[:OUTER, 0] > 0.7].mean() > 0.98
    hidden = coverage(nested, cameras, CpuRenderer()).counts == 0
    assert hidden.sum() > 100
    assert known[hidden].all()
