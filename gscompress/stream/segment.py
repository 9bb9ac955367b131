"""Residual segments: some frames of a clip as bytes, beside their key frame.

Little-endian. Head: magic "GSRS", version, kind, CRC-32 of what follows. Then the first frame, the
number of frames, the number of slots that the decoder must have by then, the step of each attribute
group and the level of visibility (see `gscompress.stream.layout.Steps`). Then the frames, each with
a byte of flags, the births and deaths if a flag says so, and the bytes of its changes; both with
their length before them. No bytes: nothing changes. A run has its paths before the frames.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import CorruptFileError
from gscompress.stream.layout import GROUPS, Steps

__all__ = ["MAX_FRAMES", "Frame", "Kind", "Paths", "Segment", "Turnover"]

Kind = Literal["residual", "trajectory", "latent", "run"]

MAX_FRAMES = 4096
"""Of one segment."""

_MAGIC = b"GSRS"
_VERSION = 1
_HEAD = struct.Struct("<4sBBI")
_BODY = struct.Struct(f"<IHI{len(GROUPS) + 1}f")
_LENGTH = struct.Struct("<I")
_TURNOVER = 1
_STEP_RANGE = (2.0**-60, 2.0**20)
_KINDS = get_args(Kind)


@dataclass(frozen=True, eq=False)
class Turnover:
    """Who dies and who is born at a frame.

    Attributes:
        deaths: Slots that are empty from now on; ascending.
        parents: For each Gaussian that is born, which gets the next slot, the slot that it starts
            as a copy of; ascending.
    """

    deaths: NDArray[np.int64]  # [D]
    parents: NDArray[np.int64]  # [B]

    def to_bytes(self) -> bytes:
        """The deaths and the parents, each as their count and their distances."""
        gaps = np.diff(self.deaths, prepend=-1), np.diff(self.parents, prepend=0)
        return b"".join(_varint(int(x)) for one in gaps for x in (len(one), *one))

    @classmethod
    def from_bytes(cls, data: bytes, alive: NDArray[np.bool_]) -> Turnover:
        """Read what ``to_bytes`` wrote.

        Args:
            data: The bytes.
            alive: Which slots hold a Gaussian before [N].

        Raises:
            ValueError: The bytes make no sense for these slots.
        """
        deaths, at = _read_slots(data, 0, len(alive), first=-1)
        parents, at = _read_slots(data, at, len(alive), first=0)
        if at != len(data):
            raise ValueError(f"{len(data) - at} bytes too many")
        if (np.diff(deaths) == 0).any() or (deaths < 0).any():
            raise ValueError("one that dies twice")
        if not (alive[deaths].all() and alive[parents].all()):
            raise ValueError("a slot that is empty")
        return cls(deaths, parents)


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a segment; for trajectories, one coefficient.

    Attributes:
        changes: What the native coder made of them; empty if there are none.
        turnover: Births and deaths, which come first; None if there are none.
    """

    changes: bytes
    turnover: bytes | None = None


@dataclass(frozen=True, eq=False)
class Paths:
    """What the frames of a run share: how everything moves, but for corrections.

    Attributes:
        coefficients: By basis function what the native coder made of its coefficients; no more
            than frames, those that are missing are 0.
        words: Codebooks and indices into them (`gscompress.stream.words`); empty: there are none.
    """

    coefficients: tuple[bytes, ...]
    words: bytes = b""

    def to_bytes(self) -> bytes:
        """As a segment has them."""
        parts = [bytes([len(self.coefficients)])]
        for block in (*self.coefficients, self.words):
            parts += [_LENGTH.pack(len(block)), block]
        return b"".join(parts)


