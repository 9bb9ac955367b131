"""Positions on an integer grid of a contracted space, in Morton order."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.base import Codec, Decoded, StreamReader, StreamWriter
from gscompress.codecs.parallel import by_blocks, threads
from gscompress.codecs.quantize import SLACK
from gscompress.codecs.streams import level_slices
from gscompress.entropy.base import Symbols
from gscompress.gaussians import Array

__all__ = ["Morton"]

_MIN_BITS, _MAX_BITS = 4, 21
FRAME = struct.Struct("<7d")
"""Centre (3), radius, lower corner of the grid in contracted space (3)."""


@dataclass(frozen=True)
class Morton(Codec):
    """Positions rounded to a grid and coded as differences of their Morton codes.

    Space is contracted first (Mip-NeRF 360, arXiv:2111.12077, eq. 10): within the radius around the
    centre nothing changes, beyond it u = (2 - 1/r) x/r, so that a far background does not cost
    depth. The centre is the median, the radius a quantile of the distances to it. Each level of the
    scene is in Morton order by itself.

    Attributes:
        bits: Bits per axis over the contracted ball's width (4 radii): the step is
            radius / 2^(bits - 2) inside the radius.
        quantile: Share of the Gaussians within the radius.
    """

    bits: int = 16
    quantile: float = 0.75

    def __post_init__(self) -> None:
        if not _MIN_BITS <= self.bits <= _MAX_BITS:
            raise ValueError(f"bits is {self.bits}, expected {_MIN_BITS} to {_MAX_BITS}")
        if not 0 < self.quantile <= 1:
            raise ValueError(f"quantile is {self.quantile}, expected above 0 and at most 1")

    def order(self, means: Array) -> NDArray[np.intp]:
        """The coding order of positions [N, 3]."""
        if len(means) == 0:
            return np.zeros(0, np.intp)
        grid = self._to_grid(means, self._frame(means))
        return np.argsort(_native.morton_encode(grid), kind="stable")

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> Array:
        """Write positions [N, 3] in coding order."""
        frame = self._frame(values)
        streams.put_bytes("frame", frame.tobytes())
        codes = _native.morton_encode(self._to_grid(values, frame))
        deltas = np.concatenate(
            [np.diff(codes[level], prepend=np.uint64(0)) for level in level_slices(decoded.levels)]
        )
        lengths = _bit_lengths(deltas)
        streams.put("means", Symbols(lengths.astype(np.int32)))
        streams.put_bits("means.low", deltas, np.maximum(lengths, 1) - 1)
        return self._values(codes, frame, decoded)

    def decode(self, decoded: Decoded, streams: StreamReader) -> Array:
        """Give positions [N, 3]; makes the grid known."""
        frame = np.frombuffer(streams.get_bytes("frame", FRAME.size), "<f8")
        if not np.isfinite(frame).all() or frame[3] <= 0:
            raise streams.corrupt("frame", "numbers that span no space")
        lengths = streams.get("means")
        if ((lengths < 0) | (lengths > 3 * self.bits)).any():
            raise streams.corrupt("means", "a difference out of range")
        codes = streams.get_sums("means.low", lengths)
        if codes.max(initial=0) >> np.uint64(3 * self.bits):
            raise streams.corrupt("means", "positions outside the grid")
        return self._values(codes, frame, decoded)

    def scaled(self, factor: float) -> Morton:
        """Bits for steps about ``factor`` times as wide: they change in powers of 2."""
        bits = self.bits - round(math.log2(factor))
        return replace(self, bits=int(np.clip(bits, _MIN_BITS, _MAX_BITS)))

    def bounded(self, values: Array, limits: Mapping[str, float]) -> Morton | None:
        """No contraction, and the bits that the largest distance to a decoded position needs."""
        uniform = replace(self, quantile=1.0)
        radius = float(uniform._frame(values)[3])
        rounding = float(np.abs(values).max(initial=0)) * 2.0**-24  # to float32, of each coordinate
        half = SLACK * limits["means"] / math.sqrt(3) - rounding
        if half <= 2 * radius / 2**_MAX_BITS:
            return None
        return replace(uniform, bits=max(_MIN_BITS, math.ceil(math.log2(2 * radius / half))))

    def _values(
        self, codes: NDArray[np.uint64], frame: NDArray[np.float64], decoded: Decoded
    ) -> Array:
        grid = _native.morton_decode(codes, threads())
        decoded.set_grid(grid)
        return self._from_grid(grid, frame)

    def _step(self) -> float:
        return float(4.0 / 2**self.bits)

    def _frame(self, means: Array) -> NDArray[np.float64]:  # [7]
        if len(means) == 0:
            return np.array([0, 0, 0, 1, 0, 0, 0], np.float64)
        centre = np.median(means, axis=0).astype(np.float64)
        distance = np.linalg.norm(means - centre, axis=1)
        radius = float(np.quantile(distance, self.quantile)) or float(distance.max()) or 1.0
        lower = _contract((means - centre) / radius).min(axis=0)
        return np.concatenate([centre, [radius], lower])

    def _to_grid(self, means: Array, frame: NDArray[np.float64]) -> NDArray[np.uint32]:
        grid = np.empty((len(means), 3), np.uint32)

        def fill(block: slice) -> None:
            contracted = _contract((means[block] - frame[:3]) / frame[3]) - frame[4:]
            grid[block] = np.clip(np.rint(contracted / self._step()), 0, 2**self.bits - 1)

        by_blocks(fill, len(means))
        return grid

    def _from_grid(self, grid: NDArray[np.uint32], frame: NDArray[np.float64]) -> Array:
        step, (radius, *lower) = self._step(), frame[3:].tolist()
        return _native.positions_from_grid(
            grid, frame[:3].tolist(), radius, lower, step, 2 - step / 8, threads()
        )


def _contract(x: NDArray[np.float64]) -> NDArray[np.float64]:  # [N, 3]
    r = np.sqrt(x[:, 0] ** 2 + x[:, 1] ** 2 + x[:, 2] ** 2)
    r = np.maximum(r, 1.0)[:, None]
    return np.asarray(x / r * (2 - 1 / r))


def _bit_lengths(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Bits needed to write each value; 0 for 0."""
    high = (values >> np.uint64(32)).astype(np.float64)
    low = (values & np.uint64(0xFFFFFFFF)).astype(np.float64)
    lengths = np.where(high > 0, np.frexp(high)[1] + 32, np.frexp(low)[1])
    return lengths.astype(np.uint8)
