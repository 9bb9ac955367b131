"""A coder that is told of zeros twice: which bands or degrees of a channel hold nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.wrapped import Wrapped
from gscompress.entropy.base import Planes, Side
from gscompress.entropy.planes import decode_planes, encode_planes

__all__ = ["ZeroFlags"]


@dataclass(frozen=True)
class ZeroFlags(Wrapped):
    """Codes more flags before the harmonics; where one is 0, its integers cost nothing.

    The codec of colours has a flag per Gaussian and channel already: whether there is anything
    above the constant term. It stays, and those of other planes are coded as they are.

    Attributes:
        of: A flag for each ``band``, or nested ones that say up to which ``degree`` a channel goes.
    """

    of: Literal["band", "degree"]

    def encode_planes(
        self, values: NDArray[np.int32], planes: Planes, side: Side
    ) -> Sequence[bytes]:
        slots, extended = self._extended(planes)
        rows = [
            (values[slot] != 0).any(axis=0) if isinstance(slot, slice) else values[slot]
            for slot in slots
        ]
        return encode_planes(self.coder, np.array(rows, np.int32), extended, side)

    def decode_planes(
        self, parts: Sequence[bytes], planes: Planes, side: Side
    ) -> NDArray[np.int32]:
        slots, extended = self._extended(planes)
        kept = [slot for slot, meaning in enumerate(slots) if not isinstance(meaning, slice)]
        return decode_planes(self.coder, parts, extended, side)[kept]

    def _extended(self, planes: Planes) -> tuple[list[int | slice], Planes]:
        """What is coded: a plane, or whether any of a slice of planes is not 0; and how."""
        channels = (planes.gates or ()).count(-1)
        if channels == 0 or len(planes) % channels:
            return list(range(len(planes))), planes
        terms = len(planes) // channels - 1
        degree = math.isqrt(terms + 1) - 1
        slots: list[int | slice] = list(range(channels))
        partners, gates = list(planes.partners[:channels]), [-1] * channels
        flags: dict[tuple[int, int], int] = {}  # of channel and band
        for channel in range(channels):
            first = channels + channel * terms - 1  # where the constant term would be
            for band in range(1, degree + 1):
                if self.of == "degree" and band == 1:
                    flags[channel, band] = channel
                    continue
                last = degree if self.of == "degree" else band
                flags[channel, band] = len(slots)
                slots.append(slice(first + band**2, first + (last + 1) ** 2))
                partners.append(flags.get((channel - 1, band), -1))
                gates.append(flags[channel, band - 1] if self.of == "degree" else channel)
        shift = len(slots) - channels
        for plane in range(channels, len(planes)):
            channel, term = divmod(plane - channels, terms)
            slots.append(plane)
            partner = planes.partners[plane]
            partners.append(partner + shift if partner >= channels else partner)
            gates.append(flags[channel, math.isqrt(term + 1)])
        return slots, Planes(tuple(partners), planes.trust, tuple(gates))
