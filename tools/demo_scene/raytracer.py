"""A small ray tracer: sun with soft shadows, sky light with occlusion, GGX gloss, one reflection.

The picture of a camera is in display space (sRGB, 0..1), the mean of ``samples`` x ``samples`` rays
per pixel. The world's axes are OpenCV's (y down); in the studio y is up: ``STUDIO`` converts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera

from . import world
from .materials import MEADOW, PLAZA
from .shapes import MISS
from .vectors import Array, dot, length, mix, normalize, reflect, smoothstep

__all__ = ["STUDIO", "RayTracer"]

STUDIO: Array = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
"""World (y down) to studio (y up) and back: its own inverse."""

PLAZA_ID, MEADOW_ID, SKY_ID = -1, -2, -3
CHUNK = 1 << 15
NUDGE = np.float32(4e-3)
SMOOTH = 0.03
"""Pixels that differ by less from all their neighbours get a single ray."""


@dataclass(frozen=True)
class Hits:
    """Where rays end: distance [N] and what was hit [N] (index of a thing, or one of the _IDs)."""

    distance: Array
    what: NDArray[np.int64]


@dataclass(frozen=True)
class Surface:
    """Lit points: positions, unit normals and their material there, all [3, N] or [N]."""

    p: Array
    normal: Array
    albedo: Array
    specular: Array
    roughness: Array  # [N]


class RayTracer:
    """Renders the still life."""

    def __init__(self, things: list[world.Thing] | None = None) -> None:
        self.things = world.still_life() if things is None else things

    def image(self, camera: Camera, samples: int = 2) -> Array:  # [H, W, 3]
        """The picture a camera sees: sRGB in 0..1.

        One ray per pixel, then ``samples`` x ``samples`` of them where neighbours differ.
        """
        y, x = np.mgrid[: camera.height, : camera.width].reshape(2, -1)
        flat = self.colours(camera, x + 0.5, y + 0.5)
        image = flat.T.reshape(camera.height, camera.width, 3)
        if samples > 1:
            rows, columns = np.nonzero(contrast(image) > SMOOTH)
            total = np.zeros((3, len(rows)), np.float32)
            steps = (np.arange(samples) + 0.5) / samples
            for down, across in np.ndindex(samples, samples):
                total += self.colours(camera, columns + steps[across], rows + steps[down])
            image[rows, columns] = total.T / samples**2
        return np.ascontiguousarray(image)

    def colours(self, camera: Camera, x: NDArray[Any], y: NDArray[Any]) -> Array:  # [3, N]
        """sRGB colours at image positions in pixels, one ray each."""
        origin, direction = camera_rays(camera, x, y)
        out = np.empty_like(direction)
        for start in range(0, len(x), CHUNK):
            part = slice(start, start + CHUNK)
            o, d = (np.ascontiguousarray(a[:, part]) for a in (origin, direction))
            out[:, part] = tone_map(self.radiance(o, d, bounces=1))
        return out

    def surface_points(self, camera: Camera) -> tuple[Array, Array]:
        """What one ray per pixel hits: world points and their sRGB colours, both [H * W, 3]."""
        y, x = np.mgrid[: camera.height, : camera.width].reshape(2, -1)
        o, d = camera_rays(camera, x + 0.5, y + 0.5)
        points = o + self.intersect(o, d).distance * d
        return (STUDIO @ points).T, tone_map(self.radiance(o, d, bounces=0)).T

    def radiance(self, origin: Array, direction: Array, bounces: int) -> Array:  # [3, N]
        """Linear light arriving along rays, with ``bounces`` mirror-like reflections followed."""
        hits = self.intersect(origin, direction)
        p = origin + hits.distance * direction
        colour = np.empty_like(direction)
        sky = hits.what == SKY_ID
        colour[:, sky] = world.backdrop(normalize(p[:, sky]))
        solid = ~sky
        surface = self.surface(p[:, solid], hits.what[solid])
        lit = self.shade(surface, direction[:, solid], bounces)
        haze = world.haze(surface.p) * (hits.what[solid] < 0)
        colour[:, solid] = mix(lit, world.HAZE_COLOUR, haze)
        return colour

    def surface(self, p: Array, what: NDArray[np.int64]) -> Surface:
        """Normals and materials of points ``p`` on the things, or the ground, named by ``what``."""
        normal, albedo, specular = np.empty_like(p), np.empty_like(p), np.empty_like(p)
        roughness = np.empty(p.shape[1], np.float32)
        for i in np.unique(what):
            which = what == i
            if i < 0:
                material, local = (PLAZA if i == PLAZA_ID else MEADOW), p[:, which]
                normal[:, which] = np.array([[0], [1], [0]], np.float32)
            else:
                thing = self.things[i]
                material, local = thing.material, thing.local(p[:, which])
                normal[:, which] = thing.to_local.T @ thing.shape.normals(local)
            albedo[:, which] = material.albedo(local)
            specular[:, which] = np.array(material.specular, np.float32)[:, None]
            roughness[which] = material.roughness
        return Surface(p, normal, albedo, specular, roughness)

    def intersect(self, origin: Array, direction: Array) -> Hits:
        """First hits of rays that start inside the backdrop."""
        along = -dot(origin, direction)
        outside = dot(origin, origin) - np.float32(world.BACKDROP_RADIUS**2)
        best = along + np.sqrt(along * along - outside)
        what = np.full(best.shape, SKY_ID)
        with np.errstate(divide="ignore", invalid="ignore"):
            down = np.where(direction[1] < 0, -origin[1] / direction[1], MISS)
        nearer = (down > 0) & (down < best)
        best = np.where(nearer, down, best)
        inside = length(origin[0] + best * direction[0], origin[2] + best * direction[2])
        ground = np.where(inside < world.PLAZA_RADIUS, PLAZA_ID, MEADOW_ID)
        what = np.where(nearer, ground, what)
        for i, thing in enumerate(self.things):
            t = thing.shape.trace(thing.local(origin), thing.to_local @ direction)
            nearer = t < best
            best, what = np.where(nearer, t, best), np.where(nearer, i, what)
        return Hits(best.astype(np.float32), what)

    def shade(self, surface: Surface, direction: Array, bounces: int) -> Array:  # [3, N]
        """Light leaving a surface towards the eye (``direction`` points away from it)."""
        normal = surface.normal
        start = surface.p + NUDGE * normal
        sun = np.maximum(dot(normal, world.SUN_DIRECTION), 0) * self.sunlight(start, normal)
        open_sky = self.openness(surface.p, normal)
        level = np.float32(0.5) + np.float32(0.5) * normal[1]
        sky_light = mix(world.BOUNCE_LIGHT, world.SKY_LIGHT, level)
        light = surface.albedo * (sky_light * open_sky + world.SUN_COLOUR * sun)
        # Schlick's Fresnel term, damped on rough surfaces.
        view_cosine = np.maximum(-dot(direction, normal), np.float32(1e-3))
        grazing = (1 - view_cosine) ** 5 * np.square(1 - surface.roughness)
        fresnel = surface.specular + (1 - surface.specular) * grazing
        seen = self.mirror_light(start, reflect(direction, normal), surface.roughness, bounces)
        gloss = fresnel * seen * mix(np.float32(0.25), np.float32(1), open_sky)
        highlight = ggx(
            normal, -direction, world.SUN_DIRECTION, surface.specular, surface.roughness
        )
        return np.asarray(light + gloss + highlight * world.SUN_COLOUR * sun)

    def mirror_light(
        self, origin: Array, direction: Array, roughness: Array, bounces: int
    ) -> Array:  # [3, N]
        """What surfaces mirror: sky or floor, blurred by roughness, and things in front of it."""
        upward = np.stack([direction[0], np.abs(direction[1]), direction[2]])
        sky = world.backdrop(upward, roughness)
        soft = np.float32(0.02) + roughness
        seen = mix(world.FLOOR_LIGHT, sky, smoothstep(-soft, soft, direction[1]))
        if bounces:
            glossy = np.flatnonzero(roughness < 1)
            hits = self.intersect(origin[:, glossy], direction[:, glossy])
            close = (hits.what >= 0) & (hits.distance < 3)
            traced = glossy[close]
            inner = self.radiance(origin[:, traced], direction[:, traced], bounces - 1)
            fade = np.exp(-2 * hits.distance[close] * roughness[traced])
            seen[:, traced] = mix(seen[:, traced], inner, fade)
        return seen

    def sunlight(self, p: Array, normal: Array) -> Array:  # [N]
        """Share of the sun seen from points: 0 in full shadow, with penumbrae.

        What counts is the tangent of the angle by which a ray misses each solid, against that of
        the sun's (generous) radius.
        """
        sunny = dot(normal, world.SUN_DIRECTION) > 0
        light = sunny.astype(np.float32)
        facing = np.flatnonzero(sunny & (length(p[0], p[2]) < 2 * world.PLAZA_RADIUS))
        least = np.full(len(facing), world.SUN_TANGENT, np.float32)
        for thing in self.things:
            centre = np.array(thing.centre, np.float32)[:, None]
            to_centre = centre - p[:, facing]
            along = dot(to_centre, world.SUN_DIRECTION)
            aside = dot(to_centre, to_centre) - along * along
            reach = np.float32(thing.shape.bound) + world.SUN_TANGENT * np.maximum(along, 0)
            near = np.flatnonzero((aside < reach * reach) & (along > -thing.shape.bound))
            o = thing.local(p[:, facing[near]])
            d = np.broadcast_to(thing.to_local @ world.SUN_DIRECTION, o.shape)
            least[near] = np.minimum(least[near], thing.shape.clearance(o, d, world.SUN_TANGENT))
        light[facing] = smoothstep(0, 1, least / np.float32(world.SUN_TANGENT))
        return light

    def openness(self, p: Array, normal: Array) -> Array:  # [N]
        """Ambient occlusion: how freely points see the sky, 0..1, by distances along the normal."""
        open_sky = np.ones(p.shape[1], np.float32)
        inside = np.flatnonzero(length(p[0], p[2]) < world.PLAZA_RADIUS + 0.5)
        p, normal = p[:, inside], normal[:, inside]
        reaches = ((0.06, 1.6), (0.16, 1.0), (0.36, 0.55))
        gaps = [np.minimum(np.maximum(p[1] + h * normal[1], 0), h) for h, _ in reaches]
        for thing in self.things:
            away = p - np.array(thing.centre, np.float32)[:, None]
            near = np.flatnonzero(dot(away, away) < (thing.shape.bound + 0.72) ** 2)
            local, outward = thing.to_local @ away[:, near], thing.to_local @ normal[:, near]
            for gap, (h, _) in zip(gaps, reaches, strict=True):
                probed = thing.shape.distance(local + np.float32(h) * outward)
                gap[near] = np.minimum(gap[near], probed)
        for gap, (h, weight) in zip(gaps, reaches, strict=True):
            open_sky[inside] -= np.float32(weight) * (np.float32(h) - gap)
        return np.asarray(np.clip(open_sky, np.float32(0.15), 1))


def camera_rays(camera: Camera, x: NDArray[Any], y: NDArray[Any]) -> tuple[Array, Array]:
    """Origins and unit directions [3, N], in the studio, of rays through image positions."""
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(len(x))])
    to_world = camera.viewmat[:3, :3].T.astype(np.float32)
    direction = normalize(np.asarray(STUDIO @ to_world @ rays.astype(np.float32), np.float32))
    eye = STUDIO @ camera.position.astype(np.float32)
    return np.broadcast_to(eye[:, None], direction.shape), direction


def contrast(image: Array) -> Array:  # [H, W, 3] -> [H, W]
    """Largest difference to a neighbouring pixel, over the channels and eight neighbours."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3, 3))[:, :, 0]
    return np.asarray((windows.max(axis=(2, 3)) - windows.min(axis=(2, 3))).max(axis=2))


