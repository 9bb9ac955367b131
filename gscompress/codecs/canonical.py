"""The 24 equivalent (rotation, scales) pairs of a Gaussian, and the choice of one.

A Gaussian's covariance R diag(s^2) R^T stays the same when its axes are renamed: R becomes R P and
the scales are permuted, for each of the 24 rotations P of the cube. The pair whose rotation is
nearest to the identity needs the fewest bits.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Gaussians

__all__ = ["canonicalize"]

_BLOCK = 1 << 13


def canonicalize(scene: Gaussians) -> Gaussians:
    """Give each Gaussian its equivalent unit quaternion with the largest w; permute its scales."""
    turned = np.empty_like(scene.quats)
    log_scales = np.empty_like(scene.log_scales)
    for begin in range(0, len(scene), _BLOCK):  # the 24 candidates of few Gaussians at a time
        block = slice(begin, begin + _BLOCK)
        quats = scene.quats[block].astype(np.float64)
        quats /= np.linalg.norm(quats, axis=1, keepdims=True)
        w = np.abs(quats @ (_CUBE * np.array([1, -1, -1, -1])).T)  # [B, 24]: |w| of each q P
        best = np.argmax(w, axis=1)
        product = _multiply(quats, _CUBE[best])
        turned[block] = product * np.where(product[:, :1] < 0, -1, 1)
        log_scales[block] = np.take_along_axis(scene.log_scales[block], _AXES[best], axis=1)
    return scene.replace(quats=turned, log_scales=log_scales)


def _multiply(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hamilton product of wxyz quaternions [N, 4]."""
    aw, ax, ay, az = a.T
    bw, bx, by, bz = b.T
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=1,
    )


def _cube_group() -> NDArray[np.float64]:  # [24, 4]
    """The rotations of the cube as unit quaternions, one of each pair q, -q."""
    group = []
    for q in itertools.product((-1, 0, 1), repeat=4):
        length = np.linalg.norm(q)
        if length in (1, np.sqrt(2), 2) and next(v for v in q if v) > 0:
            group.append(np.array(q) / length)
    return np.array(group)


def _axes_of(q: NDArray[np.float64]) -> NDArray[np.intp]:  # [3]
    """Which axis each column of q's rotation matrix points along."""
    w, x, y, z = q
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return np.asarray(np.argmax(np.abs(rotation), axis=0))


_CUBE = _cube_group()
_AXES = np.array([_axes_of(q) for q in _CUBE])
