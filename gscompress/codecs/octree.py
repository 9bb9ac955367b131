"""Positions as the cells of an octree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gscompress import _native
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.morton import FRAME, Morton
from gscompress.codecs.streams import level_slices
from gscompress.gaussians import Array

__all__ = ["Octree"]


@dataclass(frozen=True)
class Octree(Morton):
    """Positions rounded to the grid of `gscompress.codecs.morton`, lossless from there on.

    Level by level the eight children of each node are coded as occupied or not, in the context of
    what is around: as G-PCC (ISO/IEC 23090-9) does, which is what LightGaussian (arXiv:2311.17245)
    has for positions. A node with nothing around, which mostly holds one point, says so, and
    where in it the point is. Several Gaussians may share a cell. Each level of the scene is a tree
    of its own. 2 to 5 % fewer bits than
    differences of Morton codes, at three times their decoding time.
    """

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> Array:
        """Write positions [N, 3] in coding order."""
        frame = self._frame(values)
        streams.put_bytes("frame", frame.tobytes())
        codes = _native.morton_encode(self._to_grid(values, frame))
        parts = [codes[level] for level in level_slices(decoded.levels)]
        streams.put_parts("means", [_native.encode_octree(part, self.bits) for part in parts])
        return self._values(codes, frame, decoded)

    def decode(self, decoded: Decoded, streams: StreamReader) -> Array:
        """Give positions [N, 3]; makes the grid known."""
        frame = np.frombuffer(streams.get_bytes("frame", FRAME.size), "<f8")
        if not np.isfinite(frame).all() or frame[3] <= 0:
            raise streams.corrupt("frame", "numbers that span no space")
        codes = np.empty(decoded.count, np.uint64)
        parts = zip(level_slices(decoded.levels), streams.get_parts("means"), strict=True)
        try:
            for level, part in parts:
                codes[level] = _native.decode_octree(part, level.stop - level.start, self.bits)
        except _native.BrokenOctree as error:
            raise streams.corrupt("means", str(error)) from None
        return self._values(codes, frame, decoded)
