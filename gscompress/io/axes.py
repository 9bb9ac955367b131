"""Coordinate conventions: which way the axes of a file point; scenes turned from one to another.

A convention is three letters, one per axis, as the SPZ library names them: right or left, up or
down, front or back. Ours is ``RDF`` (right, down, front: OpenCV's and the trainers'); OpenGL's and
three.js's is ``RUB``, glTF's is ``LUF``.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import ConfigError
from gscompress.gaussians import Array, Gaussians

__all__ = ["OURS", "check_axes", "moved", "sh_basis", "turned"]

OURS = "RDF"
"""The axes of `Gaussians`."""

UNIFORM = 1e-3
"""By how much, relatively, the scales of a placement's axes may differ."""

Floats = NDArray[np.float64]


def check_axes(where: str, axes: str) -> None:
    """Refuse what names no axes.

    Raises:
        ConfigError: ``axes`` is not such as ``RUB``.
    """
    if not re.fullmatch("[LR][UD][FB]", axes):
        raise ConfigError(
            where, "axes", found=axes, expected="right or left, up or down, front or back: as 'RUB'"
        )


def turned(scene: Gaussians, source: str, target: str) -> Gaussians:
    """A scene whose axes are ``source``, in the axes ``target``; exact, and its own inverse."""
    x, y, z = (1 if a == b else -1 for a, b in zip(source, target, strict=True))
    if (x, y, z) == (1, 1, 1):
        return scene
    # The sign of a real spherical harmonic is that of the product of coordinates it is odd in.
    signs = [1, y, z, x, x * y, y * z, 1, x * z, 1, y, x * y * z, y, z, x, z, x]
    signs += [x * y, y * z, x * y, y * z, 1, x * z, 1, x * z, 1]
    return scene.replace(
        means=scene.means * np.array([x, y, z], np.float32),
        quats=scene.quats * np.array([1, y * z, x * z, x * y], np.float32),
        sh=scene.sh * np.array(signs[: scene.sh.shape[1]], np.float32)[:, None],
    )


def moved(scene: Gaussians, placement: Floats) -> Gaussians:
    """A scene rotated, scaled alike in all directions, and shifted.

    Args:
        scene: The scene.
        placement: [4, 4] matrix for columns; its last row is not looked at.

    Raises:
        ValueError: It mirrors, or scales its axes differently: no Gaussian splat is defined then.
    """
    linear, shift = placement[:3, :3], placement[:3, 3]
    lengths = np.sqrt(np.sum(linear * linear, axis=0))
    with np.errstate(all="ignore"):
        size = float(np.cbrt(np.prod(lengths)))
        rotation = linear / size
        skew = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    if not (np.isfinite(placement).all() and 0 < size < np.inf and skew < UNIFORM):
        raise ValueError("axes scaled differently, or not finite")
    if np.linalg.det(rotation) < 0:
        raise ValueError("a mirror image")
    if np.array_equal(rotation, np.eye(3)):  # keeps every bit where nothing turns
        quats, sh = scene.quats, scene.sh
    else:
        quats, sh = _rotated_quats(scene.quats, rotation), _rotated_sh(scene.sh, rotation)
    with np.errstate(over="ignore", invalid="ignore"):  # whoever asked looks at what comes out
        means = (scene.means @ linear.T + shift).astype(np.float32)
    log_scales = (scene.log_scales + np.log(size)).astype(np.float32)
    return scene.replace(means=means, quats=quats, log_scales=log_scales, sh=sh)


