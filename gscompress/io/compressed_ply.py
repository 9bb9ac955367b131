"""Compressed PLY of PlayCanvas (SuperSplat): 16 bytes per Gaussian, ranges per chunk of 256.

Elements: ``chunk``, the range of positions, log-scales and colours of 256 Gaussians each;
``vertex``, four packed uint32; ``sh``, one byte per coefficient (channel-major, as in a PLY of the
INRIA trainer). Opacities of 0 and 255 are infinite logits and read as `gscompress.io.ply` has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from gscompress.errors import InputError
from gscompress.gaussians import SH_C0, Array, Gaussians
from gscompress.io.atomic import atomic_write
from gscompress.io.ply_header import PlyHeader, read_header
from gscompress.io.ply_rows import read_blocks
from gscompress.io.quantised import (
    Bytes,
    byte_logits,
    from_smallest_three,
    morton_order,
    opacity_bytes,
    outside,
    say_losses,
    smallest_three,
    to_levels,
    with_carried,
)

__all__ = ["CompressedPlyFormat"]

CHUNK = 256
SCALE_LIMIT = 20.0
"""Log-scales are clamped to +- this, as the format's own writer does."""

SH_RANGE = (-4.0, 4.0)

_GROUPS = {
    "position": ("x", "y", "z"),
    "scale": ("scale_x", "scale_y", "scale_z"),
    "colour": ("r", "g", "b"),
}
_RANGES = {
    group: tuple(f"{end}_{axis}" for end in ("min", "max") for axis in axes)
    for group, axes in _GROUPS.items()
}
"""The properties of a chunk."""

_VERTEX = ("packed_position", "packed_rotation", "packed_scale", "packed_color")
_SH_COUNTS = (0, 9, 24, 45)


@dataclass(frozen=True)
class CompressedPlyFormat:
    """Reads all variants (with and without colour ranges), writes the newest. SH degrees 0 to 3."""

    id: ClassVar[str] = "compressed-ply"
    extensions: ClassVar[tuple[str, ...]] = (".compressed.ply",)

    def sniff(self, head: bytes) -> bool:
        """Whether ``head`` starts a PLY whose vertices are packed."""
        return re.match(rb"ply[ \t]*[\r\n]", head) is not None and b"packed_position" in head

    def load(self, path: Path) -> Gaussians:
        """Read a scene.

        Raises:
            InputError: Names the element at fault.
        """
        header = read_header(path)
        if header.text:
            raise InputError(path, "header", found="a text PLY", expected="a binary PLY")
        count = header.table("vertex").count
        ranges = _chunks(header, count)
        vertex = _table(header, "vertex", _VERTEX, np.uint32)
        chunk = np.arange(count) // CHUNK

        def lerp(group: str, shares: NDArray[np.float64]) -> NDArray[np.float64]:
            low, high = ranges[group]
            return np.asarray(low[chunk] * (1 - shares) + high[chunk] * shares)

        colour = _unpack(vertex[:, 3], (8, 8, 8, 8))
        rest = _sh_rest(header, count)
        sh = np.empty((count, 1 + rest.shape[1], 3), np.float32)
        sh[:, 0] = (lerp("colour", colour[:, :3]) - 0.5) / SH_C0
        sh[:, 1:] = rest
        others = _unpack(vertex[:, 1], (2, 10, 10, 10))[:, 1:] * 2 - 1
        return Gaussians(
            means=lerp("position", _unpack(vertex[:, 0], (11, 10, 11))).astype(np.float32),
            quats=from_smallest_three(vertex[:, 1] >> np.uint32(30), others),
            log_scales=lerp("scale", _unpack(vertex[:, 2], (11, 10, 11))).astype(np.float32),
            opacity_logits=byte_logits((vertex[:, 3] & np.uint32(0xFF)).astype(np.uint8)),
            sh=sh,
        )

    def parts(self, path: Path) -> dict[str, int]:
        """Bytes of each attribute; those of colours and opacities are one number."""
        header = read_header(path)
        count = header.table("vertex").count
        sizes = {"means": 4 * count, "quats": 4 * count, "scales": 4 * count}
        sizes |= {"sh0": 3 * count, "opacities": count}
        harmonics = (table for table in header.tables if table.name == "sh")
        return sizes | {"shN": sum(table.count * table.dtype.itemsize for table in harmonics)}

    def save(self, scene: Gaussians, path: Path) -> None:
        """Write a scene, in Morton order; warns of what the format cannot carry."""
        losses: list[str] = []
        scene = with_carried(scene, 3, ("default",), losses)
        outside(scene.log_scales, -SCALE_LIMIT, SCALE_LIMIT, "log-scales", losses)
        outside(scene.sh[:, 1:], *SH_RANGE, "spherical harmonics", losses)
        say_losses(path, "compressed PLY", losses)
        scene = scene.select(morton_order(scene.means))
        fields = (
            (scene.means, (11, 10, 11)),
            (np.clip(scene.log_scales, -SCALE_LIMIT, SCALE_LIMIT), (11, 10, 11)),
            (scene.sh[:, 0] * np.float32(SH_C0) + np.float32(0.5), (8, 8, 8)),
        )
        ranges, packed = [], []
        for values, bits in fields:
            low, high = _ranges(values)
            ranges += [low, high]
            packed.append(_pack(_shares(values, low, high), bits))
        largest, others = smallest_three(scene.quats)
        rotation = (largest.astype(np.uint32) << 30) | _pack(others / 2 + 0.5, (10, 10, 10))
        colour = (packed[2] << 8) | opacity_bytes(scene)
        vertex = np.stack([packed[0], rotation, packed[1], colour], axis=1).astype("<u4")
        _write(path, np.concatenate(ranges, axis=1), vertex, _sh_bytes(scene.sh))


