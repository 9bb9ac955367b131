"""Context mixing: adaptive bit models, mixed in the logistic domain, and an arithmetic coder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.entropy.base import Integers, Planes, Side, Symbols
from gscompress.errors import CorruptFileError

__all__ = ["Mix"]


@dataclass(frozen=True)
class Mix:
    """The smallest files: every bit is predicted by several models, and their opinions mixed.

    Values are coded bit by bit (zero flag, sign, Exp-Golomb magnitude). Models and mixing weights
    adapt while coding, so a stream carries no tables; all arithmetic is in integers. The mixing is
    that of M. Mahoney, "Adaptive weighing of context models for lossless data compression" (2005).
    """

    def encode(self, symbols: Symbols) -> bytes:
        """Encode symbols, each predicted in the context of the one before it."""
        values = np.ascontiguousarray(symbols.values, dtype=np.int32)
        side = _sequence(len(values), symbols.contexts)
        return self.encode_planes(values[None], _SEQUENCE, side)[0]

    def decode(
        self, data: bytes, count: int, contexts: NDArray[np.uint16] | None = None
    ) -> NDArray[np.int32]:
        """Decode ``count`` symbols."""
        return np.asarray(self.decode_planes([data], _SEQUENCE, _sequence(count, contexts))[0])

    def encode_planes(self, values: Integers, planes: Planes, side: Side) -> list[bytes]:
        """Encode planes of integers [C, N]: the bytes of each level."""
        values = values if values.flags.c_contiguous else values.copy()
        return _native.encode_planes(
            values,
            planes.table(),
            side.references,
            side.nearness,
            side.classes,
            side.levels,
        )

    def decode_planes(
        self, parts: Sequence[bytes], planes: Planes, side: Side
    ) -> NDArray[np.int32]:
        """Decode planes of integers [C, N] from the bytes of each level."""
        try:
            return _native.decode_planes(
                parts, planes.table(), side.references, side.nearness, side.classes, side.levels
            )
        except _native.BrokenStream as error:
            raise CorruptFileError("", "", found=str(error)) from None


_SEQUENCE = Planes(partners=(-1,), trust=-1)


def _sequence(count: int, contexts: NDArray[np.uint16] | None) -> Side:
    before = np.arange(-1, count - 1, dtype=np.int32)
    classes = np.zeros(count, np.uint8) if contexts is None else contexts
    return Side(
        references=np.maximum(before, 0),
        nearness=np.zeros(count, np.uint8),
        classes=np.minimum(classes, 15).astype(np.uint8),
    )
