from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gscompress.cameras import Camera, load_cameras
from gscompress.errors import InputError
from gscompress.extent import area_weights, measure, sample_matter, weighted_quantile
from gscompress.gaussians import Gaussians
from gscompress.io import load
from gscompress.virtual_cameras import look_at, orbit, virtual_cameras


def cloud(means: np.ndarray, scale: np.ndarray | float, seed: int = 0) -> Gaussians:
    n = len(means)
    rng = np.random.default_rng(seed)
    scales = np.broadcast_to(np.asarray(scale, float).reshape(-1, 1), (n, 3))
    return Gaussians(
        means=means,
        quats=rng.standard_normal((n, 4)),
        log_scales=np.log(scales),
        opacity_logits=np.full(n, 3),
        sh=np.zeros((n, 1, 3)),
    )


def ball(n: int = 4000, seed: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).standard_normal((n, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def statue() -> Gaussians:
    """A pillar 1 x 3 x 1 around (5, -2, 7): a surface of equal Gaussians."""
    return cloud(ball() * [0.5, 1.5, 0.5] + [5, -2, 7], 0.03)


def room() -> Gaussians:
    """A box of 8 x 4 x 8 around a finely captured ball of radius 0.4 at its middle, y down."""
    rng = np.random.default_rng(1)
    walls = rng.uniform(-1, 1, (6000, 3))
    side = rng.integers(3, size=6000)
    walls[np.arange(6000), side] = np.sign(walls[np.arange(6000), side])
    subject = ball(6000) * 0.4
    scales = np.concatenate([np.full(6000, 0.15), np.full(6000, 0.01)])
    return cloud(np.concatenate([walls * [4, 2, 4], subject]), scales)


def project(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Pixels [N, 2] of points, NaN behind the camera."""
    local = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
    pixels = local @ camera.intrinsics.T
    return pixels[:, :2] / np.where(local[:, 2:] > 0, pixels[:, 2:], np.nan)


def look_target(cameras: list[Camera]) -> np.ndarray:
    """The point closest to the optical axes of cameras."""
    across = [np.eye(3) - np.outer(c.viewmat[2, :3], c.viewmat[2, :3]) for c in cameras]
    return np.linalg.solve(
        sum(across), sum(a @ c.position for a, c in zip(across, cameras, strict=True))
    )


def inside(camera: Camera, points: np.ndarray) -> np.ndarray:
    x, y = project(camera, points).T
    return (x >= 0) & (x <= camera.width) & (y >= 0) & (y <= camera.height)


def test_look_at() -> None:
    viewmat = look_at(np.array([1.0, 2, 3]), np.array([1.0, 2, 8]), np.array([0.0, -1, 0]))
    np.testing.assert_allclose(viewmat[:3, :3], np.eye(3), atol=1e-15)
    np.testing.assert_allclose(viewmat @ [1, 2, 3, 1], [0, 0, 0, 1], atol=1e-15)
    for target in ([0, 5, 0], [0, -5, 0], [1, 1, 1]):  # straight along up as well
        viewmat = look_at(np.zeros(3), np.array(target, float), np.array([0.0, -1, 0]))
        np.testing.assert_allclose(viewmat[:3, :3] @ viewmat[:3, :3].T, np.eye(3), atol=1e-12)
        assert np.linalg.det(viewmat[:3, :3]) == pytest.approx(1)
        local = viewmat[:3, :3] @ target
        np.testing.assert_allclose(local, [0, 0, np.linalg.norm(target)], atol=1e-12)


def test_weighted_quantile() -> None:
    values, weights = np.array([3.0, 1, 2]), np.array([1.0, 1, 8])
    assert [weighted_quantile(values, weights, q) for q in (0, 0.1, 0.11, 0.9, 0.91, 1)] == [
        1,
        1,
        2,
        2,
        3,
        3,
    ]


def test_area_is_that_of_a_ball_and_of_a_disc() -> None:
    scene = cloud(np.zeros((2, 3)), 1.0).replace(
        log_scales=np.log([[2, 2, 2], [3, 3, 1e-9]]), opacity_logits=np.array([100, 100])
    )
    # A ball of radius 2 shows 4 pi everywhere; a disc of radius 3 shows a third of 9 pi here
    # (a half is exact for a disc: the formula is that of three discs, right within that factor).
    np.testing.assert_allclose(area_weights(scene), [4 * np.pi, 3 * np.pi], rtol=1e-6)


def test_objects_are_framed_from_all_around() -> None:
    scene = statue()
    extent = measure(scene)
    assert not extent.surrounds
    np.testing.assert_allclose(extent.centre, [5, -2, 7], atol=0.02)
    assert extent.radius == pytest.approx(1.5, rel=0.03)
    cameras = virtual_cameras(scene, 50, width=320, height=240)
    assert len(cameras) == 50
    assert len({camera.name for camera in cameras}) == 50
    for camera in cameras:
        assert (camera.width, camera.height) == (320, 240)
        assert inside(camera, scene.means).mean() > 0.99
        np.testing.assert_allclose(project(camera, extent.centre[None])[0], [160, 120], atol=1e-6)
    # Together they use the image: the longest side takes more than 60 % of its height somewhere.
    spans = [np.ptp(project(camera, scene.means)[:, 1]) for camera in cameras]
    assert 0.6 * 240 < max(spans) < 240
    # Directions cover the sphere: no direction is further than 25 degrees from a camera.
    ways = np.array([c.position - extent.centre for c in cameras])
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    assert (ball(500, 9) @ ways.T).max(axis=1).min() > np.cos(np.radians(25))


def test_surroundings_are_seen_from_within() -> None:
    scene = room()
    extent = measure(scene)
    assert extent.surrounds
    np.testing.assert_allclose(extent.centre, 0, atol=0.1)
    cameras = virtual_cameras(scene, 64)
    positions = np.array([camera.position for camera in cameras])
    assert (np.abs(positions) < [4, 2, 4]).all()  # within the walls
    assert np.linalg.norm(positions, axis=1).min() > 0.45  # and not within the subject
    walls, subject = scene.means[:6000], scene.means[6000:]
    sees_subject = [inside(camera, subject).mean() > 0.5 for camera in cameras]
    assert sum(sees_subject) >= 32
    seen = sum(inside(camera, walls).astype(int) for camera in cameras)
    assert (seen >= 3).mean() > 0.85  # before occlusion


def test_up_is_the_normal_of_the_floor() -> None:
    scene = room()
    tilt = np.array([[0.96, 0.28, 0], [-0.28, 0.96, 0], [0, 0, 1]])  # about z, by 16 degrees
    rng = np.random.default_rng(2)
    floor = rng.uniform(-1, 1, (6000, 3)) * [4, 0, 4] + [0, 2, 0]
    log_scales = np.log(np.tile([0.15, 0.01, 0.15], (6000, 1)))
    # The rotation by t about z is the quaternion (cos t/2, 0, 0, sin t/2); here cos t = 0.96.
    quats = np.tile([np.sqrt(0.98), 0, 0, -np.sqrt(0.02)], (6000, 1))
    flat = cloud(floor @ tilt.T, 1.0).replace(log_scales=log_scales, quats=quats)
    balls = scene.replace(means=scene.means @ tilt.T)
    assert measure(balls).up.tolist() == [0, -1, 0]
    extent = measure(Gaussians.concat([balls, flat]))
    np.testing.assert_allclose(extent.up, tilt @ [0, -1, 0], atol=1e-3)


def test_captures_in_one_direction_are_looked_at_from_their_place() -> None:
    # Fine matter near the origin, coarse matter far ahead, as in a photo from one place.
    rng = np.random.default_rng(3)
    near = rng.standard_normal((2000, 3)) * 0.5
    far = rng.standard_normal((4000, 3)) * [15, 15, 10] + [0, 0, 60]
    scene = cloud(np.concatenate([near, far]), np.repeat([0.01, 1], [2000, 4000]))
    extent = measure(scene)
    assert extent.surrounds
    assert extent.one_sided > 0.9
    cameras = virtual_cameras(scene, 32)
    assert max(np.linalg.norm(camera.position) for camera in cameras) < 5
    assert sum(camera.viewmat[2, 2] > 0.7 for camera in cameras) >= 28  # they look ahead


def test_the_kind_may_be_told() -> None:
    outside = virtual_cameras(room(), 10, kind="object")
    assert min(np.abs(c.position).max() for c in outside) > 4
    within = virtual_cameras(statue(), 10, kind="surroundings")
    assert max(np.linalg.norm(c.position - [5, -2, 7]) for c in within) < 1.5


@pytest.mark.parametrize("scene", [statue(), room()], ids=["object", "surroundings"])
def test_the_same_arguments_give_the_same_cameras(scene: Gaussians) -> None:
    first, second = virtual_cameras(scene, 9, seed=3), virtual_cameras(scene, 9, seed=3)
    assert all((a.viewmat == b.viewmat).all() for a, b in zip(first, second, strict=True))
    assert len(virtual_cameras(scene, 1)) == 1


def test_scale_and_place_do_not_matter() -> None:
    for scene in (statue(), room()):
        moved = scene.replace(
            means=scene.means * 64 + [256, -128, 512], log_scales=scene.log_scales + np.log(64)
        )
        for a, b in zip(virtual_cameras(scene, 8), virtual_cameras(moved, 8), strict=True):
            np.testing.assert_allclose(a.viewmat[:3, :3], b.viewmat[:3, :3], atol=2e-3)
            np.testing.assert_allclose(
                a.position * 64 + [256, -128, 512], b.position, atol=64 * 5e-3
            )


def test_odd_scenes() -> None:
    one = cloud(np.array([[1.0, 2, 3]]), 0.5)
    for camera in virtual_cameras(one, 4):
        np.testing.assert_allclose(
            camera.viewmat @ [1, 2, 3, 1], [0, 0, 1.1 * 0.5 / 0.3977, 1], rtol=1e-3, atol=1e-6
        )
    same = cloud(np.ones((50, 3)), 0.5)
    assert all(np.isfinite(camera.viewmat).all() for camera in virtual_cameras(same, 4))
    line = cloud(np.linspace(0, 1, 100)[:, None] * [1, 0, 0], 0.01)
    for kind in ("object", "surroundings"):
        cameras = virtual_cameras(line, 4, kind=kind)
        assert all(np.isfinite(camera.viewmat).all() for camera in cameras)
    wild = statue().replace(log_scales=np.random.default_rng(0).uniform(-3e38, 3e38, (4000, 3)))
    assert all(np.isfinite(camera.viewmat).all() for camera in virtual_cameras(wild, 4))
    empty = one.select(np.zeros(1, bool))
    for scene in (empty, one.replace(opacity_logits=np.full(1, -200))):
        with pytest.raises(InputError, match="no visible Gaussians"):
            virtual_cameras(scene)
    with pytest.raises(InputError, match="found 0 of 800x600 pixels"):
        virtual_cameras(one, 0)
    with pytest.raises(InputError, match="200 degrees"):
        virtual_cameras(one, fov=200)


def test_one_huge_gaussian_does_not_take_all_samples() -> None:
    scene = statue()
    scales = scene.log_scales.copy()
    scales[0] = 9
    matter = sample_matter(scene.replace(log_scales=scales), 4000, 0)
    near = np.linalg.norm(matter - [5, -2, 7], axis=1) < 2
    assert near.mean() > 0.95


def test_orbit_around_a_scene() -> None:
    scene = statue()
    path = orbit(scene, 36, width=160, height=90)
    steps = np.diff([camera.position for camera in [*path, path[0]]], axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-6)
    assert all(inside(camera, scene.means).all() for camera in path)
    assert all(camera.position[1] < -2 for camera in path)  # above the centre: y points down
    within = orbit(room(), 12)
    assert all((np.abs(camera.position) < [4, 2, 4]).all() for camera in within)


def test_orbit_through_cameras() -> None:
    # Cameras on an ellipse of axes 4 and 2 at height 1 (z up here), looking at (1, 1, 0).
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    centre, up = np.array([1.0, 1, 0]), np.array([0.0, 0, 1])
    cameras = []
    for angle in angles:
        position = centre + np.array([4 * np.cos(angle), 2 * np.sin(angle), 1])
        viewmat = look_at(position, centre, up)
        cameras.append(Camera("a", 64, 48, 50, 50, 32, 24, viewmat))
    path = orbit(cameras, 16)
    for camera in path:
        offset = camera.position - centre
        assert offset[2] == pytest.approx(1)
        assert (offset[0] / 4) ** 2 + (offset[1] / 2) ** 2 == pytest.approx(1, abs=1e-6)
        assert project(camera, centre[None])[0] == pytest.approx([640, 360])
        assert camera.viewmat[1, 2] < 0  # up is up
    parallel = [Camera("a", 8, 8, 9, 9, 4, 4, np.eye(4)) for _ in range(3)]
    assert all(np.isfinite(camera.viewmat).all() for camera in orbit(parallel, 4))
    with pytest.raises(InputError, match="found none"):
        orbit([], 4)


def test_real_scene(shared_data: Path) -> None:
    scene = load(shared_data / "bonsai" / "point_cloud.ply")
    extent = measure(scene)
    assert extent.surrounds
    given = load_cameras(shared_data / "bonsai")
    # The guesses against the truth: what the photographer looked at, and what was up.
    path = orbit(given, 4)
    focus = look_target(path)
    up = -np.mean([camera.viewmat[1, :3] for camera in given], axis=0)
    distance = np.median([np.linalg.norm(c.position - focus) for c in given])
    assert np.linalg.norm(extent.centre - focus) < distance / 5
    assert extent.up @ up / np.linalg.norm(up) > np.cos(np.radians(30))
    chosen = virtual_cameras(scene, 64)
    own = np.median([np.linalg.norm(c.position - extent.centre) for c in chosen])
    assert distance / 2 < own < distance * 2
    assert (
        not measure(load(shared_data / "basketball/frames/frame_0000.ply")).centre @ [1, 0, 1] > 1
    )
