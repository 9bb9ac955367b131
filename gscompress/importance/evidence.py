"""What a set of cameras can say about a Gaussian: whether it may be judged by what they see."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from gscompress.importance.coverage import SEEN_WEIGHT, coverage
from gscompress.render.base import Progress, Renderer
from gscompress.virtual_cameras import sphere, spread

__all__ = ["MIN_VIEWS", "judged", "least_keep"]

MIN_VIEWS = 3
"""Seen in so many views, a Gaussian is judged by them."""

DIRECTIONS = 32
MIN_DIRECTIONS = 8
"""Looked at from so many of the directions (a quarter of the sphere), it is judged though not seen:
something hides it."""

GROUPS = 8
MAX_LONE = 0.025
MAX_UNSEEN = 0.1
"""When cameras are complete. Captures of a whole scene have 0.01 to 0.02 and 0.02 to 0.06, a half
or a quarter of their cameras 0.02 to 0.08, cameras on one side only 0.04 to 0.1 and 0.13 to 0.6."""

EXTRA_LOSS = 0.1
"""What the judged Gaussians may lose on top, as a share of them, for those that must stay."""

Points = NDArray[np.float64]


def judged(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
    witnesses: Sequence[Camera] = (),
) -> NDArray[np.bool_]:  # [N]
    """Which Gaussians the cameras say enough about to remove them.

    That no camera sees a Gaussian may mean that it is hidden, or that the cameras are few or all on
    one side. It is judged if one of these holds:

    - it is seen in at least ``MIN_VIEWS`` views, so that its score is not chance;
    - its opacity is below 1/255, which no view ever shows;
    - it is in the image of cameras in at least ``MIN_DIRECTIONS`` of ``DIRECTIONS`` evenly spread
      directions, as seen from it, and still never seen: it lies inside or behind other things;
    - the cameras are complete, and it is seen in a judging view, or in none at all. Complete: they
      are divided into ``GROUPS`` of neighbours by position and direction. If of all Gaussians that
      are seen at most ``MAX_LONE`` are seen by one group alone, hardly anything would have been
      missed without any one of the groups, so that one more would hardly show anything new (the
      reasoning of Good and Turing). And at most ``MAX_UNSEEN`` of the scene may be unseen by all,
      or the groups do not surround what the scene was trained on.

    All others must stay: nothing is known about them.

    Args:
        scene: The scene.
        cameras: The views from which Gaussians are judged.
        renderer: Says what is seen (`gscompress.importance.coverage`).
        progress: Told after every view.
        witnesses: More views, which only tell what there is to see: what they alone see is not
            judged.
    """
    counts, groups = np.zeros((2, len(scene)), np.int64)
    everybody = [*cameras, *witnesses]
    judges = {id(camera) for camera in cameras}
    done = 0
    for members in _groups(everybody):
        seen = np.zeros(len(scene), bool)
        for judging in (True, False):
            part = [camera for camera in members if (id(camera) in judges) == judging]
            told = None if progress is None else partial(_shifted, progress, done, len(everybody))
            found = coverage(scene, part, renderer, progress=told).counts
            seen |= found > 0
            counts += found if judging else 0
            done += len(part)
        groups += seen
    out = (counts >= MIN_VIEWS) | (scene.opacities < SEEN_WEIGHT)
    if len(everybody) >= GROUPS and _complete(groups):
        return np.asarray(out | (counts > 0) | (groups == 0))
    unseen = np.flatnonzero(~out & (groups == 0))
    points = scene.means[unseen].astype(np.float64)
    out[unseen] = _directions(points, everybody) >= MIN_DIRECTIONS
    return out


def _groups(cameras: Sequence[Camera]) -> list[list[Camera]]:
    """Neighbours: each camera with the nearest of some that are spread out."""
    if not cameras:
        return []
    positions = np.array([camera.position for camera in cameras])
    offsets = positions - positions.mean(axis=0)
    size = max(float(np.linalg.norm(offsets, axis=1).mean()), 1e-12)
    ahead = np.array([camera.viewmat[2, :3] for camera in cameras])
    places = np.concatenate([offsets / size, ahead], axis=1)
    centres = places[spread(places, min(GROUPS, len(cameras)))]
    group = np.argmin(np.square(places[:, None] - centres).sum(axis=2), axis=1)
    return [[cameras[i] for i in np.flatnonzero(group == g).tolist()] for g in range(len(centres))]


def _complete(groups: NDArray[np.int64]) -> bool:
    """Whether the cameras show all there is, given by how many groups each Gaussian is seen."""
    seen = np.count_nonzero(groups)
    lone = np.count_nonzero(groups == 1)
    return bool(lone <= MAX_LONE * seen and len(groups) - seen <= MAX_UNSEEN * len(groups))


def _shifted(progress: Progress, before: int, total: int, done: int, _: int) -> None:
    progress(before + done, total)


def _directions(points: Points, cameras: Sequence[Camera]) -> NDArray[np.int64]:  # [N, 3] -> [N]
    """From how many directions cameras look at each point."""
    seen_from = np.zeros((len(points), DIRECTIONS), bool)
    bins = sphere(DIRECTIONS).T  # [3, D]
    for camera in cameras:
        inside = np.flatnonzero(_in_image(points, camera))
        toward = camera.position - points[inside]
        seen_from[inside, np.argmax(toward @ bins, axis=1)] = True
    return np.asarray(seen_from.sum(axis=1))


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