def _table(header: PlyHeader, name: str, names: tuple[str, ...], kind: type) -> NDArray[Any]:
    """Some columns of an element, all of one type: [rows, len(names)]."""
    table = header.table(name)
    for wanted in names:
        found = table.dtype[wanted] if wanted in table.properties else None
        if found is None or found.newbyteorder("=") != np.dtype(kind):
            raise InputError(
                header.path,
                f"element {name}, property {wanted}",
                found="no such property" if found is None else found,
                expected=f"numbers of type {np.dtype(kind)}",
                remedy="Export the scene again.",
            )
    columns = [table.properties.index(wanted) for wanted in names]
    out: NDArray[Any] = np.empty((table.count, len(names)), kind)
    read = read_blocks(header, table)
    for first, block in read:
        rows = slice(first, first + len(block))
        if block.dtype.names is None:
            out[rows] = block[:, columns]
        else:
            for i, wanted in enumerate(names):
                out[rows, i] = block[wanted]
    return out


def _chunks(header: PlyHeader, count: int) -> dict[str, tuple[NDArray[np.float64], ...]]:
    """The ranges of the chunks: group -> lowest and highest values, [chunks, 3] each."""
    table = header.table("chunk")
    if table.count < -(-count // CHUNK):
        raise InputError(
            header.path,
            "element chunk",
            found=f"{table.count} rows",
            expected=f"{-(-count // CHUNK)} rows for {count} Gaussians",
            remedy="The file is damaged: export it again.",
        )
    groups = dict(_RANGES)
    if "min_r" not in table.properties:  # files from before 2024
        del groups["colour"]
    names = tuple(name for group in groups.values() for name in group)
    values = _table(header, "chunk", names, np.float32).astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.unravel_index(int(np.argmin(finite)), finite.shape)
        raise InputError(
            header.path,
            f"element chunk, property {names[column]}, row {row}",
            found=values[row, column],
            expected="a finite number",
            remedy="The file is damaged: export it again.",
        )
    parts = np.split(values, 2 * len(groups), axis=1)
    ranges = {group: (parts[2 * i], parts[2 * i + 1]) for i, group in enumerate(groups)}
    none = np.zeros((table.count, 3))
    return {"colour": (none, none + 1), **ranges}


def _sh_rest(header: PlyHeader, count: int) -> Array:  # [N, K - 1, 3]
    if all(table.name != "sh" for table in header.tables):
        return np.empty((count, 0, 3), np.float32)
    table = header.table("sh")
    names = [name for name in table.properties if re.fullmatch(r"f_rest_[0-9]+", name)]
    if table.count != count or len(names) not in _SH_COUNTS[1:]:
        raise InputError(
            header.path,
            "element sh",
            found=f"{table.count} rows of {len(names)} coefficients",
            expected=f"{count} rows of 9, 24 or 45 coefficients",
            remedy="The file is damaged: export it again.",
        )
    names = [f"f_rest_{i}" for i in range(len(names))]
    data = _table(header, "sh", tuple(names), np.uint8).reshape(count, 3, len(names) // 3)
    return np.asarray(_SH_VALUES[data.transpose(0, 2, 1)])


def _sh_values() -> Array:  # [256]
    """What the bytes stand for: the middle of their bin, the ends of the range for 0 and 255."""
    shares = (np.arange(256) + 0.5) / 256
    shares[[0, 255]] = 0, 1
    return ((shares - 0.5) * (SH_RANGE[1] - SH_RANGE[0])).astype(np.float32)


_SH_VALUES = _sh_values()
_SH_BOUNDS = (_SH_VALUES[1:] + _SH_VALUES[:-1]) / 2


def _sh_bytes(sh: Array) -> Bytes:  # [N, 3 * (K - 1)]
    """The bytes whose values are nearest, channel by channel."""
    rest = sh[:, 1:].transpose(0, 2, 1).reshape(len(sh), 3 * (sh.shape[1] - 1))
    return np.searchsorted(_SH_BOUNDS, rest, side="right").astype(np.uint8)


def _ranges(values: Array) -> tuple[Array, Array]:  # [chunks, 3] each
    if len(values) == 0:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)
    starts = np.arange(0, len(values), CHUNK)
    return np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def _shares(values: Array, low: Array, high: Array) -> NDArray[np.float64]:
    """Values as shares of their chunk's range, 0..1."""
    chunk = np.arange(len(values)) // CHUNK
    span = high.astype(np.float64) - low
    return np.asarray((values - low[chunk].astype(np.float64)) / np.where(span > 0, span, 1)[chunk])


def _pack(shares: NDArray[np.float64], widths: tuple[int, ...]) -> NDArray[np.uint32]:  # [N]
    """Numbers in 0..1 as unsigned fields, the first in the highest bits."""
    packed = np.zeros(len(shares), np.uint32)
    for column, width in enumerate(widths):
        top = (1 << width) - 1
        packed = (packed << np.uint32(width)) | to_levels(shares[:, column] * top, top)
    return packed


def _unpack(packed: NDArray[np.uint32], widths: tuple[int, ...]) -> NDArray[np.float64]:
    """The inverse of `_pack`: [N, fields]."""
    out = np.empty((len(packed), len(widths)))
    shift = 0
    for column, width in reversed(list(enumerate(widths))):
        top = (1 << width) - 1
        out[:, column] = ((packed >> np.uint32(shift)) & np.uint32(top)) / top
        shift += width
    return out


def _write(path: Path, ranges: Array, vertex: NDArray[np.uint32], sh: Bytes) -> None:
    names = [name for group in _RANGES.values() for name in group]
    tables = [
        ("chunk", names, ranges.astype("<f4")),
        ("vertex", list(_VERTEX), vertex),
        ("sh", [f"f_rest_{i}" for i in range(sh.shape[1])], sh),
    ]
    tables = [table for table in tables if table[1]]
    elements = []
    for name, properties, values in tables:
        row = np.zeros((), [(property_, values.dtype) for property_ in properties])
        elements.append(PlyElement.describe(np.broadcast_to(row, len(values)), name))
    head = PlyData(elements, byte_order="<").header
    with atomic_write(path, overwrite=True) as out:
        out.write(head.encode("ascii") + b"\n")
        for _, _, values in tables:
            out.write(values.tobytes())
