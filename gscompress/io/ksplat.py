"""The .ksplat format of GaussianSplats3D (mkkellogg), read only: compression levels 0 to 2.

A header of 4096 bytes, one of 1024 bytes per section, then the sections: buckets (the lengths of
those that are not full, and their centres), then one row per Gaussian. Rows hold position, linear
scale, rotation (wxyz), colour and opacity in bytes, and the harmonics, which go degree by degree,
and within a degree channel by channel. Level 0 is float32; from level 1 positions are uint16 steps
from the centre of a bucket, the rest float16; level 2 has harmonics in bytes.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError
from gscompress.files import open_input
from gscompress.gaussians import SH_C0, Array, Gaussians
from gscompress.io.quantised import byte_logits

__all__ = ["KsplatFormat"]

HEADER_BYTES = 4096
SECTION_BYTES = 1024
SCALE_RANGE = 32767
"""Steps on each side of a bucket's centre, where the file does not say."""

SH_LIMIT = 1.5
"""Range of harmonics in bytes, where the file does not say."""

SMALLEST_SCALE = np.float32(np.exp(-20.0))
"""Stands for a scale of 0, which has no logarithm; float16 knows none below 6e-8."""

_HEADER = struct.Struct("<BBxxIIIIHxx3fff")
_SECTION = struct.Struct("<IIIIfHxxIIIIH")
_NUMBERS = ("<f4", "<f2", "<f2")
_SH_NUMBERS = ("<f4", "<f2", "u1")
_SH_COUNTS = (0, 9, 24, 45)
_DAMAGED = "The file is cut short or damaged: copy or export it again."


class _Section(NamedTuple):
    """A section's header, as far as it counts."""

    used: int
    room: int
    bucket_size: int
    buckets: int
    block: float
    bucket_bytes: int
    steps: int
    stored: int
    full: int
    partial: int
    degree: int


@dataclass(frozen=True)
class KsplatFormat:
    """SH degrees 0 to 3. Nothing marks such a file but its name."""

    id: ClassVar[str] = "ksplat"
    extensions: ClassVar[tuple[str, ...]] = (".ksplat",)

    def sniff(self, head: bytes) -> bool:
        """Nothing that others could not start with."""
        return False

    def load(self, path: Path) -> Gaussians:
        """Read a scene.

        Raises:
            InputError: Names the section at fault.
        """
        with open_input(path) as file:
            data = file.read(os.fstat(file.fileno()).st_size)
        if len(data) < HEADER_BYTES:
            raise InputError(path, found=f"{len(data)} bytes", expected="a .ksplat")
        major, minor, room, _, _, _, level, *rest = _HEADER.unpack_from(data)
        if (major, minor) < (0, 1) or major or level >= len(_NUMBERS):
            raise InputError(
                path,
                "header",
                found=f"version {major}.{minor}, level {level}",
                expected="version 0.1, level 0 to 2",
                remedy="The file is damaged, or no .ksplat.",
            )
        start = HEADER_BYTES + room * SECTION_BYTES
        if start > len(data):  # writers fill in the number of sections, or only the room for them
            raise _wrong(path, "header", f"{room} sections", "as many as fit")
        low, high = rest[-2] or -SH_LIMIT, rest[-1] or SH_LIMIT
        parts = []
        for number in range(room):
            head = _Section(*_SECTION.unpack_from(data, HEADER_BYTES + number * SECTION_BYTES))
            where = f"section {number}"
            rows, buckets, start = _tables(path, where, data, start, head, level)
            parts.append(_decode(path, where, rows, buckets, head, (low, high)))
        if not parts:
            raise _wrong(path, "header", "no sections", "one or more")
        most = max(part.sh.shape[1] for part in parts)
        grown = [
            p.replace(sh=np.pad(p.sh, ((0, 0), (0, most - p.sh.shape[1]), (0, 0)))) for p in parts
        ]
        scene = Gaussians.concat(grown)
        scene.validate(str(path))
        return scene

    def save(self, scene: Gaussians, path: Path) -> None:
        """Refuse: the format is read only.

        Raises:
            InputError: Always.
        """
        raise InputError(
            path,
            found="a .ksplat to be written",
            expected="a format that is written",
            remedy="Use .spz or .sog, which are smaller and which viewers know too.",
        )


def _wrong(path: Path, where: str, found: object, expected: object) -> InputError:
    return InputError(path, where, found=found, expected=expected, remedy=_DAMAGED)


