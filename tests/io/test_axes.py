"""Scenes turned, rotated and moved look the same from where the camera went with them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import gscompress
from gscompress.cameras import Camera
from gscompress.errors import ConfigError
from gscompress.gaussians import Gaussians
from gscompress.io.axes import check_axes, moved, sh_basis, turned
from tests.io.format_checks import differences, make_scene

ALL_AXES = ["".join(letters) for letters in itertools.product("LR", "UD", "FB")]


def small_scene(degree: int) -> Gaussians:
    scene = make_scene(60, degree)
    rng = np.random.default_rng(1)
    return scene.replace(
        means=(rng.uniform(-1, 1, (60, 3)) + np.array([0, 0, 5])).astype(np.float32),
        log_scales=rng.uniform(-3, -1.5, (60, 3)).astype(np.float32),
        opacity_logits=np.ones(60, np.float32),
    )


def camera(matrix: np.ndarray) -> Camera:
    """A camera at the origin, moved by ``matrix`` [4, 4] together with the scene."""
    scale = np.cbrt(np.linalg.det(matrix[:3, :3]))
    pose = matrix.copy()
    pose[:3, :3] /= scale
    return Camera("view", 48, 48, 40.0, 40.0, 24.0, 24.0, np.linalg.inv(pose))


def rotation(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return np.asarray(q * np.sign(np.linalg.det(q)))


@pytest.mark.parametrize("axes", ALL_AXES)
def test_turning_is_its_own_inverse(axes: str) -> None:
    scene = make_scene(50, 4)
    there = turned(scene, "RDF", axes)
    back = turned(there, axes, "RDF")
    for name in ("means", "quats", "sh"):
        assert np.array_equal(getattr(back, name), getattr(scene, name))
    assert (axes == "RDF") == np.array_equal(there.means, scene.means)


@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("axes", ["RUB", "LUF", "LDB"])
def test_a_turned_scene_is_a_rotated_one(axes: str, degree: int) -> None:
    """Half a turn by signs, and by rotation matrices, which come by another way."""
    scene = make_scene(50, degree)
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag([1 if a == b else -1 for a, b in zip("RDF", axes, strict=True)])
    found = differences(turned(scene, "RDF", axes), moved(scene, matrix))
    assert max(found.values()) < 1e-4, found


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4])
def test_a_moved_scene_looks_the_same(degree: int) -> None:
    scene = small_scene(degree)
    matrix = np.eye(4)
    matrix[:3, :3] = 1.7 * rotation(degree)
    matrix[:3, 3] = [3, -2, 1]
    before = gscompress.render(scene, camera(np.eye(4)))
    after = gscompress.render(moved(scene, matrix), camera(matrix))
    assert before.max() > 0.3
    assert np.abs(before - after).max() < 2e-3
    still = gscompress.render(moved(scene.replace(sh=-scene.sh), matrix), camera(matrix))
    assert np.abs(before - still).max() > 0.1


@pytest.mark.parametrize("axes", ["RUB", "LUF"])
def test_a_turned_scene_looks_the_same(axes: str) -> None:
    scene = small_scene(3)
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag([1 if a == b else -1 for a, b in zip("RDF", axes, strict=True)])
    before = gscompress.render(scene, camera(np.eye(4)))
    after = gscompress.render(turned(scene, "RDF", axes), camera(matrix))
    assert np.abs(before - after).max() < 2e-3
    wrong = turned(scene, "RDF", axes).replace(sh=scene.sh)  # signs of the harmonics forgotten
    assert np.abs(before - gscompress.render(wrong, camera(matrix))).max() > 0.05


def test_harmonics_are_orthonormal() -> None:
    z, weights = np.polynomial.legendre.leggauss(16)
    angle = np.arange(32) * 2 * np.pi / 32
    ring = np.sqrt(1 - z * z)
    x = (ring[:, None] * np.cos(angle)).ravel()
    y = (ring[:, None] * np.sin(angle)).ravel()
    basis = sh_basis(np.stack([x, y, np.repeat(z, 32)], axis=1), 4)
    gram = basis.T @ (np.repeat(weights, 32)[:, None] * basis) * 2 * np.pi / 32
    np.testing.assert_allclose(gram, np.eye(25), atol=1e-12)


def test_refuses_what_is_no_placement() -> None:
    scene = make_scene(3)
    for diagonal in ([1, 1, 2, 1], [1, 1, -1, 1], [0, 0, 0, 1], [1, np.nan, 1, 1]):
        with pytest.raises(ValueError, match=r"mirror|differently"):
            moved(scene, np.diag(np.array(diagonal, np.float64)))
    for axes in ("", "rub", "URB", "RUBX"):
        with pytest.raises(ConfigError, match="axes"):
            check_axes("x", axes)
