"""The container: a small, checked, versioned list of named chunks (``.gsz``).

Little-endian::

    0   magic           89 47 53 5A
    4   u8 version      1
    5   u8 flags        bit 0: the header is a Zstandard frame
    6   u16             number of chunks
    8   u32             bytes of the header as stored
    12  u32             bytes of the header as JSON
    16  u32             bytes of the index
    20  u32             CRC-32 of bytes 0 to 19, header and index
    24  header          compact JSON object, UTF-8
        index           for each chunk: u8 bytes of its name, name, varint length, u32 CRC-32
        chunks          in the order of the index, without gaps, up to the end of the file

A chunk's offset is the sum of the lengths before it, so chunks can neither overlap nor leave holes.
A later version never changes how a file of an earlier one decodes.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from gscompress._chunk_index import ChunkEntry, pack_entry, parse_index
from gscompress._header_json import dump_header, parse_header
from gscompress.errors import CorruptFileError, InputError
from gscompress.files import open_input

__all__ = ["MAGIC", "VERSION", "ChunkEntry", "Container", "Index", "group_bytes"]

MAGIC = b"\x89GSZ"
VERSION = 1
MAX_HEADER = 1 << 22  # bytes, as JSON
MAX_INDEX = 1 << 22  # bytes
MAX_CHUNKS = (1 << 16) - 1

_HEAD = struct.Struct("<4sBBHIII")
_CRC = struct.Struct("<I")
_HEADER_IS_ZSTD = 1


@dataclass(frozen=True, slots=True)
class Index:
    """The header and the index of a container, read without its chunks.

    Attributes:
        header: What the file says about itself.
        entries: One for each chunk, by name, in the order of the file.
        where: The file's name, for messages.
    """

    header: dict[str, Any]
    entries: dict[str, ChunkEntry]
    where: str = ""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Index:
        """Read header and index of a file; its chunks stay on the disk.

        Raises:
            InputError: There is no such file, or it is of a newer version.
            CorruptFileError: It is no intact container.
        """
        with open_input(path) as file:
            return cls.from_file(file, os.fspath(path))

    @classmethod
    def from_file(cls, file: BinaryIO, where: str, *, prefix: bool = False) -> Index:
        """Read header and index from an open file that can seek.

        Args:
            file: The file, or with ``prefix`` its beginning.
            where: The file's name, for messages.
            prefix: Whether bytes may be missing at the end.
        """
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        return _read_index(file, size, where, prefix=prefix)

    def level_ends(self) -> list[int]:
        """Up to which byte of the file each level of detail reaches.

        A chunk named ``stream@k`` belongs to level k, one without @ to level 0.
        """
        ends: dict[int, int] = {}
        for entry in self.entries.values():
            end = entry.offset + entry.length
            ends[entry.level] = max(ends.get(entry.level, 0), end)
        return [max(ends[k] for k in ends if k <= level) for level in sorted(ends)]

    def group_bytes(self) -> dict[str, int]:
        """Bytes of each attribute group's chunks."""
        return group_bytes({name: entry.length for name, entry in self.entries.items()})

    def read_level(self, file: BinaryIO, level: int | None = None) -> Container:
        """Read and check the chunks of the open file up to a level of detail; None: all."""
        names = [e.name for e in self.entries.values() if level is None or e.level <= level]
        return Container(self.header, {n: self.read_chunk(file, n) for n in names}, self.where)

    def read_chunk(self, file: BinaryIO, name: str) -> bytes:
        """Read and check one chunk of the open file that this index came from.

        Raises:
            CorruptFileError: There is no such chunk, or its bytes are damaged.
        """
        entry = self.entry(name)
        file.seek(entry.offset)
        return entry.check(file.read(entry.length), self.where)

    def entry(self, name: str) -> ChunkEntry:
        """The entry of the chunk ``name``.

        Raises:
            CorruptFileError: There is no such chunk.
        """
        try:
            return self.entries[name]
        except KeyError:
            raise _missing(self.where, name, self.entries) from None


