"""SOG (PlayCanvas): attributes as lossless WebP textures and a meta.json, in a zip or a folder.

Version 2 has codebooks of 256 numbers for log-scales, colours and spherical harmonics, and a
palette of coefficients. Version 1 divides ranges instead. Specification:
developer.playcanvas.com, "SOG format".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.guidance import Sightings
from gscompress.errors import ConfigError, InputError
from gscompress.gaussians import Array, Gaussians
from gscompress.io.quantised import (
    Bytes,
    byte_logits,
    from_smallest_three,
    morton_order,
    say_losses,
    with_carried,
)
from gscompress.io.sog_files import (
    COEFFICIENTS,
    ENTRIES_PER_ROW,
    FIRST_ROTATION,
    LEVELS,
    MAX_PALETTE,
    META,
    MODELS,
    Levels,
    SogFiles,
    write_zip,
)
from gscompress.io.sog_writer import SogWriter, palette_size

__all__ = ["SogFormat"]


@dataclass(frozen=True)
class SogFormat:
    """Reads versions 1 (folder) and 2 (zip and folder), writes 2 (zip). SH degrees 0 to 3.

    A folder is named by its meta.json.

    Attributes:
        palette: Most entries of the palette of spherical harmonics; fewer for small scenes.
        effort: Of the WebP encoder, 0 to 6.
        sightings: From where the Gaussians are seen, in the order of the scene to be written: what
            nobody sees of their harmonics is then left out, which the images gain from.
    """

    id: ClassVar[str] = "sog"
    extensions: ClassVar[tuple[str, ...]] = (".sog", META)

    palette: int = MAX_PALETTE
    effort: int = 4
    sightings: Sightings | None = None

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
        modes = {model: mode for mode, model in MODELS.items()}
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

    def parts(self, path: Path) -> dict[str, int]:
        """Bytes of each attribute's textures; opacities are in those of ``sh0``."""
        files = SogFiles(path)
        sizes: dict[str, int] = {}
        for group in ("means", "quats", "scales", "sh0", "shN"):
            part = getattr(files.meta, group)
            if part is not None:
                sizes[group] = sum(files.stored_bytes(name) for name in part.files)
        return sizes

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
        order = morton_order(scene.means)
        scene = scene.select(order)
        seen = None if self.sightings is None else self.sightings.select(order)
        writer = SogWriter(scene, self.effort, seen)
        writer.add_means()
        writer.add_quats()
        writer.add_scales()
        size = min(self.palette, palette_size(len(scene)))
        if not (scene.sh_degree and len(scene)):
            writer.add_colours(scene.sh[:, 0])
        elif seen is None:
            writer.add_colours(scene.sh[:, 0])
            writer.add_sh(size)
        else:
            writer.add_seen(seen, size)
        write_zip(path, writer.meta, writer.images)


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
        k = COEFFICIENTS[rest.bands]
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
