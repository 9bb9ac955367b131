"""The files of a SOG: meta.json and textures in a zip or a folder. Knows nothing of Gaussians.

Every image is refused by its header before it is decoded if it is larger than the count allows.
"""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gscompress.errors import InputError
from gscompress.files import read_input
from gscompress.gaussians import Mode
from gscompress.io.atomic import atomic_write
from gscompress.io.quantised import Bytes, check_count

__all__ = [
    "COEFFICIENTS",
    "ENTRIES_PER_ROW",
    "FIRST_ROTATION",
    "LEVELS",
    "MAX_PALETTE",
    "META",
    "MODELS",
    "Levels",
    "Meta",
    "Palette",
    "SogFiles",
    "encode_texture",
    "texture_size",
    "write_zip",
]

META = "meta.json"
LEVELS = 256
ENTRIES_PER_ROW = 64
MAX_PALETTE = 1 << 16
FIRST_ROTATION = 252
"""Alpha of a rotation whose largest component is w; up to 255 for z."""

COEFFICIENTS = (0, 3, 8, 15)
"""Of harmonics above the constant one, by bands."""

MODELS: dict[Mode, str] = {"mip": "antialiased", "2dgs": "2dgs"}
MAX_META_BYTES = 1 << 22

_BAD_ZIP = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError),
    *(zlib.error, struct.error),
)
"""What reading a damaged zip may raise."""

MAX_SIDE = 16383
"""Largest side of a WebP."""

_DAMAGED = "The file is cut short or damaged: copy or export it again."

Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
Three = Annotated[list[float], msgspec.Meta(min_length=3, max_length=3)]
Codebook = Annotated[list[float], msgspec.Meta(min_length=1, max_length=256)]
Names = Annotated[list[str], msgspec.Meta(min_length=1, max_length=2)]


class Means(msgspec.Struct):
    """Positions: ranges of their signed logarithm; texture of low and of high bytes."""

    mins: Three
    maxs: Three
    files: Annotated[list[str], msgspec.Meta(min_length=2, max_length=2)]
    shape: list[Count] = []


class Levels(msgspec.Struct):
    """Bytes that stand for a codebook's numbers (version 2) or divide a range (version 1)."""

    files: Names
    codebook: Codebook | None = None
    mins: list[float] | float | None = None
    maxs: list[float] | float | None = None


class Quats(msgspec.Struct):
    """Rotations."""

    files: Names


class Palette(Levels):
    """Spherical harmonics: a palette, and a label per Gaussian."""

    count: Count = 0
    bands: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    shape: list[Count] = []


class Meta(msgspec.Struct):
    """What meta.json holds, of version 1 or 2."""

    means: Means
    scales: Levels
    quats: Quats
    sh0: Levels
    version: int = 1
    count: Count | None = None
    shN: Palette | None = None
    model: str | None = None
    antialias: bool = False


