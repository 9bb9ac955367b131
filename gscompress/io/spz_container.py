"""The two containers of SPZ: planes of bytes in, file out, and back. Knows nothing of Gaussians.

Everything is bounded by the header's count before it is decompressed, and the count by the size of
the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import zstandard

from gscompress.errors import InputError
from gscompress.io.quantised import Bytes, check_count

__all__ = [
    "ANTIALIASED",
    "COORDINATE_SYSTEM",
    "MAGIC",
    "SpzHeader",
    "SpzPlanes",
    "frame_sizes",
    "read_planes",
    "write_planes",
]

MAGIC = b"NGSP"
ANTIALIASED = 0x1
HAS_EXTENSIONS = 0x2
COORDINATE_SYSTEM = 0xADBE0003
"""Type of the extension that names the axes; its payload is a u32."""

ZSTD_LEVEL = 12
GZIP_LEVEL = 9
MAX_WINDOW = 1 << 27
MAX_EXTENSION_BYTES = 1 << 20

_DAMAGED = "The file is cut short or damaged: copy or export it again."
_SH_BYTES = (0, 9, 24, 45, 72)
_HEAD = struct.Struct("<4sIIBBBB")  # both containers start so; the last byte differs in meaning
_V4_REST = struct.Struct("<I12x")
_RECORD = struct.Struct("<II")
_ENTRY = struct.Struct("<QQ")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class SpzHeader:
    """What the header says.

    Attributes:
        version: 1 to 4.
        count: Number of Gaussians.
        degree: Degree of the spherical harmonics, 0 to 4.
        fractional_bits: Binary digits of a position after the point.
        flags: ``ANTIALIASED`` and others.
        extensions: Extension records, type -> payload.
    """

    version: int
    count: int
    degree: int
    fractional_bits: int
    flags: int
    extensions: Mapping[int, bytes] = field(default_factory=dict)

    def plane_sizes(self) -> list[int]:
        """Bytes of each plane, in the order of the file."""
        position = 6 if self.version == 1 else 9
        rotation = 3 if self.version < 3 else 4
        each = (position, 1, 3, 3, rotation, _SH_BYTES[self.degree])
        return [self.count * width for width in each]


@dataclass(frozen=True, slots=True)
class SpzPlanes:
    """The attributes as the file holds them, all of it bytes."""

    header: SpzHeader
    positions: Bytes
    alphas: Bytes
    colours: Bytes
    scales: Bytes
    rotations: Bytes
    sh: Bytes

    def in_order(self) -> list[Bytes]:
        """The planes in the order of the file."""
        return [self.positions, self.alphas, self.colours, self.scales, self.rotations, self.sh]


def read_planes(path: Path, data: bytes) -> SpzPlanes:
    """Take an SPZ apart.

    Raises:
        InputError: It is cut, damaged, hostile, or of an unknown version.
    """
    if data.startswith(MAGIC):
        return _read_v4(path, data)
    if data.startswith(b"\x1f\x8b"):
        return _read_gzip(path, data)
    raise InputError(
        path,
        found=f"a file that starts with {data[:4]!r}" if data else "an empty file",
        expected="an SPZ, which starts with NGSP or is a gzip stream",
    )


def frame_sizes(data: bytes) -> list[int] | None:
    """Compressed bytes of each plane that is there, in their order; None before version 4.

    Args:
        data: A file that `read_planes` reads.
    """
    if not data.startswith(MAGIC):
        return None
    streams = data[_HEAD.size - 1]
    (toc,) = _V4_REST.unpack_from(data, _HEAD.size)
    return [_ENTRY.unpack_from(data, toc + k * _ENTRY.size)[0] for k in range(streams)]


def write_planes(planes: SpzPlanes) -> Iterator[bytes]:
    """The parts of a file, in order, in the container of the header's version."""
    header = planes.header
    contents = [plane.tobytes() for plane in planes.in_order()]
    streams = [content for content in contents if content]
    last = len(streams) if header.version == 4 else 0
    head = _HEAD.pack(
        MAGIC,
        header.version,
        header.count,
        header.degree,
        header.fractional_bits,
        header.flags,
        last,
    )
    if header.version < 4:
        packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
        yield from (packer.compress(part) for part in (head, *contents))
        yield packer.flush()
        return
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    frames = [compressor.compress(stream) for stream in streams]
    yield head + _V4_REST.pack(_HEAD.size + _V4_REST.size)
    for frame, stream in zip(frames, streams, strict=True):
        yield _ENTRY.pack(len(frame), len(stream))
    yield from frames


def _header(
    path: Path, head: bytes | bytearray, size: int, versions: range
) -> tuple[SpzHeader, int]:
    """The header and its last byte."""
    if len(head) < _HEAD.size:
        raise _damaged(path, "header", f"{len(head)} bytes", f"{_HEAD.size} bytes")
    magic, version, count, degree, bits, flags, last = _HEAD.unpack_from(head)
    if magic != MAGIC:
        raise _damaged(path, "header", repr(magic), repr(MAGIC))
    if version not in versions:
        expected = f"{versions[0]} to {versions[-1]}" if len(versions) > 1 else versions[0]
        raise InputError(
            path,
            "header, version",
            found=version,
            expected=expected,
            remedy="Export the scene in a version that is known.",
        )
    if degree >= len(_SH_BYTES):
        raise _damaged(path, "header, SH degree", degree, "0 to 4")
    if bits > 31:
        raise _damaged(path, "header, fractional bits", bits, "0 to 31")
    check_count(path, "header, count", count, size)
    return SpzHeader(version, count, degree, bits, flags), last


