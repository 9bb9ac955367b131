"""Coders that change how planes are coded, and leave all else to another coder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.entropy.base import Symbols

__all__ = ["Wrapped"]


@dataclass(frozen=True)
class Wrapped:
    """A coder that codes symbols as another one does.

    Attributes:
        coder: The other one.
    """

    coder: Any

    def encode(self, symbols: Symbols) -> bytes:
        return bytes(self.coder.encode(symbols))

    def decode(
        self, data: bytes, count: int, contexts: NDArray[np.uint16] | None = None
    ) -> NDArray[np.int32]:
        return np.asarray(self.coder.decode(data, count, contexts))
