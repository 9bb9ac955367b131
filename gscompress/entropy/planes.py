"""Planes of integers through any coder.

A coder that models neighbourhoods itself (a PlaneCoder) is given the planes as they are. Any other
gets, per plane, the difference to the reference, with contexts of how well the reference predicted
the planes before.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.entropy.base import Coder, Planes, Side, Symbols
from gscompress.errors import CorruptFileError

__all__ = ["decode_planes", "encode_planes"]


def encode_planes(
    coder: Coder,
    values: NDArray[np.int32],  # [C, N]
    planes: Planes,
    side: Side,
) -> bytes:
    """Encode planes of integers with ``coder``."""
    if hasattr(coder, "encode_planes"):
        return bytes(coder.encode_planes(values, planes, side))
    model = _PlaneModel(planes, side)
    parts = []
    for c, plane in enumerate(values):
        model.start(c)
        residuals = model.residuals(plane)
        used = model.used
        parts.append(coder.encode(Symbols(residuals[used], model.contexts()[used])))
        model.finish(plane, residuals)
    sizes = struct.pack(f"<{len(parts)}I", *map(len, parts))
    return sizes + b"".join(parts)


def decode_planes(coder: Coder, data: bytes, planes: Planes, side: Side) -> NDArray[np.int32]:
    """Decode planes of integers [C, N]."""
    if hasattr(coder, "decode_planes"):
        return np.asarray(coder.decode_planes(data, planes, side))
    head = 4 * len(planes)
    sizes = np.frombuffer(data[:head], "<u4").astype(np.int64)
    if len(sizes) != len(planes) or head + sizes.sum() != len(data):
        raise CorruptFileError("", "planes", found="sizes that do not add up")
    ends = head + np.cumsum(sizes)
    values = np.zeros((len(planes), len(side)), np.int32)
    model = _PlaneModel(planes, side)
    for c, (end, size) in enumerate(zip(ends, sizes, strict=True)):
        model.start(c)
        used = model.used
        residuals = np.zeros(len(side), np.int32)
        contexts = model.contexts()[used]
        residuals[used] = coder.decode(data[end - size : end], len(contexts), contexts)
        values[c] = model.values(residuals)
        model.finish(values[c], residuals)
    return values


class _PlaneModel:
    """Prediction and contexts of one plane after the other, the same on both sides."""

    def __init__(self, planes: Planes, side: Side) -> None:
        self.planes = planes
        self.side = side
        self.disagreement = np.zeros(len(side), np.int32)
        self._done: list[NDArray[np.int32]] = []
        self._residuals: list[NDArray[np.int32]] = []

    def start(self, plane: int) -> None:
        """Turn to a plane."""
        gate = self.planes.gates[plane] if self.planes.gates else -1
        self.used = self._done[gate] != 0 if gate >= 0 else np.ones(len(self.side), bool)
        partner = self.planes.partners[plane]
        self._partner = self._residuals[partner] if partner >= 0 else None
        self.trusted = (self.disagreement >> 2 <= self.planes.trust) & (
            np.arange(len(self.side)) > 0
        )

    def contexts(self) -> NDArray[np.uint16]:
        """Class of each value, 0..63."""
        off = np.searchsorted([1, 2, 4, 12, 40], self.disagreement >> 1, side="right")
        partner = (
            np.searchsorted([1, 2], np.abs(self._partner), side="right")
            if self._partner is not None
            else self.side.nearness // 2
        )
        return np.asarray(off * 4 + partner, dtype=np.uint16)

    def residuals(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """Values minus their predictions (modulo 2^32)."""
        predicted = np.where(self.trusted, values[self.side.references[:, 0]], 0)
        return np.where(self.used, values - predicted.astype(np.int32), 0).astype(np.int32)

    def values(self, residuals: NDArray[np.int32]) -> NDArray[np.int32]:
        """The inverse of ``residuals``: chains of references are followed in coding order."""
        return _native.resolve_references(residuals, self.side.references, self.trusted, self.used)

    def finish(self, values: NDArray[np.int32], residuals: NDArray[np.int32]) -> None:
        """Remember a coded plane."""
        miss = np.abs(values.astype(np.int64) - values[self.side.references[:, 0]])
        miss = np.where(self.used, np.minimum(miss, 255), 0).astype(np.int32)
        self.disagreement += 4 * miss - self.disagreement // 4
        self._done.append(values)
        self._residuals.append(residuals)
