"""Colour: spherical harmonics in YCoCg, uniformly quantized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.base import Codec, Decoded, StreamReader, StreamWriter
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.parallel import in_parallel
from gscompress.codecs.quantize import SLACK, check_adapt, check_positive, rounded
from gscompress.codecs.sh_search import Levels, ShSearch
from gscompress.entropy.base import Planes
from gscompress.gaussians import SH_C0, Array

__all__ = ["YCoCg"]

_CONSTANT = Planes(partners=(-1, 0, 1))
_STREAMS = {"shN.luma": slice(0, 1), "shN.chroma": slice(1, 3)}
"""Two streams, so that they can be decoded side by side; chroma gains next to nothing from luma."""


@dataclass(frozen=True)
class YCoCg(Codec):
    """Spherical harmonics as luma and two chroma differences, in equal steps.

    YCoCg (H. Malvar, G. Sullivan, "YCoCg-R", 2003) removes most of the correlation of red, green
    and blue. Per Gaussian and channel a flag says whether any coefficient above the constant one
    is not zero.

    Attributes:
        step: Step of the luma of the constant term, in units of the colour (0..1).
        sh_step: Step of the luma of the other coefficients.
        chroma: Chroma steps are the luma steps times this.
        adapt: The step shrinks with importance w as w^(-adapt/8).
        rounding: Rounding offset of the coefficients above the constant one; below 0.5 small
            values tend to zero.
        views: From how many training cameras the encoder finds out which errors of the coefficients
            show, to choose better integers than the nearest ones; 0 for the nearest ones.
        compaction: How much of an error, in squared steps, the encoder accepts to save a bit where
            it knows the views; see `gscompress.codecs.sh_search.ShSearch`.
        damping: Views from everywhere that are added to each Gaussian's views.
    """

    step: float = 1 / 48
    sh_step: float = 0.033
    chroma: float = 1.5
    adapt: int = 2
    rounding: float = 0.42
    views: int = 0
    compaction: float = 0.064
    damping: float = 1.0

    def __post_init__(self) -> None:
        check_positive(step=self.step, sh_step=self.sh_step, chroma=self.chroma)
        check_adapt(self.adapt)
        if not 0 <= self.rounding <= 0.5:
            raise ValueError(f"rounding is {self.rounding}, expected 0 to 0.5")
        if self.views < 0:
            raise ValueError(f"views is {self.views}, expected 0 or more")
        for name in ("compaction", "damping"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> Array:
        """Write coefficients [N, K, 3]."""
        return self.encode_guided(values, decoded, streams, Guidance())

    def encode_guided(
        self, values: Array, decoded: Decoded, streams: StreamWriter, guidance: Guidance
    ) -> Array:
        """Write coefficients [N, K, 3]; with sightings, the integers that show the least."""
        terms = values.shape[1]
        factors = decoded.step_factors(self.adapt)
        first, higher = self._levels(values, factors, decoded, guidance)
        streams.put_planes("sh0", first[:, 0], _CONSTANT, decoded.side)
        if terms == 1:
            return self._values(first, None, factors, decoded)
        flags = (higher != 0).any(axis=1).astype(np.int32)
        for name, channels in _STREAMS.items():
            own = higher[channels]
            planes = own.reshape(len(own) * (terms - 1), len(values))
            stacked = np.concatenate([flags[channels], planes])
            streams.put_planes(name, stacked, _planes(len(own), terms - 1), decoded.side)
        return self._values(first, higher, factors, decoded)

    def decode(self, decoded: Decoded, streams: StreamReader) -> Array:
        """Give coefficients [N, K, 3]."""
        factors = decoded.step_factors(self.adapt)
        count = (decoded.sh_degree + 1) ** 2 - 1
        if count == 0:
            first = streams.get_planes("sh0", _CONSTANT, decoded.side)
            return self._values(first[:, None], None, factors, decoded)
        first, luma, chroma = in_parallel(
            lambda: streams.get_planes("sh0", _CONSTANT, decoded.side),
            lambda: streams.get_planes("shN.luma", _planes(1, count), decoded.side),
            lambda: streams.get_planes("shN.chroma", _planes(2, count), decoded.side),
        )
        shape = (count, decoded.count)
        higher = np.concatenate([luma[1:].reshape(1, *shape), chroma[2:].reshape(2, *shape)])
        return self._values(first[:, None], higher, factors, decoded)

    def scaled(self, factor: float) -> YCoCg:
        """All steps times ``factor``."""
        step, sh_step = rounded(self.step * factor), rounded(self.sh_step * factor)
        return replace(self, step=step, sh_step=sh_step)

    def bounded(self, values: Array, limits: Mapping[str, float]) -> YCoCg:
        """Equal steps for all, from the largest errors of red, green and blue.

        Red is wrong by half a luma step and half a chroma step. Chroma steps of twice the luma step
        make the cells that fit into that as large as they can be.
        """
        step = rounded(SLACK * 2 / 3 * limits["sh0"]) if "sh0" in limits else self.step
        sh_step = rounded(SLACK * 2 / 3 * limits["shN"]) if "shN" in limits else self.sh_step
        return replace(self, step=step, sh_step=sh_step, chroma=2.0, adapt=0, rounding=0.5, views=0)

    def _levels(
        self,
        values: Array,
        factors: NDArray[np.float64],  # [N]
        decoded: Decoded,
        guidance: Guidance,
    ) -> Levels:
        steps = self._first(factors), self._higher(factors)
        terms = values.shape[1]
        levels = (
            _native.quantize_ycocg(values, 0, 1, steps[0], self.chroma, 0.5),
            _native.quantize_ycocg(values, 1, terms, steps[1], self.chroma, self.rounding),
        )
        if self.views > 0 and guidance.sightings is not None:
            search = ShSearch(self.compaction, self.damping)
            means = decoded.attributes["means"]
            search.refine(levels, values, means, steps, self.chroma, guidance.sightings)
        return levels

    def _values(
        self,
        first: NDArray[np.int32],  # [3, 1, N]
        higher: NDArray[np.int32] | None,  # [3, K - 1, N]
        factors: NDArray[np.float64],  # [N]
        decoded: Decoded,
    ) -> Array:
        out = np.empty(decoded.shape("sh"), np.float32)
        first = np.ascontiguousarray(first)
        _native.dequantize_ycocg(first, self._first(factors), self.chroma, 0, out)
        if higher is not None:
            _native.dequantize_ycocg(higher, self._higher(factors), self.chroma, 1, out)
        return out

    def _first(self, factors: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.step / SH_C0 * factors)

    def _higher(self, factors: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.sh_step * factors)


def _planes(channels: int, count: int) -> Planes:
    """A flag per channel, then its ``count`` planes; a channel goes with the one before."""
    partners = [channel - 1 for channel in range(channels)]
    for channel in range(channels):
        before = channels + (channel - 1) * count
        partners += [before + k if channel else -1 for k in range(count)]
    gates = (-1,) * channels + tuple(c for c in range(channels) for _ in range(count))
    return Planes(partners=tuple(partners), trust=1, gates=gates)
