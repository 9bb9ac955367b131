"""What moved, told from photos: nothing where they agree, and the blob where it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.render import get_renderer
from gscompress.stages.targets import Targets, render_targets
from gscompress.stream.training.motion import (
    find_motion,
    foreground_shares,
    near_cameras,
    viewspace_difference,
)
from gscompress.stream.training.settings import MotionSettings
from tests.stream.training.conftest import BLOB

RENDERER = get_renderer("cpu")


def pictures(scene: Gaussians, cameras: Sequence[Camera]) -> Targets:
    return render_targets(scene, cameras, RENDERER, 1 << 30)


def test_the_same_photos_are_no_motion(scene: Gaussians, cameras: list[Camera]) -> None:
    """However wrong the scene is."""
    photos = pictures(scene, cameras)
    wrong = scene.replace(means=scene.means + 0.05)
    assert not viewspace_difference(wrong, photos, photos, RENDERER).any()


def test_it_is_the_gradient_of_the_difference_of_squared_errors(
    scene: Gaussians, moved: Gaussians, cameras: list[Camera]
) -> None:
    before, now = pictures(scene, cameras[:3]), pictures(moved, cameras[:3])
    expected = np.zeros(len(scene))
    for view, camera in enumerate(cameras[:3]):
        values = [
            torch.from_numpy(v.copy()).requires_grad_(True)
            for v in (scene.means, scene.quats, scene.scales, scene.opacities, scene.sh)
        ]
        probe = torch.zeros(len(scene), 2, requires_grad=True)
        image, _ = RENDERER.rasterize(*values, camera, means2d=probe)
        loss = (image - now.picture(view)).square().mean()
        loss = loss - (image - before.picture(view)).square().mean()
        loss.backward()
        expected += np.linalg.norm(
            probe.grad.numpy() * [camera.width / 2, camera.height / 2], axis=1
        )
    found = viewspace_difference(scene, before, now, RENDERER).numpy()
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-7)


def test_motion_is_where_the_blob_is(
    scene: Gaussians, moved: Gaussians, cameras: list[Camera]
) -> None:
    before, now = pictures(scene, cameras), pictures(moved, cameras)
    motion = find_motion(scene, before, now, RENDERER, MotionSettings())
    difference = motion.difference.numpy()
    # What the blob comes to cover or uncovers wants to move as well.
    assert difference[-BLOB:].mean() > 10 * difference[:-BLOB].mean()
    assert np.median(difference[-BLOB:]) > 30 * np.median(difference[:-BLOB])
    for view, mask in enumerate(motion.masks):
        change = (before.picture(view) - now.picture(view)).abs().amax(dim=2)
        assert 0.01 < float(mask.float().mean()) < 0.5
        assert float(change[mask].sum()) > 0.6 * float(change.sum())


def test_nothing_moves_nothing_is_masked(scene: Gaussians, cameras: list[Camera]) -> None:
    photos = pictures(scene, cameras[:2])
    motion = find_motion(scene, photos, photos, RENDERER, MotionSettings())
    assert not any(mask.any() for mask in motion.masks)
    assert len(motion.active) == 0


def test_gaussians_at_a_camera_stay(scene: Gaussians, cameras: list[Camera]) -> None:
    means = scene.means.copy()
    means[7] = cameras[4].position + np.array([0.0, 0.1, 0.0])
    near = near_cameras(scene.replace(means=means), cameras, 0.05)
    assert np.flatnonzero(near).tolist() == [7]
    assert not near_cameras(scene.replace(means=means), cameras, 0.02).any()


def foreground_of(scene: Gaussians, cameras: Sequence[Camera]) -> list[np.ndarray]:
    """Where the blob is the brightest."""
    found = []
    for camera in cameras:
        red = RENDERER.render(scene, camera).image
        found.append((red[..., 0] > red[..., 1:].max(axis=2) + 0.3).astype(np.float32))
    return found


def test_what_belongs_to_the_foreground(scene: Gaussians, cameras: list[Camera]) -> None:
    """A Gaussian's blending weights in the mask: those of the twin that renders it alone."""
    chosen = cameras[:4]
    masks = foreground_of(scene, chosen)
    shares = foreground_shares(scene, chosen, masks, RENDERER)
    assert shares[-BLOB:].mean() > 0.8
    assert shares[:-BLOB].mean() < 0.1
    for row in (0, len(scene) - 1):  # w is what is lost where it is black and all else is white
        white = np.zeros_like(scene.sh)
        white[:, 0] = 0.5 / 0.28209479177387814
        black = white.copy()
        black[row, 0] *= -1
        sums = np.zeros(2)
        for camera, mask in zip(chosen, masks, strict=True):
            images = [RENDERER.render(scene.replace(sh=sh), camera).image for sh in (white, black)]
            weight = (images[0] - images[1])[..., 0]
            sums += [float((weight * mask).sum()), float(weight.sum())]
        assert shares[row] == pytest.approx(sums[0] / sums[1], abs=2e-3)


def test_masks_say_what_moves(scene: Gaussians, moved: Gaussians, cameras: list[Camera]) -> None:
    chosen = cameras[::2]
    before, now = pictures(scene, chosen), pictures(moved, chosen)
    pairs = (foreground_of(s, chosen) for s in (scene, moved))
    masks = [np.maximum(*pair) for pair in zip(*pairs, strict=True)]
    settings = MotionSettings()
    motion = find_motion(scene, before, now, RENDERER, settings, foreground=masks)
    free = find_motion(scene, before, now, RENDERER, settings)
    assert motion.foreground is not None
    for mask, grown, given in zip(motion.masks, motion.foreground, masks, strict=True):
        assert bool(grown[torch.from_numpy(given > 0)].all())
        assert float(grown.float().mean()) > float(np.mean(given))
        assert bool(mask[grown].all())
    # All of the blob is dynamic, and little of the ball is learned.
    assert bool(motion.dynamic[-BLOB:].all())
    ball = len(scene) - BLOB
    assert int((motion.active < ball).sum()) < 0.5 * int((free.active < ball).sum())
    assert int((motion.active >= ball).sum()) == int((free.active >= ball).sum())
    half = dataclasses.replace(settings, background=0.5)
    some = find_motion(scene, before, now, RENDERER, half, foreground=masks)
    assert torch.equal(some.active, free.active)
    with pytest.raises(InputError, match="background"):
        MotionSettings(background=1.5)
