"""Surface colours: procedural textures of local positions, and how glossy each surface is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .vectors import Array, length, mix, smoothstep

__all__ = [
    "MEADOW",
    "PLAZA",
    "Material",
    "checker_marble",
    "glazed_stripes",
    "lacquer_swirl",
    "plain",
    "turned_wood",
]

Texture = Callable[[Array], Array]  # local positions [3, N] -> linear RGB [3, N]


@dataclass(frozen=True)
class Material:
    """What a surface reflects.

    Attributes:
        albedo: Diffuse reflectance, a function of position (linear RGB).
        specular: Reflectance at normal incidence (linear RGB): 0.04 for glaze, coloured for metals.
        roughness: GGX roughness, alpha = roughness^2.
    """

    albedo: Texture
    specular: tuple[float, float, float] = (0.04, 0.04, 0.04)
    roughness: float = 0.3


def rgb(r: float, g: float, b: float) -> Array:
    """A colour as a [3, 1] column."""
    return np.array([[r], [g], [b]], np.float32)


def ripples(p: Array, scale: float) -> Array:  # [3, N] -> [N] in about -1..1
    """Smooth turbulence: sines whose phases are bent by other sines."""
    x, y, z = p * np.float32(scale)
    a = np.sin(1.7 * x + 0.9 * y - 1.3 * z + 1.9 * np.sin(0.8 * y + 1.1 * z))
    b = np.sin(-1.1 * x + 2.1 * z + 0.7 * y + 1.6 * np.sin(1.3 * x + 0.4 * a + 0.9 * y))
    c = np.sin(2.3 * x - 2.9 * y + 2.6 * z + 1.4 * b)
    return np.asarray(0.45 * a + 0.35 * b + 0.2 * c, np.float32)


def plain(r: float, g: float, b: float) -> Texture:
    """One colour everywhere."""
    colour = rgb(r, g, b)
    return lambda p: np.broadcast_to(colour, p.shape).astype(np.float32)


def checker_marble(cell: float) -> Texture:
    """A chequer of veined light and dark marble, in cells of ``cell`` world units."""

    def texture(p: Array) -> Array:
        squares = np.sin(p * np.float32(np.pi / cell) + np.float32(np.pi / 2))
        parity = smoothstep(-0.5, 0.5, squares[0] * squares[1] * squares[2] * np.float32(14))
        vein = smoothstep(0.02, 0.16, np.abs(ripples(p, 5.0)))
        dark = mix(rgb(0.10, 0.24, 0.24), rgb(0.015, 0.09, 0.11), vein)
        light = mix(rgb(0.52, 0.44, 0.36), rgb(0.78, 0.73, 0.64), vein)
        return mix(dark, light, parity)

    return texture


def glazed_stripes(size: float) -> Texture:
    """White porcelain with blue bands and lobes, for a vase of height about 1.4 ``size``."""

    def texture(p: Array) -> Array:
        y, turn = p[1] / np.float32(size), np.arctan2(p[2], p[0])
        lobes = 0.075 * np.cos(8 * turn)
        wave = np.sin(8 * turn + 14 * y) * smoothstep(-0.36, -0.3, y) * smoothstep(0.2, 0.14, y)
        blue = smoothstep(0.1, 0.5, wave.astype(np.float32))
        blue = np.maximum(blue, smoothstep(0.05, 0.02, np.abs(y - 0.27 + lobes) - np.float32(0.01)))
        blue = np.maximum(blue, smoothstep(0.03, 0.01, np.abs(y - np.float32(0.55))))
        blue = np.maximum(blue, smoothstep(0.05, 0.03, np.abs(y + np.float32(0.45))))
        blue = np.maximum(blue, smoothstep(0.79, 0.81, y))
        return mix(rgb(0.83, 0.84, 0.80), rgb(0.02, 0.07, 0.36), blue.astype(np.float32))

    return texture


def lacquer_swirl(p: Array) -> Array:
    """Red lacquer with golden swirls."""
    turn = np.arctan2(p[2], p[0])
    band = np.sin(3 * turn + 9 * p[1] + 1.3 * np.sin(5 * p[1]))
    thin = smoothstep(0.86, 0.95, band.astype(np.float32))
    red = mix(rgb(0.46, 0.015, 0.02), rgb(0.62, 0.06, 0.03), 0.5 + 0.5 * ripples(p, 3.0))
    return mix(red, rgb(0.86, 0.52, 0.12), thin)


def turned_wood(p: Array) -> Array:
    """Growth rings around a tilted axis, with fine streaks."""
    bend = 0.035 * ripples(p, 2.6)
    r = length(p[0] + 0.25 * p[1], p[2] - 0.15 * p[1]) + bend
    growth = (r * np.float32(9.0)) % 1
    ring = growth * growth * smoothstep(1.0, 0.88, growth)
    streak = 0.5 + 0.5 * np.sin(38 * p[0] + 6 * ripples(p, 5.0))
    tone = (0.9 * ring + 0.12 * streak).astype(np.float32)
    return mix(rgb(0.50, 0.27, 0.10), rgb(0.13, 0.05, 0.02), tone)


def inlay(p: Array) -> Array:
    """The round plaza: a star, rings of alternating stones, golden lines; y is ignored."""
    r, turn = length(p[0], p[2]), np.arctan2(p[2], p[0])
    vein = smoothstep(0.02, 0.14, np.abs(ripples(p, 3.6)))
    ivory = mix(rgb(0.54, 0.44, 0.32), rgb(0.66, 0.58, 0.46), vein)
    teal = mix(rgb(0.06, 0.20, 0.20), rgb(0.02, 0.11, 0.13), vein)
    clay = mix(rgb(0.56, 0.26, 0.15), rgb(0.42, 0.14, 0.07), vein)
    colour = ivory
    for inner, outer, count, shift in ((0.85, 1.45, 16, 0.0), (1.45, 2.05, 24, 0.5)):
        sector = np.sin(count / 2 * turn + np.pi * shift) * r
        inside = smoothstep(-0.012, 0.012, r - inner) * smoothstep(-0.012, 0.012, outer - r)
        other = teal if shift == 0.0 else clay
        colour = mix(colour, other, inside * smoothstep(-0.06, 0.06, sector.astype(np.float32)))
    petal = 0.56 + 0.2 * np.cos(8 * turn)
    colour = mix(colour, clay, smoothstep(0.015, -0.015, (r - petal).astype(np.float32)))
    petal = 0.34 + 0.12 * np.cos(8 * turn + np.pi)
    colour = mix(colour, teal, smoothstep(0.015, -0.015, (r - petal).astype(np.float32)))
    border = smoothstep(-0.012, 0.012, r - np.float32(2.05))
    colour = mix(colour, teal, border)
    for line in (0.85, 1.45, 2.05, 2.3):
        gold = smoothstep(0.035, 0.015, np.abs(r - np.float32(line)))
        colour = mix(colour, rgb(0.72, 0.47, 0.14), gold)
    return colour


def meadow(p: Array) -> Array:
    """Grass in patches, which lose their contrast with distance."""
    r = length(p[0], p[2])
    near = np.exp(-r * np.float32(0.16))
    tone = 0.5 + 0.5 * near * ripples(p, 1.1) + 0.3 * near * ripples(p, 3.7)
    return mix(rgb(0.17, 0.22, 0.06), rgb(0.38, 0.36, 0.13), tone.astype(np.float32))


PLAZA = Material(inlay, (0.032, 0.032, 0.032), 0.4)
MEADOW = Material(meadow, (0.0, 0.0, 0.0), 1.0)
