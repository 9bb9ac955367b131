"""What a set of cameras can say about a Gaussian: whether it may be judged by what they see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from gscompress.importance.coverage import SEEN_WEIGHT
from gscompress.virtual_cameras import sphere

__all__ = ["MIN_VIEWS", "judged", "least_keep"]

MIN_VIEWS = 3
"""Seen in so many views, a Gaussian is judged by them."""

DIRECTIONS = 32
MIN_DIRECTIONS = 8
"""Looked at from so many of the directions (a quarter of the sphere), it is judged though not seen:
something hides it."""

EXTRA_LOSS = 0.1
"""What the judged Gaussians may lose on top, as a share of them, for those that must stay."""

Points = NDArray[np.float64]


def judged(
    scene: Gaussians,
    cameras: Sequence[Camera],
    counts: NDArray[np.int64],  # [N]
) -> NDArray[np.bool_]:  # [N]
    """Which Gaussians the cameras say enough about to remove them.

    That no camera sees a Gaussian may mean that it is hidden, or that the cameras are few or all on
    one side. It is judged if one of these holds:

    - it is seen in at least ``MIN_VIEWS`` views, so that its score is not chance;
    - it is in the image of cameras in at least ``MIN_DIRECTIONS`` of ``DIRECTIONS`` evenly spread
      directions, as seen from it, and still not seen: it lies inside or behind other things;
    - its opacity is below 1/255, which no view ever shows.

    All others must stay: nothing is known about them.

    Args:
        scene: The scene.
        cameras: The views.
        counts: In how many of them each Gaussian is seen (`gscompress.importance.coverage`).
    """
    out = (counts >= MIN_VIEWS) | (scene.opacities < SEEN_WEIGHT)
    open_ = np.flatnonzero(~out)
    points = scene.means[open_].astype(np.float64)
    seen_from = np.zeros((len(open_), DIRECTIONS), bool)
    bins = sphere(DIRECTIONS).T  # [3, D]
    for camera in cameras:
        inside = np.flatnonzero(_in_image(points, camera))
        toward = camera.position - points[inside]
        seen_from[inside, np.argmax(toward @ bins, axis=1)] = True
    out[open_] = seen_from.sum(axis=1) >= MIN_DIRECTIONS
    return out


def least_keep(share: float) -> float:
    """The smallest share of a scene that may be kept where ``share`` of it, 0 to 1, is judged.

    Those that are not judged must stay, so to keep k of the scene, 1 - (1 - k) / share of the
    judged ones are kept. Less than k - ``EXTRA_LOSS`` of them would make those that are seen pay
    for those that are not; hence k >= 1 - EXTRA_LOSS share / (1 - share). With 90 % judged, at
    least 10 % must be kept; with 75 %, 70 %; with half, 90 %.
    """
    unknown = 1 - share
    removable = 1.0 if unknown <= 0 else EXTRA_LOSS * share / unknown
    return max(0.0, 1 - min(removable, share))


def _in_image(points: Points, camera: Camera) -> NDArray[np.bool_]:  # [N, 3] -> [N]
    x, y, z = (points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]).T
    depth = np.maximum(z, 1e-9)
    u, v = camera.fx * x / depth + camera.cx, camera.fy * y / depth + camera.cy
    return np.asarray((z > 0) & (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height))
