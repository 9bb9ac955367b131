"""The container's index: which chunks a file holds, and where."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from gscompress.errors import CorruptFileError

__all__ = ["ChunkEntry", "pack_entry", "parse_index"]

MAX_NAME = 255  # bytes, UTF-8

_CRC = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class ChunkEntry:
    """Where a chunk lies in its file, and what its bytes must sum to."""

    name: str
    offset: int
    length: int
    crc32: int

    @property
    def level(self) -> int:
        """The level of detail that the chunk belongs to."""
        number = self.name.rpartition("@")[2] if "@" in self.name else "0"
        return int(number) if number.isascii() and number.isdecimal() and len(number) < 4 else 0

    def check(self, data: bytes, where: str) -> bytes:
        """Give ``data`` back if it is this chunk.

        Raises:
            CorruptFileError: The length or the CRC differs.
        """
        if len(data) != self.length:
            raise CorruptFileError(
                where, f"chunk {self.name!r}", found=f"{len(data)} bytes", expected=self.length
            )
        found = zlib.crc32(data)
        if found != self.crc32:
            raise CorruptFileError(
                where,
                f"chunk {self.name!r}",
                found=f"CRC {found:08x}",
                expected=f"CRC {self.crc32:08x}",
                remedy="The file is damaged; make or fetch it again",
            )
        return data


def pack_entry(name: str, data: bytes) -> bytes:
    """One entry of the index, as stored.

    Raises:
        ValueError: The name is empty or too long.
    """
    encoded = name.encode()
    if not 1 <= len(encoded) <= MAX_NAME:
        raise ValueError(f"a chunk's name has 1 to {MAX_NAME} bytes: {name!r}")
    length = bytearray()
    rest = len(data)
    while rest >= 0x80:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes([len(encoded)]) + encoded + bytes(length) + _CRC.pack(zlib.crc32(data))


def parse_index(
    index: bytes, count: int, start: int, size: int | None, where: str
) -> dict[str, ChunkEntry]:
    """The entries of a stored index, by name.

    Args:
        index: Its bytes.
        count: How many entries it must hold.
        start: Offset of the first chunk in the file.
        size: Bytes of the file, which the chunks must fill to the end; None where only its
            beginning is at hand.
        where: The file's name, for messages.

    Raises:
        CorruptFileError: It is damaged, or the chunks do not fit the file.
    """
    entries: dict[str, ChunkEntry] = {}
    position = 0
    offset = start
    for number in range(count):
        try:
            name, length, crc, position = _unpack_entry(index, position)
        except (IndexError, struct.error, UnicodeDecodeError) as error:
            raise CorruptFileError(
                where, "index", found=f"entry {number} is damaged ({error})"
            ) from error
        if name in entries:
            raise CorruptFileError(where, f"chunk {name!r}", found="two of that name")
        if size is not None and length > size - offset:
            raise CorruptFileError(
                where,
                f"chunk {name!r}",
                found=f"{size - offset} bytes left in the file",
                expected=length,
                remedy="The file is truncated; fetch it again",
            )
        entries[name] = ChunkEntry(name, offset, length, crc)
        offset += length
    if position != len(index):
        raise CorruptFileError(where, "index", found=f"{len(index) - position} bytes left over")
    if size is not None and offset != size:
        raise CorruptFileError(
            where, "end", found=f"{size - offset} bytes after the last chunk", expected="none"
        )
    return entries


def _unpack_entry(index: bytes, position: int) -> tuple[str, int, int, int]:
    """Name, length, CRC and the position behind them."""
    name_end = position + 1 + index[position]
    encoded = index[position + 1 : name_end]
    if not encoded or name_end > len(index):
        raise IndexError("name out of range")
    position = name_end
    length = shift = 0
    while True:
        octet = index[position]
        position += 1
        length |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            break
        if shift > 56:
            raise IndexError("length out of range")
    (crc,) = _CRC.unpack_from(index, position)
    return encoded.decode(), length, crc, position + _CRC.size
