"""The coder ``zstd``: symbols as planes of bytes, compressed by Zstandard.

Contexts are not used: what they say is lost, so streams are larger than those of ``rans``. The
format is worth having as a yardstick and for data with long repeats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import zstandard
from numpy.typing import NDArray

from gscompress.entropy.base import Symbols
from gscompress.errors import ConfigError, CorruptFileError
from gscompress.files import decompress_exactly

__all__ = ["Zstd"]


@dataclass(frozen=True)
class Zstd:
    """Zigzag-folded values, low bytes first, as one Zstandard frame.

    Stream: one byte, the number of planes (1 to 4), then the frame.

    Attributes:
        level: Compression level, 1 (fast) to 22 (small).
    """

    level: int = 19

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 22:
            raise ConfigError("coder 'zstd'", "level", found=self.level, expected="1 to 22")

    def encode(self, symbols: Symbols) -> bytes:
        """Encode all symbols; see ``gscompress.entropy.base.Coder``."""
        values = symbols.values
        folded = ((values << 1) ^ (values >> 31)).view(np.uint32)
        planes = 1
        if folded.size:
            planes = max(1, (int(folded.max()).bit_length() + 7) // 8)
        octets = folded.astype("<u4").view(np.uint8).reshape(-1, 4)
        body = np.ascontiguousarray(octets[:, :planes].T).tobytes()
        frame = zstandard.ZstdCompressor(level=self.level, write_content_size=True).compress(body)
        return bytes([planes]) + frame

    def decode(
        self, data: bytes, count: int, contexts: NDArray[np.uint16] | None = None
    ) -> NDArray[np.int32]:
        """Decode ``count`` symbols; see ``gscompress.entropy.base.Coder``.

        Raises:
            CorruptFileError: The bytes are no stream of ``count`` symbols.
        """
        planes = data[0] if data else 0
        if not 1 <= planes <= 4:
            raise CorruptFileError(
                "zstd stream", "planes of bytes", found=planes, expected="1 to 4"
            )
        body = np.frombuffer(decompress_exactly(data[1:], planes * count, "zstd stream"), np.uint8)
        octets = np.zeros((count, 4), np.uint8)
        octets[:, :planes] = body.reshape(planes, count).T
        folded = octets.view("<u4").reshape(-1).astype(np.uint32)
        return ((folded >> 1) ^ (0 - (folded & 1))).astype(np.uint32).view(np.int32)