@dataclass(frozen=True, slots=True)
class Container:
    """A header and named chunks of bytes.

    Attributes:
        header: JSON object: strings, finite numbers, booleans, null, lists and objects.
        chunks: Bytes by name; the order is kept.
        where: The name of the file it came from, for messages.
    """

    header: dict[str, Any]
    chunks: dict[str, bytes]
    where: str = field(default="", compare=False)

    def chunk(self, name: str) -> bytes:
        """The bytes of the chunk ``name``.

        Raises:
            CorruptFileError: There is no such chunk.
        """
        try:
            return self.chunks[name]
        except KeyError:
            raise _missing(self.where, name, self.chunks) from None

    def to_bytes(self) -> bytes:
        """The file's bytes; the same container always gives the same bytes."""
        return b"".join((self._head(), *self.chunks.values()))

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> int:
        """Write the file, complete or not at all; returns its size in bytes."""
        head = self._head()
        from gscompress.io.atomic import atomic_write  # here: `info` does without numpy

        with atomic_write(path, overwrite=overwrite) as file:
            file.write(head)
            for data in self.chunks.values():
                file.write(data)
        return len(head) + sum(map(len, self.chunks.values()))

    @classmethod
    def from_bytes(
        cls, data: bytes, where: str = "container", level: int | None = None
    ) -> Container:
        """Parse and check a file.

        Args:
            data: The file, or as much of its beginning as ``level`` needs.
            where: What to call it in messages.
            level: The last level of detail to read; None for the whole file.

        Raises:
            InputError: The file is of a newer version.
            CorruptFileError: It is no intact container.
        """
        return cls._from_file(io.BytesIO(data), where, level)

    @classmethod
    def read(cls, path: str | os.PathLike[str], level: int | None = None) -> Container:
        """Read and check a file; as ``from_bytes`` otherwise, and raises as ``Index.read``."""
        with open_input(path) as file:
            return cls._from_file(file, os.fspath(path), level)

    @classmethod
    def _from_file(cls, file: BinaryIO, where: str, level: int | None) -> Container:
        index = Index.from_file(file, where, prefix=level is not None)
        return index.read_level(file, level)

    def _head(self) -> bytes:
        """Everything before the first chunk."""
        text, stored = dump_header(self.header, limit=MAX_HEADER)
        index = b"".join(pack_entry(name, data) for name, data in self.chunks.items())
        if len(self.chunks) > MAX_CHUNKS or len(index) > MAX_INDEX:
            raise ValueError(f"too many chunks for one container: {len(self.chunks)}")
        flags = _HEADER_IS_ZSTD if stored is not text else 0
        head = _HEAD.pack(
            MAGIC, VERSION, flags, len(self.chunks), len(stored), len(text), len(index)
        )
        return head + _CRC.pack(_crc(head, stored, index)) + stored + index


def _crc(*parts: bytes) -> int:
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value


def _missing(where: str, name: str, names: Mapping[str, object]) -> CorruptFileError:
    return CorruptFileError(
        where or "container",
        f"chunk {name!r}",
        found="no such chunk",
        expected="one of " + ", ".join(names) if names else "",
    )


def _read_index(file: BinaryIO, size: int, where: str, *, prefix: bool) -> Index:
    fixed = file.read(_HEAD.size + _CRC.size)
    if fixed[: len(MAGIC)] != MAGIC:
        raise CorruptFileError(
            where,
            "magic",
            found=fixed[:4].hex(" "),
            expected=MAGIC.hex(" "),
            remedy="This is no .gsz file.",
        )
    if len(fixed) < _HEAD.size + _CRC.size:
        raise CorruptFileError(where, "head", found=f"{size} bytes", expected="24 at least")
    _, version, flags, count, stored, text, index_size = _HEAD.unpack_from(fixed)
    if version > VERSION:
        raise InputError(
            where,
            "version",
            found=version,
            expected=f"{VERSION} at most",
            remedy="The file was made by a newer gscompress; upgrade: pip install -U gscompress",
        )
    if version != VERSION or flags & ~_HEADER_IS_ZSTD:
        raise CorruptFileError(where, "version", found=f"{version}, flags {flags}")
    sizes = (("header", stored, MAX_HEADER), ("header", text, MAX_HEADER))
    for name, length, limit in (*sizes, ("index", index_size, MAX_INDEX)):
        if length > limit:
            raise CorruptFileError(
                where, name, found=f"{length} bytes", expected=f"{limit} at most"
            )
    start = len(fixed) + stored + index_size
    if start > size:
        raise CorruptFileError(
            where, "head", found=f"a file of {size} bytes", expected=f"{start} at least"
        )
    header = file.read(stored)
    index = file.read(index_size)
    (crc,) = _CRC.unpack_from(fixed, _HEAD.size)
    if _crc(fixed[: _HEAD.size], header, index) != crc:
        raise CorruptFileError(
            where, "header", found="a wrong CRC", remedy="The file is damaged; fetch it again"
        )
    entries = parse_index(index, count, start, None if prefix else size, where)
    packed = bool(flags & _HEADER_IS_ZSTD)
    return Index(parse_header(header, text, where, packed=packed), entries, where)


def group_bytes(chunks: Mapping[str, int]) -> dict[str, int]:
    """Bytes of each attribute group.

    Args:
        chunks: Length of each chunk; its name up to a dot or @ is its group.
    """
    sizes: dict[str, int] = {}
    for name, length in chunks.items():
        stream = name.partition("@")[0]
        group = "means" if stream == "frame" else stream.partition(".")[0]
        sizes[group] = sizes.get(group, 0) + length
    return sizes