class SogFiles:
    """A SOG opened for reading.

    Args:
        path: The zip, or the meta.json in a folder.

    Raises:
        InputError: The file cannot be read, or its meta.json is not what the format demands.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip: zipfile.ZipFile | None = None
        if path.suffix.lower() == ".json":
            self._content = b""
            self.size = sum(item.stat().st_size for item in path.parent.glob("*.webp"))
            data = read_input(path, MAX_META_BYTES)
        else:
            self._content = read_input(path, os.stat(path).st_size)
            self.size = len(self._content)
            try:
                self._zip = zipfile.ZipFile(io.BytesIO(self._content))
            except _BAD_ZIP as error:
                raise self.damaged("", error, "a zip") from error
            data = self._member(META, MAX_META_BYTES)
        try:
            self.meta = msgspec.json.decode(data, type=Meta)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise self.damaged(META, error, "the description of a SOG") from error
        if self.meta.version not in (1, 2):
            raise InputError(path, f"{META}, version", found=self.meta.version, expected="1 or 2")
        declared = (
            self.meta.count if self.meta.version == 2 else next(iter(self.meta.means.shape), None)
        )
        if declared is None:
            raise self.damaged(META, "no count", "the number of Gaussians")
        self.count: int = declared
        check_count(path, f"{META}, count", self.count, self.size)

    def names(self) -> list[str]:
        """The textures, each once, without a folder."""
        meta = self.meta
        parts: list[Any] = [meta.means, meta.scales, meta.quats, meta.sh0]
        parts += [meta.shN] if meta.shN else []
        files: list[list[str]] = [part.files for part in parts]
        names = dict.fromkeys(name for several in files for name in several)
        for name in names:
            self._check_name(name)
        return list(names)

    def stored_bytes(self, name: str) -> int:
        """What a texture takes."""
        self._check_name(name)
        if self._zip is None:
            return (self._path.parent / name).stat().st_size
        return self._zip.getinfo(name).compress_size

    def texture(self, name: str) -> Bytes:  # [count, 4]
        """The texels of the Gaussians, RGBA."""
        texels = self.image(name, 4 * self.count + (1 << 16)).reshape(-1, 4)
        if len(texels) < self.count:
            raise self.damaged(name, f"{len(texels)} texels", f"{self.count} or more")
        return texels[: self.count]

    def image(self, name: str, most: int) -> Bytes:  # [height, width, 4]
        """An image of at most ``most`` texels, RGBA."""
        data = self._read(name)
        width, height = _webp_size(data)
        if not 0 < width * height <= most:
            found = f"{width} x {height} texels" if width else "no WebP image"
            raise self.damaged(name, found, f"at most {most}")
        try:
            with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
                if image.size != (width, height):
                    raise self.damaged(name, f"{image.size} texels", (width, height))
                return np.asarray(image.convert("RGBA"))
        except (OSError, ValueError, SyntaxError, EOFError, TypeError, Warning) as error:
            raise self.damaged(name, error, "a WebP image") from error
        except Image.DecompressionBombError as error:
            raise self.damaged(name, error, "an image of bounded size") from error

    def damaged(self, field: str, found: object, expected: object) -> InputError:
        """The error that says what is wrong in which of the files."""
        return InputError(self._path, field, found=found, expected=expected, remedy=_DAMAGED)

    def _check_name(self, name: str) -> None:
        if Path(name).name != name or "\\" in name or not name:
            raise self.damaged(META, f"the file name {name[:80]!r}", "a name without a folder")

    def _read(self, name: str) -> bytes:
        self._check_name(name)
        if self._zip is None:
            return read_input(self._path.parent / name, max(self.size, 1))
        # WebP does not deflate; what is much larger than the zip is made to exhaust memory.
        return self._member(name, 4 * self.size + (1 << 20))

    def _member(self, name: str, limit: int) -> bytes:
        assert self._zip is not None
        try:
            with self._zip.open(name) as member:
                data = member.read(limit + 1)
        except KeyError:
            raise self.damaged(name, "no such file in the zip", name) from None
        except _BAD_ZIP as error:
            raise self.damaged(name, error, "a file in the zip") from error
        if len(data) > limit:
            raise self.damaged(name, f"more than {limit} bytes", "fewer")
        return data


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP by its first chunk; zeros where it is none."""
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return 0, 0
    kind = data[12:16]
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return tuple(int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))  # type: ignore[return-value]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def encode_texture(texels: NDArray[np.uint8], width: int, height: int, effort: int) -> bytes:
    """RGBA texels [n, 4] as a lossless WebP; the rest of the image is zero."""
    image = np.zeros((height * width, 4), np.uint8)
    image[: len(texels)] = texels
    out = io.BytesIO()
    # exact: the colour of transparent texels counts too.
    Image.fromarray(image.reshape(height, width, 4)).save(
        out, "WEBP", lossless=True, exact=True, quality=75, method=effort
    )
    return out.getvalue()


def texture_size(count: int) -> tuple[int, int]:
    """Width and height of a texture, both multiples of 4.

    Raises:
        InputError: There are more Gaussians than a WebP has texels.
    """
    width = max(4, math.ceil(math.sqrt(count) / 4) * 4)
    height = max(4, math.ceil(count / width / 4) * 4)
    if max(width, height) > MAX_SIDE:
        raise InputError("SOG", found=f"{count} Gaussians", expected=f"at most {MAX_SIDE**2}")
    return width, height


def write_zip(path: Path, meta: Mapping[str, Any], images: Mapping[str, bytes]) -> None:
    """Write a SOG; the same content gives the same bytes."""
    files = {META: msgspec.json.encode(meta), **images}
    with atomic_write(path, overwrite=True) as out, zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
