"""What a SOG is made of when it is written: version 2, its meta.json and its textures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.guidance import Sightings
from gscompress.gaussians import SH_C0, Array, Gaussians
from gscompress.io.codebook import (
    nearest_level,
    palette,
    palette_codebook,
    scalar_codebook,
    visibility,
)
from gscompress.io.quantised import Bytes, from_smallest_three, smallest_three, to_levels
from gscompress.io.seen_palette import SeenPalette
from gscompress.io.seen_shapes import UNSEEN, SeenShapes, least_seen, turn_per_component
from gscompress.io.sog_files import (
    ENTRIES_PER_ROW,
    FIRST_ROTATION,
    LEVELS,
    MAX_PALETTE,
    MODELS,
    encode_texture,
    texture_size,
)

__all__ = ["SogWriter", "palette_size"]

REACH = 2
"""Steps away from the nearest that a rotation may be."""

TOLERATED = 4
"""Of the error that rounding the constant terms makes: what rounding the palette may make."""


class SogWriter:
    """Fills meta.json and the textures, one attribute after the other."""

    def __init__(self, scene: Gaussians, effort: int, sightings: Sightings | None = None) -> None:
        self._scene = scene
        self._effort = effort
        self._shapes = None if sightings is None else SeenShapes.of(scene, sightings)
        self._weights = _weights(scene, sightings)
        self._opacities = scene.opacities.astype(np.float64)
        self._size = texture_size(len(scene))
        self.images: dict[str, bytes] = {}
        self.meta: dict[str, Any] = {
            "version": 2,
            "asset": {"generator": "gscompress"},
            "count": len(scene),
        }
        if scene.mode != "default":
            self.meta["model"] = MODELS[scene.mode]

    def _add(self, name: str, rgb: NDArray[Any], alpha: Bytes | int = 255) -> None:
        texels = np.empty((len(rgb), 4), np.uint8)
        texels[:, :3] = rgb
        texels[:, 3] = alpha
        self.images[name] = encode_texture(texels, *self._size, self._effort)

    def add_means(self) -> None:
        """Positions, 16 bits of the signed logarithm."""
        logs = _signed_log(self._scene.means.astype(np.float64))
        low = logs.min(axis=0) if len(logs) else np.zeros(3)
        high = logs.max(axis=0) if len(logs) else np.zeros(3)
        levels = to_levels((logs - low) / np.where(high > low, high - low, 1) * 65535, 65535)
        self._add("means_l.webp", levels & 0xFF)
        self._add("means_u.webp", levels >> 8)
        self.meta["means"] = {
            "mins": low.tolist(),
            "maxs": high.tolist(),
            "files": ["means_l.webp", "means_u.webp"],
        }

    def add_quats(self) -> None:
        """Rotations, three bytes and the index of the largest component."""
        largest, others = smallest_three(self._scene.quats)
        target = (others + 1) * 127.5
        levels = to_levels(target, 255)
        if self._shapes is not None:
            quats = from_smallest_three(largest, others).astype(np.float64)
            turns = turn_per_component(quats, largest) / (127.5 * np.sqrt(2))
            metric = np.swapaxes(turns, 1, 2) @ self._shapes.turns @ turns
            levels = least_seen(target, metric, 255, REACH).astype(np.uint32)
        self._add("quats.webp", levels, largest + FIRST_ROTATION)
        self.meta["quats"] = {"files": ["quats.webp"]}

    def add_scales(self) -> None:
        """Log-scales, from one codebook."""
        values = self._scene.log_scales
        if self._shapes is None:
            self._add("scales.webp", self._codebook("scales", values, self._weights[:, None]))
            return
        levels = self._codebook("scales", values, self._shapes.scales)
        self._add("scales.webp", levels)
        rounded = np.array(self.meta["scales"]["codebook"])[levels]
        self._opacities = self._shapes.opacities(self._scene, rounded)

    def add_colours(self, constant: Array) -> None:  # [N, 3]
        """Constant terms, from one codebook, and opacities."""
        levels = self._codebook("sh0", constant, self._weights[:, None])
        opacities = to_levels(self._opacities * 255, 255)
        self._add("sh0.webp", levels, opacities.astype(np.uint8))

    def _codebook(self, name: str, values: Array, weights: NDArray[np.float64]) -> Bytes:  # [N, 3]
        each = np.broadcast_to(weights, values.shape).ravel()
        book = scalar_codebook(values.ravel(), each, LEVELS)
        self.meta[name] = {"codebook": shortest(book), "files": [f"{name}.webp"]}
        return nearest_level(values, book)

    def add_sh(self, size: int) -> None:
        """Higher spherical harmonics, from a palette whose numbers are from a codebook."""
        n, k = len(self._scene), self._scene.sh.shape[1] - 1
        vectors = self._scene.sh[:, 1:].reshape(n, 3 * k)
        entries, labels = palette(vectors, self._weights, size)
        book = palette_codebook(vectors, self._weights, entries, labels, LEVELS)
        self._add_palette(nearest_level(entries, book).reshape(-1, k, 3), labels, book)

    def add_seen(self, sightings: Sightings, size: int) -> None:
        """Constant terms and higher ones, so that the cameras see as little error as can be."""
        sh = self._scene.sh
        found = SeenPalette.fit(self._scene, sightings, size)
        book = found.codebook(self._tolerable(sightings), LEVELS)
        levels = nearest_level(found.entries, book)
        self.add_colours(found.made_up(book[levels], sh))
        self._add_palette(levels, found.labels, book)

    def _tolerable(self, sightings: Sightings) -> float:
        """Squared error of all images that rounding the palette may add."""
        constant = self._scene.sh[:, 0]
        book = scalar_codebook(constant.ravel(), np.repeat(self._weights, 3), LEVELS)
        error = constant - book[nearest_level(constant, book)]
        seen = sightings.visibility() @ np.sum(error.astype(np.float64) ** 2, axis=1)
        return float(TOLERATED * SH_C0**2 * seen)

    def _add_palette(self, levels: Bytes, labels: NDArray[np.intp], book: Array) -> None:
        """Textures of a palette [W, k, 3] and of who has which entry [N]."""
        count, k = levels.shape[:2]
        rows = -(-count // ENTRIES_PER_ROW)
        texels = np.full((rows * ENTRIES_PER_ROW * k, 4), 255, np.uint8)
        texels[: count * k, :3] = levels.reshape(-1, 3)
        self.images["shN_centroids.webp"] = encode_texture(
            texels, ENTRIES_PER_ROW * k, rows, self._effort
        )
        self._add("shN_labels.webp", np.stack([labels & 0xFF, labels >> 8, labels * 0], axis=1))
        self.meta["shN"] = {
            "count": count,
            "bands": self._scene.sh_degree,
            "codebook": shortest(book),
            "files": ["shN_centroids.webp", "shN_labels.webp"],
        }


def palette_size(count: int) -> int:
    """Entries for a scene: the largest power of two that is not above the number of Gaussians."""
    return min(MAX_PALETTE, 1 << max(count.bit_length() - 1, 0))


def shortest(book: Array) -> list[float]:
    """The numbers with as few digits as tell them apart as float32."""
    return [float(str(level)) for level in book]


def _weights(scene: Gaussians, sightings: Sightings | None) -> NDArray[np.float64]:  # [N]
    """How much an error of a Gaussian counts."""
    if sightings is None:
        return visibility(scene)
    seen = sightings.visibility()
    return np.asarray(np.maximum(seen, UNSEEN * seen.sum() / max(len(seen), 1) + 1e-30))


def _signed_log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.copysign(np.log1p(np.abs(values)), values))