def _read_gzip(path: Path, data: bytes) -> SpzPlanes:
    stream = _GzipStream(path, data)
    head, _ = _header(path, stream.read(_HEAD.size, "header"), len(data), range(1, 4))
    names = ("positions", "alphas", "colours", "scales", "rotations", "SH")
    planes = [
        np.frombuffer(stream.read(size, name), np.uint8)
        for name, size in zip(names, head.plane_sizes(), strict=True)
    ]
    rest = stream.rest(MAX_EXTENSION_BYTES, "extensions")
    if not stream.ended:  # the checksum is behind the end
        what = "the end of the stream"
        raise _damaged(path, "extensions", f"{len(rest)} bytes and no end", what)
    if head.flags & HAS_EXTENSIONS:
        head = _with_extensions(path, head, rest)
    return SpzPlanes(head, *planes)


class _GzipStream:
    """A gzip stream read in pieces of known size, never more than was asked for."""

    def __init__(self, path: Path, data: bytes) -> None:
        self._path = path
        self._packed = memoryview(data)
        self._unpacker = zlib.decompressobj(31)

    def read(self, size: int, field: str) -> bytearray:
        """Exactly ``size`` bytes."""
        out = self.rest(size, field)
        if len(out) < size:
            raise _damaged(self._path, field, f"{len(out)} bytes", f"{size} bytes")
        return out

    @property
    def ended(self) -> bool:
        """Whether the stream was read to its end, and its checksum was right."""
        return self._unpacker.eof

    def rest(self, limit: int, field: str) -> bytearray:
        """What follows, up to ``limit`` bytes."""
        out = bytearray()
        while len(out) < limit and not self._unpacker.eof:
            packed = self._unpacker.unconsumed_tail
            if not packed:
                packed, self._packed = bytes(self._packed[:_CHUNK]), self._packed[_CHUNK:]
            try:
                piece = self._unpacker.decompress(packed, min(limit - len(out), _CHUNK))
            except zlib.error as error:
                raise _damaged(self._path, field, error, "a gzip stream") from error
            out += piece
            if not piece and not packed:
                break
        return out


def _read_v4(path: Path, data: bytes) -> SpzPlanes:
    head, streams = _header(path, data[: _HEAD.size], len(data), range(4, 5))
    start = _HEAD.size + _V4_REST.size
    if len(data) < start:
        raise _damaged(path, "header", f"{len(data)} bytes", f"{start} bytes")
    (toc,) = _V4_REST.unpack_from(data, _HEAD.size)
    sizes = head.plane_sizes()
    expected = [size for size in sizes if size]
    first = toc + streams * _ENTRY.size
    if toc < start or first > len(data):
        raise _damaged(path, "table of contents", f"offset {toc}", f"{start} to {len(data)}")
    if streams != len(expected):
        raise _damaged(path, "header, streams", streams, len(expected))
    if head.flags & HAS_EXTENSIONS:
        head = _with_extensions(path, head, data[start:toc])
    planes = []
    for number, size in enumerate(expected):
        packed, unpacked = _ENTRY.unpack_from(data, toc + number * _ENTRY.size)
        what = f"stream {number}"
        if unpacked != size:
            raise _damaged(path, what, f"{unpacked} bytes", f"{size} bytes")
        if packed > len(data) - first:
            raise _damaged(path, what, f"{len(data) - first} bytes left", f"{packed} bytes")
        planes.append(_unpack_frame(path, what, data[first : first + packed], size))
        first += packed
    whole = iter(planes)
    empty = np.zeros(0, np.uint8)
    return SpzPlanes(head, *(next(whole) if size else empty for size in sizes))


def _unpack_frame(path: Path, what: str, frame: bytes, size: int) -> Bytes:
    out = bytearray()
    try:
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(frame)
        while len(out) <= size and (piece := reader.read(min(_CHUNK, size + 1 - len(out)))):
            out += piece
    except zstandard.ZstdError as error:
        raise _damaged(path, what, error, "a Zstandard frame") from error
    if len(out) != size:
        found = f"more than {size} bytes" if len(out) > size else f"{len(out)} bytes"
        raise _damaged(path, what, found, f"{size} bytes")
    return np.frombuffer(out, np.uint8)


def _with_extensions(path: Path, head: SpzHeader, data: bytes | bytearray) -> SpzHeader:
    """The header with the extension records in ``data``, known or not."""
    records = {}
    at = 0
    while at + _RECORD.size <= len(data):
        kind, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if length > len(data) - at:
            raise _damaged(
                path, f"extension {kind:#010x}", f"{len(data) - at} bytes left", f"{length} bytes"
            )
        records[kind] = bytes(data[at : at + length])
        at += length
    return SpzHeader(
        head.version, head.count, head.degree, head.fractional_bits, head.flags, records
    )


def _damaged(path: Path, field: str, found: object, expected: object) -> InputError:
    return InputError(path, field, found=found, expected=expected, remedy=_DAMAGED)
