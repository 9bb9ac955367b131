"""No coding at all: for encoders that want to know what decoding will give, not what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress.entropy.base import Integers, Planes, Side, Symbols

__all__ = ["Plain"]


class Plain:
    """Integers as they are; of scenes in one level. No configuration can name it."""

    def encode(self, symbols: Symbols) -> bytes:
        """The bytes of the integers."""
        return symbols.values.astype(np.int32).tobytes()

    def decode(
        self, data: bytes, count: int, contexts: NDArray[np.uint16] | None = None
    ) -> NDArray[np.int32]:
        """The integers of the bytes."""
        return np.frombuffer(data, np.int32)

    def encode_planes(self, values: Integers, planes: Planes, side: Side) -> list[bytes]:
        """The bytes of the integers."""
        return [np.ascontiguousarray(values, np.int32).tobytes()]

    def decode_planes(
        self, parts: Sequence[bytes], planes: Planes, side: Side
    ) -> NDArray[np.int32]:
        """The integers of the bytes."""
        return np.frombuffer(parts[0], np.int32).reshape(len(planes), len(side))
