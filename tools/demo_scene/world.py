"""The still life: which objects stand where, the sun, and the painted backdrop around them.

Studio coordinates: y upwards, the plaza in the plane y = 0 around the origin, world units. The
backdrop is a sphere of radius ``BACKDROP_RADIUS``, so that everything is at a finite distance.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from . import materials as m
from .shapes import RoundedBox, Shape, Sphere, Torus, TrefoilKnot, Vase
from .vectors import Array, length, mix, normalize, smoothstep

__all__ = [
    "BACKDROP_RADIUS",
    "BOUNCE_LIGHT",
    "FLOOR_LIGHT",
    "HAZE_COLOUR",
    "PLAZA_RADIUS",
    "SKY_LIGHT",
    "SUN_COLOUR",
    "SUN_DIRECTION",
    "SUN_TANGENT",
    "Thing",
    "backdrop",
    "haze",
    "still_life",
]

BACKDROP_RADIUS = 30.0
PLAZA_RADIUS = 2.4
SUN_DIRECTION: Array = normalize(np.array([[-0.55], [0.62], [0.45]], np.float32))
SUN_COLOUR: Array = m.rgb(2.9, 2.35, 1.6)
SUN_TANGENT = 0.07
"""Tangent of the sun's radius as it draws penumbrae."""
SKY_LIGHT: Array = m.rgb(0.34, 0.42, 0.56)
BOUNCE_LIGHT: Array = m.rgb(0.20, 0.165, 0.12)
FLOOR_LIGHT: Array = m.rgb(0.34, 0.28, 0.20)
HAZE_COLOUR: Array = m.rgb(0.74, 0.62, 0.50)


@dataclass(frozen=True)
class Thing:
    """A solid with a material, placed in the studio."""

    shape: Shape
    material: m.Material
    centre: tuple[float, float, float]
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Rotations about x, y and z in degrees, applied in this order."""
    to_local: Array = field(init=False)  # [3, 3]

    def __post_init__(self) -> None:
        object.__setattr__(self, "to_local", rotation(self.turn).T.astype(np.float32))

    def local(self, p: Array) -> Array:  # [3, N] -> [3, N]
        """Studio positions in the solid's own coordinates."""
        return np.asarray(self.to_local @ (p - np.array(self.centre, np.float32)[:, None]))


def rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:  # [3, 3]
    """Rotation about x, then y, then z."""
    total = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        c, s = np.cos(angle), np.sin(angle)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[i, i], step[i, j], step[j, i], step[j, j] = c, -s, s, c
        total = step @ total
    return total


def still_life() -> list[Thing]:
    """The objects on the plaza."""
    glaze = (0.045, 0.045, 0.045)
    stone = m.Material(m.checker_marble(0.34), glaze, 0.25)
    things = [
        Thing(
            RoundedBox((0.34, 0.3, 0.34), 0.05),
            m.Material(m.turned_wood, glaze, 0.35),
            (0.0, 0.3, 0.0),
            (0, 20, 0),
        ),
        Thing(
            TrefoilKnot(0.3, 0.12, 0.085),
            m.Material(m.plain(0.26, 0.15, 0.04), (0.92, 0.62, 0.24), 0.36),
            (0.0, 1.06, 0.0),
            (68, 30, 0),
        ),
        Thing(Vase(0.72), m.Material(m.glazed_stripes(0.72), glaze, 0.2), (-1.2, 0.36, -0.55)),
        Thing(
            Sphere(0.42),
            m.Material(m.lacquer_swirl, (0.06, 0.06, 0.06), 0.18),
            (1.2, 0.42, 0.35),
            (25, 0, 10),
        ),
        Thing(RoundedBox((0.34, 0.34, 0.34), 0.05), stone, (0.8, 0.34, -1.15), (0, 33, 0)),
        Thing(
            Torus(0.36, 0.13),
            m.Material(m.plain(0.03, 0.30, 0.27), (0.08, 0.08, 0.08), 0.22),
            (-0.72, 0.13, 1.12),
        ),
        Thing(Sphere(0.27), m.Material(m.turned_wood, glaze, 0.3), (-0.72, 0.4, 1.12), (70, 0, 0)),
    ]
    for i in range(12):
        angle = 2 * np.pi * (i + 0.5) / 12
        hue = 2 * np.pi * i / 12
        r, g, b = (0.42 + 0.38 * np.cos(hue + s) for s in (0.0, 2.1, 4.2))
        things.append(
            Thing(
                Sphere(0.13),
                m.Material(m.plain(r * r, g * g, b * b), glaze, 0.2),
                (2.17 * np.cos(angle), 0.13, 2.17 * np.sin(angle)),
            )
        )
    return things


def haze(p: Array) -> Array:  # [3, N] -> [N]
    """How much of the horizon's haze lies over ground points, 0..1."""
    r = length(p[0], p[2])
    return np.asarray(1 - np.exp(-np.square(r / np.float32(11.0))))


def backdrop(direction: Array, roughness: Array | float = 0.0) -> Array:  # [3, N] -> [3, N]
    """Radiance of the sky dome (unit direction from the origin to the point on it).

    ``roughness`` softens the hills and the glow, for reflections in rough surfaces.
    """
    up = direction[1]
    sky = mix(HAZE_COLOUR, m.rgb(0.42, 0.56, 0.78), smoothstep(0.0, 0.38, up))
    sky = mix(sky, m.rgb(0.13, 0.27, 0.58), smoothstep(0.25, 1.0, up))
    toward = np.maximum((direction * SUN_DIRECTION).sum(axis=0), 0)
    sharp = np.asarray(60.0 / (1.0 + 60.0 * roughness), np.float32)
    sky = sky + m.rgb(1.3, 0.95, 0.5) * toward**sharp * np.float32(0.7)
    azimuth = np.arctan2(direction[2], direction[0])
    soft = 0.006 + 0.5 * roughness
    for height, swing, phase, tint in ((0.12, 0.05, 0.3, 0.45), (0.065, 0.035, 2.0, 0.8)):
        ridge = height + swing * (np.sin(3 * azimuth + phase) + 0.5 * np.sin(7 * azimuth - phase))
        ridge = ridge + 0.2 * swing * np.sin(17 * azimuth + 3 * phase)
        hill = mix(m.rgb(0.36, 0.42, 0.52), m.rgb(0.17, 0.27, 0.24), np.float32(tint))
        hill = mix(HAZE_COLOUR, hill, smoothstep(-0.02, 0.11, up))
        sky = mix(sky, hill, smoothstep(soft, -soft, (up - ridge).astype(np.float32)))
    return np.asarray(sky, np.float32)
