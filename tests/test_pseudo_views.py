"""Views near given cameras."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.pseudo_views import between, camera_extent, jittered, pseudo_views
from gscompress.virtual_cameras import look_at

UP = np.array([0.0, -1, 0])


def ring(count: int) -> list[Camera]:
    cameras = []
    for i in range(count):
        angle = 2 * np.pi * i / count
        position = 3 * np.array([np.cos(angle), 0.1, np.sin(angle)])
        viewmat = look_at(position, np.zeros(3), UP)
        cameras.append(Camera(f"{i}", 64, 48, 60, 61, 32, 24, viewmat))
    return cameras


def is_rotation(matrix: np.ndarray) -> bool:
    return bool(np.allclose(matrix @ matrix.T, np.eye(3)) and np.linalg.det(matrix) > 0)


def test_between_goes_all_the_way() -> None:
    a, b = ring(12)[:2]
    for share, end in ((0.0, a), (1.0, b)):
        assert np.allclose(between(a, b, share, "x").viewmat, end.viewmat)
    half = between(a, b, 0.5, "x")
    assert np.allclose(half.position, (a.position + b.position) / 2)
    assert is_rotation(half.viewmat[:3, :3])
    # Half of the 30 degrees from one to the other.
    turn = half.viewmat[:3, :3] @ a.viewmat[:3, :3].T
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(15, abs=1e-6)


def test_between_a_camera_and_itself() -> None:
    (a,) = ring(1)
    assert np.array_equal(between(a, a, 0.3, "x").viewmat[:3, :3], a.viewmat[:3, :3])


def test_jitter_moves_the_centre_and_keeps_the_rotation() -> None:
    (a,) = ring(1)
    offset = np.array([0.1, -0.2, 0.3])
    moved = jittered(a, offset, "x")
    assert np.allclose(moved.position, a.position + offset)
    assert np.array_equal(moved.viewmat[:3, :3], a.viewmat[:3, :3])


def test_both_kinds_near_the_cameras() -> None:
    cameras = ring(24)
    views = pseudo_views(cameras, 200, jitter=0.01, interpolated=0.5)
    assert len(views) == 200
    rotations = np.array([camera.viewmat[:3, :3] for camera in cameras])
    kept = [np.abs(rotations - v.viewmat[:3, :3]).max(axis=(1, 2)).min() < 1e-12 for v in views]
    assert sum(kept) == 100
    offsets = []
    for view, same in zip(views, kept, strict=True):
        assert is_rotation(view.viewmat[:3, :3])
        nearest = min(np.linalg.norm(view.position - c.position) for c in cameras)
        assert nearest < 0.6  # half of the way to the second nearest camera
        if same:
            base = np.abs(rotations - view.viewmat[:3, :3]).max(axis=(1, 2)).argmin()
            offsets.append(view.position - cameras[base].position)
    assert np.std(offsets) == pytest.approx(0.01 * camera_extent(cameras), rel=0.15)


def test_same_seed_same_views() -> None:
    cameras = ring(9)
    first, again, other = (pseudo_views(cameras, 20, seed=seed) for seed in (1, 1, 2))
    same = [np.array_equal(a.viewmat, b.viewmat) for a, b in zip(first, again, strict=True)]
    differ = [not np.array_equal(a.viewmat, b.viewmat) for a, b in zip(first, other, strict=True)]
    assert all(same)
    assert all(differ)


def test_one_camera_and_none() -> None:
    views = pseudo_views(ring(1), 3, interpolated=1.0)
    assert len({tuple(view.position) for view in views}) == 3
    assert pseudo_views(ring(3), 0) == []
    with pytest.raises(InputError, match="a camera"):
        pseudo_views([], 3)


def test_extent_is_that_of_the_trainer() -> None:
    assert camera_extent(ring(8)) == pytest.approx(1.1 * 3)
    (one,) = ring(1)
    assert camera_extent([one, dataclasses.replace(one)]) == 1.0