def _row(level: int, degree: int) -> np.dtype[Any]:
    number, harmonics = _NUMBERS[level], _SH_NUMBERS[level]
    return np.dtype(
        [
            ("means", "<u2" if level else "<f4", 3),
            ("scales", number, 3),
            ("quats", number, 4),
            ("rgba", "u1", 4),
            ("sh", harmonics, _SH_COUNTS[degree]),
        ]
    )


def _tables(
    path: Path, where: str, data: bytes, start: int, head: _Section, level: int
) -> tuple[NDArray[Any], tuple[NDArray[np.uint32], NDArray[np.float64]], int]:
    """Rows, lengths of buckets and their centres, and where the next section starts."""
    if head.degree >= len(_SH_COUNTS):
        raise _wrong(path, where, f"SH degree {head.degree}", "0 to 3")
    row = _row(level, head.degree)
    centres_at = start + 4 * head.partial
    rows_at = centres_at + head.bucket_bytes * head.buckets
    end = rows_at + row.itemsize * head.room
    if end > len(data) or head.used > head.room:
        found = f"{head.used} of {head.room} Gaussians up to byte {end}"
        raise _wrong(path, where, found, f"at most {len(data)} bytes")
    rows = np.frombuffer(data, row, head.used, rows_at)
    if not level:
        return rows, (np.zeros(0, np.uint32), np.zeros((0, 3))), end
    if head.bucket_bytes != 12 or head.full + head.partial > head.buckets:
        found = f"{head.full} and {head.partial} of {head.buckets} buckets of {head.bucket_bytes}"
        raise _wrong(path, where, found, "no more than there are, of 12 bytes")
    lengths = np.frombuffer(data, "<u4", head.partial, start)
    if head.full and not 0 < head.bucket_size <= max(head.used, 1):
        raise _wrong(path, where, f"buckets of {head.bucket_size}", f"1 to {head.used}")
    centres = np.frombuffer(data, "<f4", 3 * head.buckets, centres_at).reshape(-1, 3)
    with np.errstate(invalid="ignore"):  # what is not finite is refused with its row
        return rows, (lengths, centres.astype(np.float64)), end


def _decode(
    path: Path,
    where: str,
    rows: NDArray[Any],
    buckets: tuple[NDArray[np.uint32], NDArray[np.float64]],
    head: _Section,
    sh_range: tuple[float, float],
) -> Gaussians:
    means = rows["means"]
    if means.dtype.kind == "u":
        lengths, centres = buckets
        ends = np.cumsum(lengths, dtype=np.int64) + head.full * head.bucket_size
        index = np.arange(len(rows))
        bucket = index // max(head.bucket_size, 1)
        late = index >= head.full * head.bucket_size
        bucket[late] = head.full + np.searchsorted(ends, index[late], side="right")
        if len(rows) and int(bucket.max()) >= len(centres):
            raise _wrong(path, where, f"{len(centres)} buckets", f"enough for {len(rows)}")
        steps = head.steps or SCALE_RANGE
        with np.errstate(all="ignore"):  # what is not finite is refused with its row
            offsets = (means.astype(np.float64) - steps) * (head.block / 2 / steps)
            means = offsets + centres[bucket]
    scales = rows["scales"].astype(np.float32)
    if not (scales >= 0).all():
        row = int(np.argmin((scales >= 0).all(axis=1)))
        raise _wrong(path, f"{where}, scale, row {row}", scales[row].tolist(), "0 or more")
    with np.errstate(all="ignore"):
        return Gaussians(
            means=means.astype(np.float32),
            quats=rows["quats"].astype(np.float32),
            log_scales=np.log(np.maximum(scales, SMALLEST_SCALE)),
            opacity_logits=byte_logits(rows["rgba"][:, 3]),
            sh=_harmonics(rows, head.degree, sh_range),
        )


def _harmonics(rows: NDArray[Any], degree: int, sh_range: tuple[float, float]) -> Array:
    sh = np.empty((len(rows), (degree + 1) ** 2, 3), np.float32)
    sh[:, 0] = (rows["rgba"][:, :3] / 255.0 - 0.5) / SH_C0
    values = rows["sh"].astype(np.float32)
    if rows["sh"].dtype.kind == "u":
        low, high = sh_range
        values = values / np.float32(255) * np.float32(high - low) + np.float32(low)
    for band in range(1, degree + 1):
        width = 2 * band + 1
        part = values[:, 3 * (band * band - 1) : 3 * ((band + 1) ** 2 - 1)]
        sh[:, band * band : (band + 1) ** 2] = part.reshape(-1, 3, width).transpose(0, 2, 1)
    return sh