def sh_basis(directions: Floats, degree: int) -> Floats:  # [S, (degree + 1)^2]
    """Real spherical harmonics, with the signs of the 3DGS training codes, of unit directions.

    Source: P.-P. Sloan, Efficient Spherical Harmonic Evaluation, JCGT 2(2), 2013.
    """
    x, y, z = directions.T
    zz = z * z
    cosines, sines = [np.ones_like(x), x], [np.zeros_like(x), y]
    for _ in range(2, degree + 1):
        cosines, sines = (
            [*cosines, x * cosines[-1] - y * sines[-1]],
            [*sines, x * sines[-1] + y * cosines[-1]],
        )
    # Of order m, by degree: what stands before the cosine and the sine of m times the azimuth.
    factors = {
        (0, 0): np.full_like(z, 1 / (2 * np.sqrt(np.pi))),
        (1, 0): np.sqrt(3 / (4 * np.pi)) * z,
        (1, 1): np.full_like(z, -np.sqrt(3 / (4 * np.pi))),
        (2, 0): np.sqrt(5 / (16 * np.pi)) * (3 * zz - 1),
        (2, 1): -np.sqrt(15 / (4 * np.pi)) * z,
        (2, 2): np.full_like(z, np.sqrt(15 / (16 * np.pi))),
        (3, 0): np.sqrt(7 / (16 * np.pi)) * z * (5 * zz - 3),
        (3, 1): -np.sqrt(21 / (32 * np.pi)) * (5 * zz - 1),
        (3, 2): np.sqrt(105 / (16 * np.pi)) * z,
        (3, 3): np.full_like(z, -np.sqrt(35 / (32 * np.pi))),
        (4, 0): np.sqrt(9 / (256 * np.pi)) * (35 * zz * zz - 30 * zz + 3),
        (4, 1): -np.sqrt(45 / (32 * np.pi)) * z * (7 * zz - 3),
        (4, 2): np.sqrt(45 / (64 * np.pi)) * (7 * zz - 1),
        (4, 3): -np.sqrt(315 / (32 * np.pi)) * z,
        (4, 4): np.full_like(z, np.sqrt(315 / (256 * np.pi))),
    }
    columns = [
        factors[band, abs(order)] * (sines[-order] if order < 0 else cosines[order])
        for band in range(degree + 1)
        for order in range(-band, band + 1)
    ]
    return np.stack(columns, axis=1)


def _rotated_sh(sh: Array, rotation: Floats) -> Array:
    """Coefficients whose colour in a turned direction is what it was in that direction.

    Each degree turns within itself; its matrix is found from the harmonics in enough directions.
    """
    degree = int(sh.shape[1] ** 0.5 + 0.5) - 1
    directions = np.random.default_rng(0).normal(size=(64, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    before, after = sh_basis(directions, degree), sh_basis(directions @ rotation.T, degree)
    out = sh.copy()
    for band in range(1, degree + 1):
        part = slice(band * band, (band + 1) ** 2)
        matrix = np.linalg.lstsq(after[:, part], before[:, part], rcond=None)[0]
        out[:, part] = np.einsum("ij,njc->nic", matrix, sh[:, part])
    return out


def _rotated_quats(quats: Array, rotation: Floats) -> Array:
    """The rotation applied after those of ``quats`` (wxyz)."""
    a = _quaternion(rotation)
    w, x, y, z = quats.astype(np.float64).T
    parts = [
        a[0] * w - a[1] * x - a[2] * y - a[3] * z,
        a[0] * x + a[1] * w + a[2] * z - a[3] * y,
        a[0] * y - a[1] * z + a[2] * w + a[3] * x,
        a[0] * z + a[1] * y - a[2] * x + a[3] * w,
    ]
    return np.stack(parts, axis=1).astype(np.float32)


def _quaternion(r: Floats) -> Floats:  # [4]
    """The unit quaternion (wxyz) of a rotation matrix, by its largest component."""
    trace = np.trace(r)
    squares = np.array([trace, *(2 * np.diag(r) - trace)])  # 4 q^2 - 1
    outer = np.array(
        [
            [1 + squares[0], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], 1 + squares[1], r[1, 0] + r[0, 1], r[0, 2] + r[2, 0]],
            [r[0, 2] - r[2, 0], r[1, 0] + r[0, 1], 1 + squares[2], r[2, 1] + r[1, 2]],
            [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[2, 1] + r[1, 2], 1 + squares[3]],
        ]
    )  # 4 q q^T
    row = outer[int(np.argmax(squares))]
    return np.asarray(row / np.linalg.norm(row))
