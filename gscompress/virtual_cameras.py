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
RING_SHARE = 0.4
"""Share of the cameras of unbounded scenes that look at the centre; the others look around."""


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
    """
    lens = _check(count, width, height, fov)
    extent = measure(scene)
    if kind == "object" or (kind == "auto" and not extent.surrounds):
        distance = lens.framing_distance(extent.radius)
        return [
            lens.camera(
                f"virtual_{i:04d}", extent.centre + distance * way, extent.centre, extent.up
            )
            for i, way in enumerate(_sphere(count))
        ]
    ring = max(1, round(RING_SHARE * count))
    matter = sample_matter(scene, MATTER_SAMPLES, seed)
    positions = _free_positions(extent, matter, count, seed)
    targets = [extent.centre] * ring
    targets += [positions[ring + i] + way for i, way in enumerate(_sphere(count - ring))]
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
    Around a scene: a circle at a distance that frames an object, or within surroundings.

    Raises:
        InputError: There are no cameras, or an argument makes no sense.
    """
    lens = _check(frames, width, height, fov)
    if isinstance(around, Gaussians):
        centre, up, axes, lift = _scene_ellipse(measure(around), lens)
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


def _sphere(count: int) -> Points:  # [count, 3]
    """Directions spread evenly over the sphere (a Fibonacci lattice)."""
    i = np.arange(count)
    y = 1 - (2 * i + 1) / max(count, 1)
    flat = np.sqrt(1 - y * y)
    return np.stack([flat * np.cos(GOLDEN_ANGLE * i), y, flat * np.sin(GOLDEN_ANGLE * i)], axis=1)


def _free_positions(extent: Extent, matter: Points, count: int, seed: int) -> Points:  # [count, 3]
    """Positions within the inner region, away from matter but surrounded by it.

    Below a floor or behind a wall there is free space too, but matter on one side only: so of
    many random positions we keep those that see matter in most directions, then those with room
    around them, and of these a set that is spread out.
    """
    rng = np.random.default_rng(seed)
    ways = rng.standard_normal((CANDIDATES, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    candidates = extent.centre + extent.radius * np.cbrt(rng.random((CANDIDATES, 1))) * ways
    bins = _sphere(DIRECTION_BINS).T
    enclosed, room = np.empty(CANDIDATES), np.empty(CANDIDATES)
    for i, candidate in enumerate(candidates):
        offset = matter - candidate
        enclosed[i] = len(np.unique(np.argmax(offset @ bins, axis=1)))
        room[i] = np.partition(np.linalg.norm(offset, axis=1), 8)[8]
    keep = enclosed >= np.quantile(enclosed, 0.5)
    keep &= room >= np.quantile(room[keep], 0.5)
    return _spread(candidates[keep], count)


def _spread(points: Points, count: int) -> Points:  # [M, 3] -> [count, 3]
    """A spread-out choice (farthest first); points come again when there are too few."""
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[np.resize(chosen, count)]


def _scene_ellipse(extent: Extent, lens: _Lens) -> tuple[Points, Points, Points, float]:
    right, ahead = _plane(extent.up)
    distance = extent.radius / 2 if extent.surrounds else lens.framing_distance(extent.radius)
    tilt = math.radians(20)
    axes = distance * math.cos(tilt) * np.stack([right, ahead])
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