def ggx(normal: Array, to_eye: Array, to_light: Array, base: Array, roughness: Array) -> Array:
    """Specular reflectance [3, N] of a microfacet surface, per unit of the cosine-weighted light.

    Trowbridge-Reitz normals with the common fit visibility ~ 1 / (4 max(n.l, n.v, ..)): Walter et
    al. 2007, "Microfacet Models for Refraction", eq. 33; Karis 2013 for the Smith approximation.
    """
    alpha = np.square(roughness)
    half = normalize(to_eye + to_light)
    n_h = np.maximum(dot(normal, half), 0)
    n_l = np.maximum(dot(normal, to_light), np.float32(1e-3))
    n_v = np.maximum(dot(normal, to_eye), np.float32(1e-3))
    spread = n_h * n_h * (alpha * alpha - 1) + 1
    lobe = alpha * alpha / (np.float32(np.pi) * spread * spread)
    k = alpha / 2
    visibility = 1 / (4 * (n_l * (1 - k) + k) * (n_v * (1 - k) + k))
    fresnel = base + (1 - base) * (1 - np.maximum(dot(to_eye, half), 0)) ** 5
    return np.asarray(np.minimum(lobe * visibility, 6) * fresnel)


def tone_map(linear: Array) -> Array:  # [3, N] -> [3, N]
    """Linear light to display values 0..1: extended Reinhard (white at 4), then the sRGB curve."""
    x = np.maximum(linear, 0) * np.float32(0.9)
    x = np.clip(x * (1 + x / 16) / (1 + np.float32(0.45) * x), 0, 1)
    low = np.float32(12.92) * x
    return np.asarray(
        np.where(x < 0.0031308, low, 1.055 * x ** np.float32(1 / 2.4) - 0.055), np.float32
    )
