"""Planes of integers through any coder.

A coder that models neighbourhoods itself (a PlaneCoder) is given the planes as they are. Any other
gets, per plane, the difference to the reference, in contexts of how well the reference predicted
the planes before, how large their values were, and the partner's residual.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.entropy.base import Coder, Integers, PlaneCoder, Planes, RowCoder, Side, Symbols
from gscompress.errors import CorruptFileError

__all__ = ["decode_planes", "encode_planes"]


def encode_planes(
    coder: Coder,
    values: Integers,  # [C, N]
    planes: Planes,
    side: Side,
) -> list[bytes]:
    """Encode planes of integers with ``coder``: the bytes of each level of ``side``."""
    if isinstance(coder, PlaneCoder):
        return list(coder.encode_planes(values, planes, side))
    model = _model(planes, side)
    parts: list[list[bytes]] = [[] for _ in side.levels]
    for plane in values:
        contexts = model.contexts()
        ends = [model.used(level) for level in side.levels]
        residuals = model.residuals(np.ascontiguousarray(plane, dtype=np.int32))
        for part, begin, end in zip(parts, [0, *ends], ends, strict=False):
            part.append(coder.encode(Symbols(residuals[begin:end], contexts[begin:end])))
    return [struct.pack(f"<{len(part)}I", *map(len, part)) + b"".join(part) for part in parts]


def decode_planes(
    coder: Coder, parts: Sequence[bytes], planes: Planes, side: Side
) -> NDArray[np.int32]:
    """Decode planes of integers [C, N] from the bytes of each level of ``side``.

    Raises:
        CorruptFileError: The bytes are not what an encoder would have written.
    """
    if isinstance(coder, PlaneCoder):
        return np.asarray(coder.decode_planes(parts, planes, side))
    if isinstance(coder, RowCoder):
        rows = np.zeros((len(planes), len(side)), np.int32)
        coder.decode_rows(parts, planes, side, list(rows))
        return rows
    pieces = [_pieces(part, len(planes)) for part in parts]
    model = _model(planes, side)
    values = np.zeros((len(planes), len(side)), np.int32)
    for c in range(len(planes)):
        contexts = model.contexts()
        ends = [model.used(level) for level in side.levels]
        residuals = [
            coder.decode(piece[c], end - begin, contexts[begin:end])
            for piece, begin, end in zip(pieces, [0, *ends], ends, strict=False)
        ]
        model.values(residuals[0] if len(ends) == 1 else np.concatenate(residuals), values[c])
    return values


def _pieces(data: bytes, count: int) -> list[bytes]:
    head = 4 * count
    sizes = np.frombuffer(data[: min(head, len(data) // 4 * 4)], "<u4").astype(np.int64)
    if len(sizes) != count or head + sizes.sum() != len(data):
        raise CorruptFileError("", "", found="planes whose sizes do not add up")
    ends = head + np.cumsum(sizes)
    return [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _model(planes: Planes, side: Side) -> _native.PlaneModel:
    return _native.PlaneModel(planes.table(), side.references, side.nearness, side.classes)
