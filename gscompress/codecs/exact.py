"""Any attribute, float32 bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.base import Codec, Decoded, StreamReader, StreamWriter
from gscompress.entropy.base import Planes
from gscompress.gaussians import Array

__all__ = ["Exact"]

_GRID_BITS = 20


@dataclass(frozen=True)
class Exact(Codec):
    """Lossless: the difference of each float's bit pattern to that of a nearby Gaussian.

    Bit patterns are taken in numeric order, so that close floats have close patterns. The signed
    length of the difference in bits is modelled and entropy-coded, the bits below its leading one
    are nearly random and stored as they are. A channel whose differences are longer than the
    patterns relative to the channel's median is coded relative to that instead.
    """

    def order(self, means: Array) -> NDArray[np.intp]:
        """The coding order of positions [N, 3]: along a Morton curve."""
        grid = _grid(means, _frame(means))
        return np.argsort(_native.morton_encode(grid), kind="stable")

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> Array:
        """Write float32 values of any shape [N, ...]."""
        channels = int(np.prod(values.shape[1:], dtype=np.int64))
        patterns = _to_ordered(values.reshape(decoded.count, channels).T)  # [C, N]
        before = patterns[:, decoded.side.references]
        before[:, :1] = 0
        centres = (
            np.sort(patterns, axis=1)[:, decoded.count // 2]
            if decoded.count
            else np.zeros(channels, np.int64)
        )
        near = patterns - before
        central = patterns - centres[:, None]
        use_near = _lengths(near).sum(axis=1) <= _lengths(central).sum(axis=1)
        residuals = np.where(use_near[:, None], near, central)
        header = np.concatenate([use_near.astype("<i8"), centres.astype("<i8")])
        streams.put_bytes(f"{streams.group}.base", header.astype("<i8").tobytes())
        lengths = _lengths(residuals)
        signed = np.where(residuals < 0, -lengths, lengths).astype(np.int32)
        streams.put_planes(streams.group, signed, _planes(len(signed)), decoded.side)
        streams.put_bits(
            f"{streams.group}.low",
            np.abs(residuals.T).astype(np.uint64).ravel(),
            (np.maximum(lengths.T, 1) - 1).astype(np.uint8).ravel(),
            [channels * end for end in decoded.levels],
        )
        if streams.group == "means":
            frame = _frame(values)
            streams.put_bytes("frame", frame.tobytes())
            decoded.set_grid(_grid(values, frame))
        return values

    def decode(self, decoded: Decoded, streams: StreamReader) -> Array:
        """Give the float32 values."""
        group = streams.group
        shape = decoded.shape(group)
        channels = int(np.prod(shape[1:], dtype=np.int64))
        header = np.frombuffer(streams.get_bytes(f"{group}.base", 16 * channels), "<i8")
        use_near, centres = header[:channels] != 0, header[channels:]
        if (np.abs(centres) > 2**32).any():
            raise streams.corrupt(f"{group}.base", "a centre out of range")
        signed = streams.get_planes(group, _planes(channels), decoded.side)
        lengths = np.abs(signed)
        if (lengths > 33).any():
            raise streams.corrupt(group, "a length out of range", "at most 33 bits")
        widths = (np.maximum(lengths, 1) - 1).astype(np.uint8)
        ends = [channels * end for end in decoded.levels]
        low = streams.get_bits(f"{group}.low", widths.T.ravel(), ends)
        magnitude = np.where(lengths > 0, 1 << widths.astype(np.int64), 0)
        magnitude += low.astype(np.int64).reshape(decoded.count, channels).T
        residuals = np.where(signed < 0, -magnitude, magnitude)
        patterns = np.empty_like(residuals)
        for c in range(channels):
            if use_near[c]:
                patterns[c] = _resolve(residuals[c], decoded)
            else:
                patterns[c] = residuals[c] + centres[c]
        if ((patterns < -(2**31)) | (patterns >= 2**31)).any():
            raise streams.corrupt(group, "a bit pattern out of range")
        values = _from_ordered(patterns).T.reshape(shape)
        if group == "means":
            frame = np.frombuffer(streams.get_bytes("frame", 32), "<f8")
            if not np.isfinite(frame).all() or frame[3] <= 0:
                raise streams.corrupt("frame", "numbers that span no space")
            decoded.set_grid(_grid(values, frame))
        return np.ascontiguousarray(values)


def _resolve(residuals: NDArray[np.int64], decoded: Decoded) -> NDArray[np.int64]:
    """Add references in coding order. 32-bit wrap-around is harmless: patterns have 32 bits."""
    everyone = np.ones(decoded.count, bool)
    wrapped = residuals.astype(np.uint64).astype(np.uint32).view(np.int32)
    return _native.resolve_references(wrapped, decoded.side.references, everyone, everyone).astype(
        np.int64
    )


def _planes(channels: int) -> Planes:
    return Planes(partners=tuple(range(-1, channels - 1)), trust=-1)


def _lengths(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits needed to write each magnitude (below 2^53)."""
    return np.frexp(np.abs(values).astype(np.float64))[1].astype(np.int64)


def _to_ordered(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Bit patterns as integers in numeric order; -0.0 comes just before 0.0."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(2**31) - bits - 1, bits)


def _from_ordered(patterns: NDArray[np.int64]) -> NDArray[np.float32]:
    bits = np.where(patterns < 0, -(2**31) - patterns - 1, patterns)
    return bits.astype(np.int32).view(np.float32)


def _frame(means: Array) -> NDArray[np.float64]:  # [4]
    """Lower corner and extent of positions [N, 3]."""
    if len(means) == 0:
        return np.array([0, 0, 0, 1], np.float64)
    low, high = means.min(axis=0).astype(np.float64), means.max(axis=0).astype(np.float64)
    return np.append(low, float((high - low).max()) or 1.0)


def _grid(means: Array, frame: NDArray[np.float64]) -> NDArray[np.uint32]:  # [N, 3]
    cells = np.nan_to_num((means - frame[:3]) / frame[3]) * (2**_GRID_BITS - 1)
    return np.asarray(np.clip(cells, 0, 2**_GRID_BITS - 1), dtype=np.uint32)
