"""Cameras for scenes that come with none, and camera paths for videos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.extent import Extent, measure, sample_matter
from gscompress.gaussians import Gaussians

__all__ = ["look_at", "orbit", "virtual_cameras"]

Points = NDArray[np.float64]

GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
FRAME_MARGIN = 1.1
"""A sphere is framed with a tenth to spare."""

MATTER_SAMPLES = 4096
CANDIDATES = 512
DIRECTION_BINS = 32
RING_SHARE = 0.5
"""Share of the cameras within surroundings that look at the centre; the others look around.
Fewer do where the scene lies to one side of the centre."""

ELEVATIONS = (-10.0, 60.0)
"""Of positions within surroundings, seen from the centre, in degrees: captures are from above."""


@dataclass(frozen=True, slots=True)
class _Lens:
    width: int
    height: int
    fov: float

    def camera(self, name: str, position: Points, target: Points, up: Points) -> Camera:
        focal = max(self.width, self.height) / 2 / math.tan(math.radians(self.fov) / 2)
        return Camera(
            name,
            self.width,
            self.height,
            focal,
            focal,
            self.width / 2,
            self.height / 2,
            look_at(position, target, up),
        )

    def framing_distance(self, radius: float) -> float:
        """Distance from which a sphere fills the shorter side of the image."""
        shape = min(self.width, self.height) / max(self.width, self.height)
        half = math.atan(math.tan(math.radians(self.fov) / 2) * shape)
        return FRAME_MARGIN * radius / math.sin(half)


def virtual_cameras(
    scene: Gaussians,
    count: int = 64,
    *,
    width: int = 800,
    height: int = 600,
    fov: float = 60.0,
    seed: int = 0,
    kind: Literal["auto", "object", "surroundings"] = "auto",
) -> list[Camera]:
    """Cameras that together see a scene well. The same arguments give the same cameras.

    An object gets a Fibonacci sphere of directions around its centre, at a distance that frames it.
    Surroundings (unbounded scenes, rooms) get positions in the free space around their centre, well
    enclosed by matter; some look at the centre, the others around, evenly over all directions.

    Args:
        scene: What to look at.
        count: Number of cameras.
        width: Image width in pixels.
        height: Image height in pixels.
        fov: Field of view of the longer side, in degrees.
        seed: Of the samples by which free space is judged.
        kind: What the scene is; "auto" decides by the spread of its positions and sizes.

    Raises:
        InputError: The scene holds nothing that could be seen, or an argument makes no sense.

    Example:
        >>> import gscompress as gs
        >>> cameras = gs.virtual_cameras(gs.load("scenes/demo.ply"), 8, width=320, height=240)
        >>> len(cameras), cameras[0].width
        (8, 320)
    """
    lens = _check(count, width, height, fov)
    extent = measure(scene, surrounds=None if kind == "auto" else kind == "surroundings")
    if not extent.surrounds:
        distance = lens.framing_distance(extent.radius)
        return [
            lens.camera(
                f"virtual_{i:04d}", extent.centre + distance * way, extent.centre, extent.up
            )
            for i, way in enumerate(sphere(count))
        ]
    matter = sample_matter(scene, MATTER_SAMPLES, seed)
    positions = _free_positions(extent, matter, count, seed)
    ring = round(RING_SHARE * (1 - extent.one_sided) * count)
    targets = [extent.centre] * ring + list(_matter_around(extent, matter, count - ring))
    return [
        lens.camera(f"virtual_{i:04d}", position, target, extent.up)
        for i, (position, target) in enumerate(zip(positions, targets, strict=True))
    ]


def orbit(
    around: Gaussians | Sequence[Camera],
    frames: int = 120,
    *,
    width: int = 1280,
    height: int = 720,
    fov: float = 60.0,
) -> list[Camera]:
    """A closed path of cameras that circles the subject, for videos.

    Around given cameras: an ellipse through their midst, looking at the point that they look at.
    Around a scene: a circle, 20 degrees above the centre, that frames an object or lies in the free
    space of surroundings.

    Raises:
        InputError: There are no cameras, or an argument makes no sense.
    """
    lens = _check(frames, width, height, fov)
    if isinstance(around, Gaussians):
        centre, up, axes, lift = _scene_ellipse(around, lens)
    else:
        centre, up, axes, lift = _camera_ellipse(around)
    path = []
    for i in range(frames):
        angle = 2 * math.pi * i / frames
        position = centre + lift * up + math.cos(angle) * axes[0] + math.sin(angle) * axes[1]
        path.append(lens.camera(f"orbit_{i:04d}", position, centre, up))
    return path


def look_at(position: Points, target: Points, up: Points) -> NDArray[np.float64]:  # [4, 4]
    """The world-to-camera transform of a camera that looks at ``target``; ``up`` is a direction."""
    forward = target - position
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, up)
    if np.linalg.norm(right) < 1e-6 * np.linalg.norm(up):  # straight up or down: any right will do
        right = np.cross(forward, np.eye(3)[np.argmin(np.abs(forward))])
    right = right / np.linalg.norm(right)
    viewmat = np.eye(4)
    viewmat[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    viewmat[:3, 3] = -viewmat[:3, :3] @ position
    return viewmat


def _check(count: int, width: int, height: int, fov: float) -> _Lens:
    if count < 1 or width < 1 or height < 1 or not 1 <= fov <= 170:
        raise InputError(
            "cameras",
            found=f"{count} of {width}x{height} pixels, {fov:g} degrees",
            expected="at least 1 of at least 1x1, with 1 to 170 degrees",
        )
    return _Lens(width, height, fov)


def sphere(count: int) -> Points:  # [count, 3]
    """Directions spread evenly over the sphere (a Fibonacci lattice)."""
    i = np.arange(count)
    y = 1 - (2 * i + 1) / max(count, 1)
    flat = np.sqrt(1 - y * y)
    return np.stack([flat * np.cos(GOLDEN_ANGLE * i), y, flat * np.sin(GOLDEN_ANGLE * i)], axis=1)


def _free_positions(extent: Extent, matter: Points, count: int, seed: int) -> Points:  # [count, 3]
    """Positions within the inner region, away from matter but surrounded by it.

    Distances from the centre are spread evenly in their logarithm, as nothing says at which scale
    the scene was captured. Behind a wall there is free space too, but matter on one side only: so
    of many random positions we keep those that see matter in most directions, then those with most
    room around them for their distance, and of these a set that is spread out.

    What was captured in one direction was captured from about one place: there we stay nearer.
    """
    rng = np.random.default_rng(seed)
    longest = extent.radius / 2 * (1 - extent.one_sided)
    shortest = min(2 * extent.detail_radius, longest / 3)
    radii = np.geomspace(shortest, longest, CANDIDATES)
    right, ahead = _plane(extent.up)
    turn = rng.uniform(0, 2 * math.pi, CANDIDATES)[:, None]
    low, high = (math.sin(math.radians(angle)) for angle in ELEVATIONS)
    rise = np.arcsin(rng.uniform(low, high, CANDIDATES))[:, None]
    flat = np.cos(turn) * right + np.sin(turn) * ahead
    ways = np.cos(rise) * flat + np.sin(rise) * extent.up
    candidates = extent.centre + radii[:, None] * ways
    bins = sphere(DIRECTION_BINS).T
    enclosed, room = np.empty(CANDIDATES), np.empty(CANDIDATES)
    for i, candidate in enumerate(candidates):
        offset = matter - candidate
        enclosed[i] = len(np.unique(np.argmax(offset @ bins, axis=1)))
        room[i] = np.partition(np.linalg.norm(offset, axis=1), 4)[4] / radii[i]
    keep = enclosed >= np.quantile(enclosed, 0.3)
    keep &= room >= np.quantile(room[keep], 0.5)
    # Spread in the logarithm of the distance as well.
    order = spread(ways[keep] * np.log(radii[keep] / shortest * math.e)[:, None], count)
    return np.asarray(candidates[keep][order])


def _matter_around(extent: Extent, matter: Points, count: int) -> Points:  # [count, 3]
    """Points of matter in directions, seen from the centre, that are spread out."""
    offset = matter - extent.centre
    distance = np.linalg.norm(offset, axis=1)
    far = distance >= np.median(distance)
    return np.asarray(matter[far][spread(offset[far] / distance[far, None], count)])


def spread(points: Points, count: int) -> NDArray[np.intp]:  # [M, 3] -> [count]
    """Indices of a spread-out choice (farthest first); again from the start when too few."""
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.resize(chosen, count)


def _scene_ellipse(scene: Gaussians, lens: _Lens) -> tuple[Points, Points, Points, float]:
    extent = measure(scene)
    if extent.surrounds:
        free = _free_positions(extent, sample_matter(scene, MATTER_SAMPLES, 0), 64, 0)
        distance = float(np.median(np.linalg.norm(free - extent.centre, axis=1)))
    else:
        distance = lens.framing_distance(extent.radius)
    tilt = math.radians(20)
    axes = distance * math.cos(tilt) * _plane(extent.up)
    return extent.centre, extent.up, axes, distance * math.sin(tilt)


def _camera_ellipse(cameras: Sequence[Camera]) -> tuple[Points, Points, Points, float]:
    if not cameras:
        raise InputError("cameras", found="none", expected="at least one")
    positions = np.array([camera.position for camera in cameras])
    forward = np.array([camera.viewmat[2, :3] for camera in cameras])
    up = -np.sum([camera.viewmat[1, :3] for camera in cameras], axis=0)
    up = up / np.linalg.norm(up) if np.linalg.norm(up) > 1e-6 else np.array([0.0, -1, 0])
    centre = _focus(positions, forward)
    offset = positions - centre
    lift = float(np.median(offset @ up))
    right, ahead = _plane(up)
    flat = np.stack([offset @ right, offset @ ahead], axis=1)
    # Principal axes of the positions in the plane; a ring of radius r has variance r^2 / 2.
    variance, turn = np.linalg.eigh(flat.T @ flat / len(flat))
    radii = np.maximum(np.sqrt(2 * variance), 1e-3 * (1 + np.linalg.norm(flat, axis=1).max()))
    axes = (radii * turn).T @ np.stack([right, ahead])
    return centre, up, axes, lift


def _focus(positions: Points, forward: Points) -> Points:  # [N, 3], [N, 3] -> [3]
    """The point closest to all optical axes; ahead of the cameras where they are parallel."""
    across = np.eye(3) - forward[:, :, None] * forward[:, None, :]  # [N, 3, 3]
    total = across.sum(axis=0)
    if np.linalg.eigvalsh(total)[0] < 1e-6 * len(positions):
        return np.asarray((positions + forward).mean(axis=0))
    return np.asarray(np.linalg.solve(total, np.einsum("nij,nj->i", across, positions)))


def _plane(up: Points) -> Points:  # [2, 3]
    """Two unit vectors at right angles to ``up`` and to each other."""
    first = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(up, first)])
