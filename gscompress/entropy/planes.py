"""Planes of integers through any coder.

A coder that models neighbourhoods itself (a PlaneCoder) is given the planes as they are. Any other
gets, per plane, the difference to the reference, in contexts of how well the reference predicted
the planes before, how large their values were, and the partner's residual.
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
    model = _model(planes, side)
    parts = []
    for plane in values:
        contexts = model.contexts()
        residuals = model.residuals(np.ascontiguousarray(plane, dtype=np.int32))
        parts.append(coder.encode(Symbols(residuals, contexts)))
    return struct.pack(f"<{len(parts)}I", *map(len, parts)) + b"".join(parts)


def decode_planes(coder: Coder, data: bytes, planes: Planes, side: Side) -> NDArray[np.int32]:
    """Decode planes of integers [C, N].

    Raises:
        CorruptFileError: The bytes are not what an encoder would have written.
    """
    if hasattr(coder, "decode_planes"):
        return np.asarray(coder.decode_planes(data, planes, side))
    head = 4 * len(planes)
    sizes = np.frombuffer(data[: min(head, len(data) // 4 * 4)], "<u4").astype(np.int64)
    if len(sizes) != len(planes) or head + sizes.sum() != len(data):
        raise CorruptFileError("", "", found="planes whose sizes do not add up")
    model = _model(planes, side)
    values = np.empty((len(planes), len(side)), np.int32)
    for c, end in enumerate(head + np.cumsum(sizes)):
        contexts = model.contexts()
        residuals = coder.decode(data[end - sizes[c] : end], len(contexts), contexts)
        values[c] = model.values(residuals)
    return values


def _model(planes: Planes, side: Side) -> _native.PlaneModel:
    return _native.PlaneModel(planes.table(), side.references, side.nearness, side.classes)
