"""Solids as signed distance functions, and rays against them.

Coordinates are local to the solid, y upwards, in world units. Each solid lies inside the sphere of
radius ``bound`` around its origin, so that rays that miss that sphere cost nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from .vectors import Array, dot, length, normalize, smooth_minimum

__all__ = ["MISS", "RoundedBox", "Shape", "Sphere", "Torus", "TrefoilKnot", "Vase"]

MISS = np.float32(np.inf)
TOUCH = np.float32(5e-4)
"""A ray this close to a surface, in world units, has hit it."""
START = np.float32(4e-3)
"""Where clearance is first measured, so that a surface does not shade itself."""


class Shape(ABC):
    """A solid, given by its distance function."""

    @property
    @abstractmethod
    def bound(self) -> float:
        """Radius of a sphere around the origin that holds the solid."""

    @abstractmethod
    def distance(self, p: Array) -> Array:  # [3, N] -> [N]
        """A lower bound of the distance to the surface, exact on it; negative inside."""

    def trace(self, origin: Array, direction: Array, steps: int = 96) -> Array:  # [N]
        """Distance along unit rays to their first hit, inf for a miss: sphere tracing."""
        hit = np.full(origin.shape[1], MISS, np.float32)
        enter, leave = bounding_interval(origin, direction, self.bound)
        alive = np.flatnonzero(enter < leave)
        t, end = enter[alive], leave[alive]
        o, d = origin[:, alive], direction[:, alive]
        for step in range(steps):
            if not len(alive):
                break
            gap = self.distance(o + t * d)
            t = t + gap
            if step % 3 == 2 or step == steps - 1:
                close = gap < TOUCH
                hit[alive[close]] = t[close]
                keep = ~close & (t < end)
                alive, t, end, o, d = alive[keep], t[keep], end[keep], o[:, keep], d[:, keep]
        return hit

    def clearance(
        self, origin: Array, direction: Array, limit: float, steps: int = 48
    ) -> Array:  # [N]
        """By which tangent rays miss the solid: the least distance / (distance travelled).

        Values above ``limit`` are not told apart from it; at most 0 for a hit.
        """
        ratio = np.full(origin.shape[1], limit, np.float32)
        enter, leave = bounding_interval(origin, direction, self.bound * 1.3)
        alive = np.flatnonzero(enter < leave)
        t, end = np.maximum(enter[alive], START).astype(np.float32), leave[alive]
        o, d = origin[:, alive], direction[:, alive]
        for step in range(steps):
            if not len(alive):
                break
            gap = self.distance(o + t * d)
            ratio[alive] = np.minimum(ratio[alive], gap / t)
            t = t + np.clip(gap, np.float32(0.012), np.float32(0.1))
            if step % 4 == 3:
                keep = (t < end) & (ratio[alive] > 0)
                alive, t, end, o, d = alive[keep], t[keep], end[keep], o[:, keep], d[:, keep]
        return ratio

    def normals(self, p: Array) -> Array:  # [3, N] -> [3, N]
        """Unit outward normals at surface points, by differences over a tetrahedron."""
        total = np.zeros_like(p)
        for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
            e = np.array(corner, np.float32)[:, None]
            total += e * self.distance(np.asarray(p + np.float32(1e-3) * e))
        return normalize(total)


@dataclass(frozen=True)
class Sphere(Shape):
    """A ball."""

    radius: float

    @property
    def bound(self) -> float:
        return self.radius * 1.001

    def distance(self, p: Array) -> Array:
        return np.asarray(length(*p) - np.float32(self.radius))

    def trace(self, origin: Array, direction: Array, steps: int = 1) -> Array:
        enter, leave = bounding_interval(origin, direction, self.radius)
        return np.where((enter < leave) & (enter > 0), enter, MISS).astype(np.float32)

    def clearance(self, origin: Array, direction: Array, limit: float, steps: int = 1) -> Array:
        closest = -dot(origin, direction)
        gap = np.sqrt(np.maximum(dot(origin, origin) - closest * closest, 0)) - self.radius
        ahead = closest > self.radius * 0.05
        ratio = np.where(ahead, gap / np.maximum(closest, TOUCH), limit)
        return np.asarray(np.minimum(ratio, limit), np.float32)

    def normals(self, p: Array) -> Array:
        return normalize(p)


@dataclass(frozen=True)
class RoundedBox(Shape):
    """A box whose edges are rounded with ``rounding``; ``half`` are its outer half sizes."""

    half: tuple[float, float, float]
    rounding: float

    @property
    def bound(self) -> float:
        return float(np.linalg.norm(self.half))

    def distance(self, p: Array) -> Array:
        core = np.array(self.half, np.float32)[:, None] - np.float32(self.rounding)
        q = np.abs(p) - core
        outside = length(*np.maximum(q, 0))
        return np.asarray(outside + np.minimum(q.max(axis=0), 0) - np.float32(self.rounding))


@dataclass(frozen=True)
class Torus(Shape):
    """A ring around the y axis."""

    ring: float
    tube: float

    @property
    def bound(self) -> float:
        return self.ring + self.tube

    def distance(self, p: Array) -> Array:
        return np.asarray(
            length(length(p[0], p[2]) - np.float32(self.ring), p[1]) - np.float32(self.tube)
        )


@dataclass(frozen=True)
class TrefoilKnot(Shape):
    """A trefoil: two strands that twist one and a half times on their way around a ring.

    A cross-section of the ring turns with 3/2 of the angle around the y axis, and the two points at
    ``spread`` from its middle trace one closed curve, the (2, 3) torus knot.
    """

    ring: float
    spread: float
    tube: float

    @property
    def bound(self) -> float:
        return self.ring + self.spread + self.tube

    def distance(self, p: Array) -> Array:
        half_turns = np.float32(1.5) * np.arctan2(p[2], p[0])
        u, v = length(p[0], p[2]) - np.float32(self.ring), p[1]
        c, s = np.cos(half_turns), np.sin(half_turns)
        across = np.abs(c * u + s * v) - np.float32(self.spread)
        along = c * v - s * u
        # The twist stretches space: 0.65 keeps the value a lower bound at these proportions.
        return np.asarray(np.float32(0.65) * (length(across, along) - np.float32(self.tube)))


@dataclass(frozen=True)
class Vase(Shape):
    """A round-bellied vase with a neck, a lip and an opening; stands on y = -0.5 ``size``."""

    size: float

    @property
    def bound(self) -> float:
        return 0.95 * self.size

    def distance(self, p: Array) -> Array:
        r = length(p[0], p[2]) / np.float32(self.size)
        y = p[1] / np.float32(self.size)
        belly = length(r, (y + np.float32(0.08)) * np.float32(0.95)) - np.float32(0.47)
        neck_y = y - np.clip(y, np.float32(0.3), np.float32(0.74))
        solid = smooth_minimum(belly, length(r, neck_y) - np.float32(0.13), 0.25)
        lip = length(r - np.float32(0.19), y - np.float32(0.83)) - np.float32(0.035)
        solid = smooth_minimum(solid, lip, 0.14)
        hole_y = y - np.clip(y, np.float32(0.45), np.float32(1.2))
        solid = np.maximum(solid, np.float32(0.1) - length(r, hole_y))
        solid = np.maximum(solid, -y - np.float32(0.5))
        return np.asarray(solid * np.float32(0.9 * self.size))


def bounding_interval(origin: Array, direction: Array, bound: float) -> tuple[Array, Array]:
    """Where rays enter and leave the sphere of radius ``bound``; entry > exit for a miss."""
    along = -dot(origin, direction)
    disc = np.float32(bound * bound) - (dot(origin, origin) - along * along)
    half = np.sqrt(np.maximum(disc, 0))
    enter = np.maximum(along - half, 0)
    return np.where(disc > 0, enter, np.float32(1)), np.where(disc > 0, along + half, np.float32(0))