@dataclass(frozen=True, eq=False)
class Segment:
    """A segment.

    Attributes:
        kind: How the frames are coded.
        first: Number of the first frame in the clip.
        slots: How many slots there are before it.
        steps: Of the integers.
        frames: The frames.
        paths: Of a run, else None.
    """

    kind: Kind
    first: int
    slots: int
    steps: Steps
    frames: tuple[Frame, ...]
    paths: Paths | None = None

    def to_bytes(self) -> bytes:
        """The file."""
        steps = list(self.steps.by_group) + [0.0] * (len(GROUPS) - len(self.steps.by_group))
        parts = [_BODY.pack(self.first, len(self.frames), self.slots, *steps, self.steps.visible)]
        if self.paths is not None:
            parts.append(self.paths.to_bytes())
        for frame in self.frames:
            parts.append(bytes([0 if frame.turnover is None else _TURNOVER]))
            blocks = [frame.changes] if frame.turnover is None else [frame.turnover, frame.changes]
            for block in blocks:
                parts += [_LENGTH.pack(len(block)), block]
        body = b"".join(parts)
        return _HEAD.pack(_MAGIC, _VERSION, _KINDS.index(self.kind), zlib.crc32(body)) + body

    @classmethod
    def from_bytes(cls, data: bytes, where: str = "segment") -> Segment:
        """Read a segment; nothing in it is decoded yet.

        Raises:
            CorruptFileError: It is truncated, damaged, or of another version.
        """
        if len(data) < _HEAD.size + _BODY.size or data[:4] != _MAGIC:
            raise CorruptFileError(
                where,
                "magic",
                found=f"{len(data)} bytes, {data[:4]!r} first",
                expected=f"a residual segment, {_MAGIC!r} first",
            )
        _, version, kind, crc = _HEAD.unpack_from(data)
        if version != _VERSION:
            raise CorruptFileError(
                where,
                "version",
                found=version,
                expected=_VERSION,
                remedy="A newer gscompress may read it",
            )
        if zlib.crc32(data[_HEAD.size :]) != crc:
            raise CorruptFileError(
                where,
                "CRC-32",
                found=f"{zlib.crc32(data[_HEAD.size :]):#010x}",
                expected=f"{crc:#010x}",
            )
        if kind >= len(_KINDS):
            raise CorruptFileError(where, "kind", found=kind, expected=f"below {len(_KINDS)}")
        first, count, slots, *numbers = _BODY.unpack_from(data, _HEAD.size)
        if not 1 <= count <= MAX_FRAMES:
            raise CorruptFileError(where, "frames", found=count, expected=f"1 to {MAX_FRAMES}")
        steps = Steps(tuple(numbers[:-1]), numbers[-1])
        _check_steps(steps, where)
        reader = _Reader(data, _HEAD.size + _BODY.size, where)
        paths = reader.paths(count) if _KINDS[kind] == "run" else None
        return cls(_KINDS[kind], first, slots, steps, tuple(reader.frames(count)), paths)


class _Reader:
    """Reads what follows the head of a segment."""

    def __init__(self, data: bytes, at: int, where: str) -> None:
        self._data, self._at, self._where = data, at, where

    def paths(self, frames: int) -> Paths:
        count = self._take(1, "coefficients")[0]
        if count > frames:
            raise CorruptFileError(
                self._where, "coefficients", found=count, expected=f"up to {frames}"
            )
        blocks = [self._block(f"coefficient {k}") for k in range(count)]
        return Paths(tuple(blocks), self._block("words"))

    def frames(self, count: int) -> Iterator[Frame]:
        for number in range(count):
            name = f"frame {number} of the segment"
            flags = self._take(1, name)[0]
            if flags > _TURNOVER:
                raise CorruptFileError(self._where, name, found=f"flags {flags}", expected="0 or 1")
            turnover = self._block(name) if flags else None
            yield Frame(self._block(name), turnover)
        if self._at != len(self._data):
            raise CorruptFileError(
                self._where, found=f"{len(self._data)} bytes", expected=f"{self._at} bytes"
            )

    def _block(self, name: str) -> bytes:
        (length,) = _LENGTH.unpack(self._take(_LENGTH.size, name))
        return self._take(length, name)

    def _take(self, size: int, name: str) -> bytes:
        block = self._data[self._at : self._at + size]
        if len(block) < size:
            raise CorruptFileError(
                self._where, name, found=f"{len(block)} bytes", expected=f"{size} bytes"
            )
        self._at += size
        return block


def _check_steps(steps: Steps, where: str) -> None:
    low, high = _STEP_RANGE
    for name, step in zip(GROUPS, steps.by_group, strict=True):
        if not (low <= step <= high or (name == "shN" and step == 0)):
            raise CorruptFileError(
                where, f"step of {name}", found=step, expected=f"{low:g} to {high:g}"
            )
    if not math.isfinite(steps.visible) or abs(steps.visible) > 1000:
        raise CorruptFileError(where, "visibility", found=steps.visible, expected="-1000 to 1000")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for k in range(5):
        if at + k >= len(data):
            break
        value |= (data[at + k] & 127) << (7 * k)
        if data[at + k] < 128:
            return value, at + k + 1
    raise ValueError("an integer without an end")


def _read_slots(data: bytes, at: int, slots: int, *, first: int) -> tuple[NDArray[np.int64], int]:
    """Ascending slots from their count and their distances, the first one from ``first``."""
    count, at = _read_varint(data, at)
    if count > len(data) - at:
        raise ValueError(f"{count} slots in {len(data) - at} bytes")
    out = np.empty(count, np.int64)
    slot = first
    for k in range(count):
        gap, at = _read_varint(data, at)
        slot += gap
        if slot >= slots:
            raise ValueError(f"slot {slot} of {slots}")
        out[k] = slot
    return out, at
