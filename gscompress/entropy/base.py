"""What a Coder is: integers to bytes and back, exactly, on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Coder", "Symbols"]


@dataclass(frozen=True, slots=True, eq=False)
class Symbols:
    """Integers to be coded, and what the decoder will know of each before it reads it.

    Attributes:
        values: Any int32; small magnitudes are the likely ones.
        contexts: Class of each value: values of one context share statistics. The decoder
            must be able to compute the same contexts before it decodes. None: one context.
    """

    values: NDArray[np.int32]  # [n]
    contexts: NDArray[np.uint16] | None = None  # [n]


class Coder(Protocol):
    """Integers to bytes. A frozen dataclass whose fields are its parameters."""

    def encode(self, symbols: Symbols) -> bytes:
        """Encode all symbols into a self-contained byte string."""
        ...

    def decode(
        self, data: bytes, count: int, contexts: NDArray[np.uint16] | None = None
    ) -> NDArray[np.int32]:
        """Decode ``count`` symbols; ``contexts`` as given to the encoder.

        Raises:
            CorruptFileError: The bytes are not what an encoder would have written; in bounded time
                and memory.
        """
        ...
