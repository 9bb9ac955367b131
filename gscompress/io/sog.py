"""SOG (PlayCanvas): attributes as lossless WebP textures and a meta.json, in a zip or a folder.

Version 2 has codebooks of 256 numbers for log-scales, colours and spherical harmonics, and a
palette of coefficients. Version 1 divides ranges instead. Specification:
developer.playcanvas.com, "SOG format".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import ConfigError, InputError
from gscompress.gaussians import Array, Gaussians, Mode
from gscompress.io.codebook import (
    nearest_level,
    palette,
    palette_codebook,
    scalar_codebook,
    visibility,
)
from gscompress.io.quantised import (
    Bytes,
    byte_logits,
    from_smallest_three,
    morton_order,
    opacity_bytes,
    say_losses,
    smallest_three,
    to_levels,
    with_carried,
)
from gscompress.io.sog_files import (
    META,
    Levels,
    SogFiles,
    encode_texture,
    texture_size,
    write_zip,
)

__all__ = ["SogFormat"]

LEVELS = 256
ENTRIES_PER_ROW = 64
MAX_PALETTE = 1 << 16
FIRST_ROTATION = 252
"""Alpha of a rotation whose largest component is w; up to 255 for z."""

_COEFFICIENTS = (0, 3, 8, 15)
_MODELS: dict[Mode, str] = {"mip": "antialiased", "2dgs": "2dgs"}


@dataclass(frozen=True)
class SogFormat:
    """Reads versions 1 (folder) and 2 (zip and folder), writes 2 (zip). SH degrees 0 to 3.

    A folder is named by its meta.json.

    Attributes:
        palette: Most entries of the palette of spherical harmonics; fewer for small scenes.
        effort: Of the WebP encoder, 0 to 6.
    """

    id: ClassVar[str] = "sog"
    extensions: ClassVar[tuple[str, ...]] = (".sog", META)

    palette: int = MAX_PALETTE
    effort: int = 4

    def __post_init__(self) -> None:
        for name, low, high in (("palette", 1, MAX_PALETTE), ("effort", 0, 6)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError("sog", name, found=getattr(self, name), expected=f"{low}..{high}")

    def sniff(self, head: bytes) -> bool:
        """Whether ``head`` starts a zip with textures, or such a meta.json."""
        if head.startswith(b"PK\3\4"):
            return b"meta.json" in head or b".webp" in head
        return head.lstrip().startswith(b"{") and b'"means"' in head and b"webp" in head

    def files(self, path: Path) -> list[Path]:
        """The zip, or all files of a folder."""
        if path.read_bytes()[:2] == b"PK":
            return [path]
        return [path, *(path.parent / name for name in SogFiles(path).names())]

    def load(self, path: Path) -> Gaussians:
        """Read a scene from a zip, or from a folder by its meta.json.

        Raises:
            InputError: Names the file in the zip or folder.
        """
        files = SogFiles(path)
        meta = files.meta
        colour = files.texture(meta.sh0.files[0])
        if meta.version == 1:
            values = _levels(files, "sh0", meta.sh0, colour)
            dc, logits = values[:, :3], values[:, 3]
        else:
            dc = _levels(files, "sh0", meta.sh0, colour[:, :3])
            logits = byte_logits(colour[:, 3])
        modes = {model: mode for mode, model in _MODELS.items()}
        rest = _read_sh(files)
        scene = Gaussians(
            means=_read_means(files),
            quats=_read_quats(files),
            log_scales=_levels(
                files, "scales", meta.scales, files.texture(meta.scales.files[0])[:, :3]
            ),
            opacity_logits=logits,
            sh=np.concatenate([dc[:, None], rest], axis=1),
            mode="mip" if meta.antialias else modes.get(meta.model or "", "default"),
        )
        scene.validate(str(path))
        return scene

    def save(self, scene: Gaussians, path: Path) -> None:
        """Write a zip, in Morton order; warns of what the format cannot carry.

        Raises:
            InputError: ``path`` is a meta.json: folders are read only.
        """
        if path.name.lower() == META:
            raise InputError(
                path,
                found="the name of a SOG folder's description",
                expected="a name that ends with .sog",
                remedy="Folders are read only: write a .sog, which is one file.",
            )
        losses: list[str] = []
        scene = with_carried(scene, 3, ("default", "mip", "2dgs"), losses)
        say_losses(path, "SOG", losses)
        scene = scene.select(morton_order(scene.means))
        writer = _Writer(scene, self.effort)
        writer.add_means()
        writer.add_quats()
        writer.add_scales()
        writer.add_colours()
        if scene.sh_degree and len(scene):
            writer.add_sh(min(self.palette, _palette_size(len(scene))))
        write_zip(path, writer.meta, writer.images)


class _Writer:
    """Fills meta.json and the textures, one attribute after the other."""

    def __init__(self, scene: Gaussians, effort: int) -> None:
        self._scene = scene
        self._effort = effort
        self._weights = visibility(scene)
        self._size = texture_size(len(scene))
        self.images: dict[str, bytes] = {}
        self.meta: dict[str, Any] = {
            "version": 2,
            "asset": {"generator": "gscompress"},
            "count": len(scene),
        }
        if scene.mode != "default":
            self.meta["model"] = _MODELS[scene.mode]

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
        self._add("quats.webp", to_levels((others + 1) * 127.5, 255), largest + FIRST_ROTATION)
        self.meta["quats"] = {"files": ["quats.webp"]}

    def add_scales(self) -> None:
        """Log-scales, from one codebook."""
        levels = self._codebook("scales", self._scene.log_scales)
        self._add("scales.webp", levels)

    def add_colours(self) -> None:
        """Constant terms, from one codebook, and opacities."""
        levels = self._codebook("sh0", self._scene.sh[:, 0])
        self._add("sh0.webp", levels, opacity_bytes(self._scene))

    def _codebook(self, name: str, values: Array) -> Bytes:  # [N, 3]
        weights = np.repeat(self._weights, values.shape[1])
        book = scalar_codebook(values.ravel(), weights, LEVELS)
        self.meta[name] = {"codebook": book.tolist(), "files": [f"{name}.webp"]}
        return nearest_level(values, book)

    def add_sh(self, size: int) -> None:
        """Higher spherical harmonics, from a palette whose numbers are from a codebook."""
        n, k = len(self._scene), self._scene.sh.shape[1] - 1
        vectors = self._scene.sh[:, 1:].reshape(n, 3 * k)
        entries, labels = palette(vectors, self._weights, size)
        book = palette_codebook(vectors, self._weights, entries, labels, LEVELS)
        rows = -(-len(entries) // ENTRIES_PER_ROW)
        texels = np.full((rows * ENTRIES_PER_ROW * k, 4), 255, np.uint8)
        texels[: len(entries) * k, :3] = nearest_level(entries, book).reshape(-1, 3)
        self.images["shN_centroids.webp"] = encode_texture(
            texels, ENTRIES_PER_ROW * k, rows, self._effort
        )
        self._add("shN_labels.webp", np.stack([labels & 0xFF, labels >> 8, labels * 0], axis=1))
        self.meta["shN"] = {
            "count": len(entries),
            "bands": self._scene.sh_degree,
            "codebook": book.tolist(),
            "files": ["shN_centroids.webp", "shN_labels.webp"],
        }


def _palette_size(count: int) -> int:
    """Entries for a scene: a power of two times 1024, about as many as there are Gaussians."""
    return min(MAX_PALETTE, max(1, 1 << (count.bit_length() - 1)))


def _signed_log(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.copysign(np.log1p(np.abs(values)), values))


def _levels(files: SogFiles, name: str, levels: Levels, indices: Bytes) -> Array:
    """Bytes [..., C] as the numbers that they stand for."""
    if files.meta.version == 2:
        if levels.codebook is None:
            raise files.damaged(META, f"{name} without a codebook", "up to 256 numbers")
        book = np.full(LEVELS, np.nan, np.float32)
        with np.errstate(over="ignore"):  # what is not finite is refused with its row
            book[: len(levels.codebook)] = np.array(levels.codebook, np.float64)
        return np.asarray(book[indices])
    low, high = _range(files, name, levels.mins), _range(files, name, levels.maxs)
    if low.size not in (1, indices.shape[-1]) or high.size != low.size:
        found = f"{name} with {low.size} and {high.size} ends of ranges"
        raise files.damaged(META, found, f"1 or {indices.shape[-1]}")
    with np.errstate(over="ignore", invalid="ignore"):
        return (low + (high - low) * (indices / 255.0)).astype(np.float32)


def _range(files: SogFiles, name: str, ends: list[float] | float | None) -> NDArray[np.float64]:
    if ends is None:
        raise files.damaged(META, f"{name} without mins and maxs", "the range of its values")
    return np.atleast_1d(np.array(ends, np.float64))


def _read_means(files: SogFiles) -> Array:  # [N, 3]
    means = files.meta.means
    low, high = (files.texture(name)[:, :3].astype(np.uint32) for name in means.files)
    shares = (low | high << np.uint32(8)) / 65535.0
    first, last = np.array(means.mins), np.array(means.maxs)
    with np.errstate(over="ignore", invalid="ignore"):
        logs = first * (1 - shares) + last * shares
        return np.asarray(np.copysign(np.expm1(np.abs(logs)), logs), dtype=np.float32)


def _read_quats(files: SogFiles) -> Array:  # [N, 4]
    name = files.meta.quats.files[0]
    texels = files.texture(name)
    if len(texels) and int(texels[:, 3].min()) < FIRST_ROTATION:
        row = int(np.argmin(texels[:, 3]))
        found = f"alpha {texels[row, 3]} in texel {row}"
        raise files.damaged(name, found, f"{FIRST_ROTATION} to 255")
    return from_smallest_three(texels[:, 3] - FIRST_ROTATION, texels[:, :3] / 127.5 - 1)


def _read_sh(files: SogFiles) -> Array:  # [N, K - 1, 3]
    rest = files.meta.shN
    if rest is None:
        return np.empty((files.count, 0, 3), np.float32)
    if len(rest.files) != 2:
        raise files.damaged(META, f"shN with {len(rest.files)} files", "palette and labels")
    if files.meta.version == 2:
        k = _COEFFICIENTS[rest.bands]
    else:
        k = {9: 3, 24: 8, 45: 15}.get(rest.shape[-1] if rest.shape else 0, 0)
    if not k:
        raise files.damaged(META, "shN without coefficients", "1 to 3 bands")
    most = MAX_PALETTE * k
    texels = files.image(rest.files[0], most)
    if texels.shape[1] != ENTRIES_PER_ROW * k:
        raise files.damaged(
            rest.files[0], f"a width of {texels.shape[1]}", f"{ENTRIES_PER_ROW * k}"
        )
    indices = texels[:, :, :3].reshape(-1, k, 3)
    if files.meta.version == 2 and rest.count:
        indices = indices[: rest.count]
    labels = files.texture(rest.files[1])[:, :2].astype(np.intp)
    chosen = labels[:, 0] | labels[:, 1] << 8
    if len(chosen) and int(chosen.max()) >= len(indices):
        row = int(np.argmax(chosen))
        raise files.damaged(
            rest.files[1], f"label {chosen[row]} in texel {row}", f"below {len(indices)}"
        )
    entries = _levels(files, "shN", rest, indices.reshape(len(indices), 3 * k))
    return np.asarray(entries.reshape(len(indices), k, 3)[chosen])
