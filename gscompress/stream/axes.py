"""The ways to write the same Gaussian: its axes can be renamed and turned around."""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Gaussians

__all__ = ["nearest_axes"]

Doubles = NDArray[np.float64]


def nearest_axes(scene: Gaussians, like: Gaussians) -> Gaussians:
    """The same Gaussians, each written in the one of 24 ways that is nearest to another's.

    The quaternions also get the sign and about the length of the others.

    Args:
        scene: What is rewritten.
        like: What it shall be near to; as many Gaussians.
    """
    like_quats = like.unit_quats.astype(np.float64)
    quats = scene.unit_quats.astype(np.float64)
    best = np.full(len(scene), np.inf)
    best_quats, best_scales = quats.copy(), scene.log_scales.copy()
    doubtful = np.arange(len(scene))
    for axes, turn in _renamings():
        turned = _product(quats[doubtful], turn)
        scales = scene.log_scales[doubtful][:, axes]
        cosine = np.abs(np.sum(turned * like_quats[doubtful], axis=1))
        apart = np.sum((scales - like.log_scales[doubtful]) ** 2, axis=1)
        found = 4 * (1 - np.minimum(cosine, 1) ** 2) + apart
        nearer = found < best[doubtful]
        rows = doubtful[nearer]
        best[rows], best_quats[rows], best_scales[rows] = (
            found[nearer],
            turned[nearer],
            scales[nearer],
        )
        if axes == (0, 1, 2) and turn[0] == 1:  # nothing renamed
            doubtful = np.flatnonzero(best > _CLEAR)
    sign = np.where(np.sum(best_quats * like_quats, axis=1) < 0, -1.0, 1.0)
    return scene.replace(
        quats=(best_quats * sign[:, None]).astype(np.float32), log_scales=best_scales
    )


_CLEAR = 0.05
"""A Gaussian that changed less than this is written alike."""


@lru_cache(maxsize=1)
def _renamings() -> list[tuple[tuple[int, int, int], Doubles]]:
    """For each rotation of a cube where each axis comes from, its quaternion; identity first."""
    out = []
    for axes in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[list(axes), range(3)] = signs
            if np.linalg.det(matrix) > 0:
                out.append(((axes[0], axes[1], axes[2]), _quaternion(matrix)))
    return out


def _quaternion(m: Doubles) -> Doubles:
    """Of a rotation matrix: the eigenvector of the largest eigenvalue (Bar-Itzhack, 2000)."""
    k = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], 0, 0, 0],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], 0, 0],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], 0],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    vector = np.linalg.eigh(k, UPLO="L")[1][:, -1]
    vector[np.abs(vector) < 1e-12] = 0
    first = vector[np.flatnonzero(vector)[0]]
    return np.asarray(vector * np.sign(first))


def _product(a: Doubles, b: Doubles) -> Doubles:  # [N, 4], [4] -> [N, 4]
    w, x, y, z = a.T
    s, i, j, k = b
    return np.stack(
        [
            w * s - x * i - y * j - z * k,
            w * i + x * s + y * k - z * j,
            w * j - x * k + y * s + z * i,
            w * k + x * j - y * i + z * s,
        ],
        axis=1,
    )
