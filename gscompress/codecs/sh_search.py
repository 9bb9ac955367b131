"""Quantized spherical harmonics chosen by what the images lose and what the integers cost.

Encoder side only. Errors e of the K coefficients of a Gaussian change the images by e^T G e, with G
the sum over cameras of weight * Y Y^T and Y the harmonics in the camera's direction. Few cameras
see much of the sphere, so most of the space of coefficients is invisible: there the cheapest
integers will do. That is energy compaction (POTR, 2026) done on the integers: they are
chosen from the highest term down to the constant one, each making up for what those above it have
lost (error feedback: E. Frantar et al., "GPTQ", arXiv:2210.17323), and each the least of squared
error + price * bits. The bits are those of a static model, learned from the scene's own integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.guidance import WEIGHTS, Sightings
from gscompress.codecs.parallel import threads
from gscompress.gaussians import Array

__all__ = ["ShSearch"]

Levels = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
"""Planes: Y, Co, Cg of the constant term [3, N], Y [K - 1, N] and Co, Cg [2 (K - 1), N] of the
others."""

_SIZES = 32
_SAMPLE = 8_000
"""So many Gaussians are enough to learn from."""


@dataclass(frozen=True)
class ShSearch:
    """How to choose integers.

    Attributes:
        compaction: What a bit is worth: as many squared errors as a Gaussian of median visibility
            makes when the luma of a term is wrong by one step. 0 gives the integers nearest to
            what error feedback asks for.
        damping: How many views from everywhere are added to the views of each Gaussian, each as
            heavy as its typical one. One costs next to nothing at held-out cameras among the
            training cameras; without it, few cameras say too much and other views lose.
        rounds: How often the cost of symbols is learned anew from the integers chosen so far.
    """

    compaction: float
    damping: float
    rounds: int = 3

    def refine(
        self,
        levels: Levels,
        values: Array,  # [N, K, 3]
        means: Array,  # [N, 3]
        steps: tuple[NDArray[np.float64], NDArray[np.float64]],  # [N] each
        chroma: float,
        sightings: Sightings,
    ) -> None:
        """Change nearest integers in place, but for Gaussians that no camera sees.

        Args:
            levels: The nearest integers.
            values: Coefficients.
            means: Positions.
            steps: Luma steps of the constant term and of the others.
            chroma: Chroma steps are the luma steps times this.
            sightings: From where the Gaussians are seen.
        """
        price = self._bit_price(steps[1], sightings)
        bits: tuple[Array, Array] | None = None

        def search(rows: slice, into: Levels) -> None:
            _native.search_sh(
                np.ascontiguousarray(values[rows]),
                np.ascontiguousarray(steps[0][rows]),
                np.ascontiguousarray(steps[1][rows]),
                chroma,
                means=np.ascontiguousarray(means[rows]),
                eyes=np.ascontiguousarray(sightings.eyes, dtype=np.float32),
                codes=sightings.select(rows).codes,
                weights=WEIGHTS,
                damping=self.damping,
                bit_price=price,
                sizes=None if bits is None else bits[0],
                flags=None if bits is None else bits[1],
                first=into[0],
                luma=into[1],
                chroma=into[2],
                threads=threads(),
            )

        if price > 0 and values.shape[1] > 1:
            rows = slice(None, None, max(1, len(values) // _SAMPLE))
            first, *higher = (planes[:, rows].copy() for planes in levels)
            for done in range(self.rounds):
                bits = symbol_bits(np.concatenate(higher).reshape(3, *higher[0].shape))
                if done + 1 < self.rounds:
                    search(rows, (first, higher[0], higher[1]))
        search(slice(None), levels)

    def _bit_price(self, steps: NDArray[np.float64], sightings: Sightings) -> float:
        """Squared error, summed over pixels and channels, that a bit may cost.

        Harmonics average 1 / 4 pi when squared; an error of luma is one of three channels.
        """
        visibility = sightings.visibility()
        seen = visibility > 0
        if self.compaction == 0 or not seen.any():
            return 0.0
        typical = np.median(visibility[seen]) * np.median(steps[seen]) ** 2
        return float(self.compaction * 3 / (4 * math.pi) * typical)


def symbol_bits(higher: NDArray[np.int32]) -> tuple[Array, Array]:  # [3, K - 1, N]
    """Bits of integers by term and magnitude [3 (K - 1), 32], and of the channels' flags [3, 2].

    The bits of integers are those in channels that are not all zero.
    """
    terms = higher.shape[1]
    flagged = (higher != 0).any(axis=1)
    sizes = np.empty((3 * terms, _SIZES))
    for channel, flag in zip(range(3), flagged, strict=True):
        kept = np.minimum(np.abs(higher[channel][:, flag]), _SIZES - 1)
        for k in range(terms):
            sizes[channel * terms + k] = np.bincount(kept[k], minlength=_SIZES)
    # Magnitudes that never occur get ever dearer.
    sizes += 1e-2 * np.exp2(-np.arange(_SIZES) / 4)
    bits = -np.log2(sizes / sizes.sum(axis=1, keepdims=True))
    bits[:, 1:] += 1  # the sign
    flags = np.stack([(~flagged).sum(axis=1), flagged.sum(axis=1)], axis=1) + 0.5
    flag_bits = -np.log2(flags / flags.sum(axis=1, keepdims=True))
    return bits.astype(np.float32), flag_bits.astype(np.float32)
