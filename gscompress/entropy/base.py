"""What a Coder is: integers to bytes and back, exactly, on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Coder", "Integers", "PlaneCoder", "Planes", "RowCoder", "Side", "Symbols"]

Integers = NDArray[np.int16] | NDArray[np.int32]
"""What encoders take; decoders give int32."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What both sides know of N Gaussians in coding order before they code their attributes.

    Attributes:
        references: A Gaussian coded before each one (the first refers to itself), a near one.
        nearness: How near it is: 0 (nearest) to 3.
        classes: Importance class, 0 to 15.
        levels: How many Gaussians there are up to each level's end; ascends to N. Each level has
            bytes of its own, which need those of the levels before. Empty: one level.
    """

    references: NDArray[np.int32]  # [N]
    nearness: NDArray[np.uint8]  # [N]
    classes: NDArray[np.uint8]  # [N]
    levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.levels:
            object.__setattr__(self, "levels", (len(self.references),))

    def __len__(self) -> int:
        return len(self.references)


@dataclass(frozen=True, slots=True)
class Planes:
    """How C planes of integers, one value per Gaussian and plane, depend on each other.

    Attributes:
        partners: For each plane an earlier one whose residual is informative, or -1.
        trust: Disagreement (decayed sum of the misses of the earlier planes) up to which a value is
            predicted by its reference; beyond it by 0.
        gates: For each plane an earlier plane of zeros and ones, or -1; where it holds 0, the value
            is 0 and costs nothing.
    """

    partners: tuple[int, ...]
    trust: int = 255
    gates: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.partners)

    def table(self) -> NDArray[np.int32]:  # [C, 3]
        """Partner, trust and gate of each plane, as the native core takes them."""
        gates = self.gates or (-1,) * len(self)
        rows = [(p, self.trust, g) for p, g in zip(self.partners, gates, strict=True)]
        return np.array(rows, dtype=np.int32).reshape(-1, 3)


@runtime_checkable
class PlaneCoder(Protocol):
    """A Coder that also models planes of integers by their neighbourhood.

    Its model may look at all that ``side`` has, the importance classes among it.
    """

    def encode_planes(self, values: Integers, planes: Planes, side: Side) -> Sequence[bytes]:
        """Encode values [C, N]: the bytes of each level."""
        ...

    def decode_planes(
        self, parts: Sequence[bytes], planes: Planes, side: Side
    ) -> NDArray[np.int32]:
        """Decode values [C, N] from the bytes of each level of ``side``.

        Raises:
            CorruptFileError: The bytes are not what an encoder would have written.
        """
        ...


@runtime_checkable
class RowCoder(Protocol):
    """A Coder that decodes all planes side by side, into rows that lie anywhere."""

    def decode_rows(
        self, parts: Sequence[bytes], planes: Planes, side: Side, rows: Sequence[NDArray[np.int32]]
    ) -> None:
        """Decode planes from the bytes that `gscompress.entropy.planes` makes of each level.

        Args:
            parts: The bytes of each level of ``side``.
            planes: How they depend on each other.
            side: As given to the encoder.
            rows: Where the values of each plane go [N], with any stride; zeros so far.

        Raises:
            CorruptFileError: The bytes are not what an encoder would have written.
        """
        ...
