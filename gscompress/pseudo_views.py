"""Views that no camera took, near those that cameras did take: for distillation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.errors import InputError

__all__ = ["between", "camera_extent", "jittered", "pseudo_views"]

Vector = NDArray[np.float64]

NEIGHBOURS = 3
"""A view is interpolated towards one of so many nearest cameras."""


def pseudo_views(
    cameras: Sequence[Camera],
    count: int,
    *,
    jitter: float = 0.01,
    interpolated: float = 0.5,
    seed: int = 0,
) -> list[Camera]:
    """Cameras near given ones. The same arguments give the same cameras.

    Some are given cameras whose centre is moved by a normal offset, the rotation kept, as in
    LightGaussian (arXiv:2311.17245), section 3.2; its 0.05 scene units are about 1 % of a usual
    capture's extent. The others lie between a camera and one of its nearest.

    Args:
        cameras: The given cameras.
        count: How many to make.
        jitter: Standard deviation of each coordinate of the offset, as a share of the extent of
            the cameras.
        interpolated: Share of those in between.
        seed: Of every choice.

    Raises:
        InputError: There are no cameras, or an argument makes no sense.
    """
    if not cameras or count < 0 or jitter < 0 or not 0 <= interpolated <= 1:
        raise InputError(
            "pseudo_views",
            found=f"{count} of {len(cameras)} cameras, jitter {jitter}, {interpolated} in between",
            expected="a camera, a jitter of at least 0, a share of 0 to 1",
        )
    rng = np.random.default_rng([seed, 0x9E3779])
    spread = jitter * camera_extent(cameras)
    rounds = range(-(-count // len(cameras)))
    bases = [base for _ in rounds for base in rng.permutation(len(cameras)).tolist()]
    views = []
    for i, base in enumerate(bases[:count]):
        name, camera = f"pseudo_{i:04d}", cameras[base]
        # Spread evenly over the numbers, so that every prefix has its share.
        if len(cameras) > 1 and int((i + 1) * interpolated) > int(i * interpolated):
            other = cameras[rng.choice(_nearest(cameras, base))]
            views.append(between(camera, other, rng.uniform(0.2, 0.8), name))
        else:
            views.append(jittered(camera, rng.normal(0, 1, 3) * spread, name))
    return views


def camera_extent(cameras: Sequence[Camera]) -> float:
    """Radius of the cameras around their mean, a tenth to spare, in world units (as in 3DGS).

    Of cameras that are all in one place it is 1.
    """
    centres = np.array([camera.position for camera in cameras])
    distance = np.linalg.norm(centres - centres.mean(axis=0), axis=1)
    return float(1.1 * distance.max()) or 1.0


def jittered(camera: Camera, offset: Vector, name: str) -> Camera:  # offset [3]
    """The camera with its centre moved by ``offset`` in world units."""
    viewmat = camera.viewmat.astype(np.float64).copy()
    viewmat[:3, 3] -= viewmat[:3, :3] @ offset
    return dataclasses.replace(camera, name=name, viewmat=viewmat)


def between(a: Camera, b: Camera, share: float, name: str) -> Camera:
    """A camera on the way from ``a`` (share 0) to ``b`` (share 1), with the lens of ``a``.

    The centre moves on a line, the rotation about one axis.
    """
    rotation = _turned(a.viewmat[:3, :3], b.viewmat[:3, :3], share)
    centre = (1 - share) * a.position + share * b.position
    viewmat = np.eye(4)
    viewmat[:3, :3] = rotation
    viewmat[:3, 3] = -rotation @ centre
    return dataclasses.replace(a, name=name, viewmat=viewmat)


def _turned(start: Vector, end: Vector, share: float) -> Vector:  # [3, 3] each
    """The rotation a share of the way from ``start`` to ``end`` (Rodrigues' formula)."""
    turn = end @ start.T
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    sine, cosine = np.linalg.norm(axis) / 2, (np.trace(turn) - 1) / 2
    if sine < 1e-9:  # the same direction, or the opposite one, which has no single way
        return np.asarray(start, np.float64)
    x, y, z = axis / (2 * sine)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = share * np.arctan2(sine, cosine)
    part = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return np.asarray(part @ start)


def _nearest(cameras: Sequence[Camera], base: int) -> NDArray[np.intp]:
    """The nearest other cameras, by centre and, as if on a sphere of the extent, by direction."""
    centres = np.array([camera.position for camera in cameras]) / camera_extent(cameras)
    forward = np.array([camera.viewmat[2, :3] for camera in cameras])
    distance = np.linalg.norm(centres - centres[base], axis=1)
    distance += np.linalg.norm(forward - forward[base], axis=1)
    distance[base] = np.inf
    return np.argsort(distance, kind="stable")[: min(NEIGHBOURS, len(cameras) - 1)]
