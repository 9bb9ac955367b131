"""The coder ``rans``: native integer rANS; the preset ``fast`` uses it.

Every table is made of integers by integer arithmetic: the same symbols give the same bytes, and the
same bytes the same symbols, on every machine, compiler and number of threads. The interpreter's
lock is released while coding, so streams can be coded in parallel threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.entropy.base import Planes, Side, Symbols
from gscompress.errors import ConfigError, CorruptFileError

__all__ = ["Rans"]

_MODELS = {"auto": 7, "smallest": 6, "static": 1, "adaptive": 2, "binary": 3}


@dataclass(frozen=True)
class Rans:
    """Interleaved rANS (J. Duda, arXiv:1311.2540) over tokens of at most 8 bits.

    A stream names its model, so any instance decodes what any other encoded.

    Attributes:
        model: ``static``: one table of frequencies per group of alike contexts, stored before the
            symbols (fastest). ``adaptive``: tables that learn from what was decoded (a third of
            the speed). ``binary``: each value as adaptive binary decisions, which learn fastest
            (slow where values are large). ``auto``: static, unless a slower one saves at least
            1/256: adaptive, or binary where values are small or few. ``smallest``: the smallest.
    """

    model: Literal["auto", "smallest", "static", "adaptive", "binary"] = "auto"

    def __post_init__(self) -> None:
        if self.model not in _MODELS:
            raise ConfigError(
                "coder 'rans'", "model", found=self.model, expected="one of " + ", ".join(_MODELS)
            )

    def encode(self, symbols: Symbols) -> bytes:
        """Encode all symbols; see ``gscompress.entropy.base.Coder``."""
        values, contexts = _arrays(symbols.values, symbols.contexts)
        return _native.rans_encode(values, contexts, _MODELS[self.model])

    def decode(
        self, data: bytes, count: int, contexts: NDArray[np.uint16] | None = None
    ) -> NDArray[np.int32]:
        """Decode ``count`` symbols; see ``gscompress.entropy.base.Coder``.

        Raises:
            CorruptFileError: The bytes are no stream of ``count`` symbols in these contexts.
        """
        if contexts is not None:
            contexts = np.ascontiguousarray(contexts, np.uint16)
        try:
            return _native.rans_decode(data, count, contexts)
        except _native.CorruptStream as error:
            raise CorruptFileError(
                "rans stream", found=str(error), expected=f"a stream of {count} values"
            ) from error

    def decode_rows(
        self, parts: Sequence[bytes], planes: Planes, side: Side, rows: Sequence[NDArray[np.int32]]
    ) -> None:
        """Decode planes side by side; see ``gscompress.entropy.base.RowCoder``."""
        known = side.references, side.nearness, side.classes, side.levels
        try:
            _native.decode_plane_streams(parts, planes.table(), *known, rows)
        except _native.CorruptStream as error:
            raise CorruptFileError("rans planes", found=str(error)) from error


def _arrays(
    values: NDArray[np.int32], contexts: NDArray[np.uint16] | None
) -> tuple[NDArray[np.int32], NDArray[np.uint16] | None]:
    """Both as contiguous vectors; their types are part of the contract and not converted."""
    assert values.dtype == np.int32, values.dtype
    assert values.ndim == 1, values.shape
    if contexts is not None:
        assert contexts.dtype == np.uint16, contexts.dtype
        assert contexts.shape == values.shape, (contexts.shape, values.shape)
        contexts = np.ascontiguousarray(contexts)
    return np.ascontiguousarray(values), contexts
