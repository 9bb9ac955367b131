"""Colour: spherical harmonics in YCoCg, uniformly quantized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter, TwoStep
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.parallel import in_parallel, threads
from gscompress.codecs.quantize import SLACK, check_adapt, check_positive, rounded
from gscompress.codecs.sh_search import ShSearch
from gscompress.entropy.base import Integers, Planes
from gscompress.gaussians import SH_C0, Array

__all__ = ["YCoCg"]

_Steps = tuple[NDArray[np.float64], NDArray[np.float64]]  # [N] each

_CONSTANT = Planes(partners=(-1, 0, 1))

_DEAREST = 32.0
"""Times the price of a bit: as much as trimming raises it."""


@dataclass(frozen=True)
class YCoCg(TwoStep):
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

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> None:
        """Write coefficients [N, K, 3]."""
        self.encode_guided(values, decoded, streams, Guidance())

    def encode_guided(
        self, values: Array, decoded: Decoded, streams: StreamWriter, guidance: Guidance
    ) -> None:
        """Write coefficients [N, K, 3]; with sightings, the integers that show the least."""
        terms = values.shape[1] - 1
        search = self.views > 0 and guidance.sightings is not None
        first = self._first_steps(decoded)
        planes = _Planes.empty(terms if search else 0, len(values))
        self._round(values, 0, first, planes.first[:1], planes.first[1:])
        if search:
            higher = self._higher_steps(decoded)
            self._round(values, 1, higher, *planes.higher)
            self._search(planes, values, (first, higher), decoded, guidance)
        streams.put_planes("sh0", planes.first, _CONSTANT, decoded.side)
        found = {"luma": planes.luma, "chroma": planes.chroma}
        del planes, first
        for name, channels in (("luma", 1), ("chroma", 2)) if terms else ():
            # These planes take most of the memory: one stream after the other.
            levels = found.pop(name) if search else self._nearest(values, channels, decoded)
            _set_flags(levels, channels)
            streams.put_planes(f"shN.{name}", levels, _planes(channels, terms), decoded.side)
            del levels

    def read(self, decoded: Decoded, streams: StreamReader) -> _Planes | Array:
        """Give integers: planes, or in the memory of the values where the coder can do that."""
        terms = (decoded.sh_degree + 1) ** 2 - 1
        # Luma and chroma are streams of their own so that they can be decoded side by side;
        # chroma would gain next to nothing from luma.
        parts = {"sh0": _CONSTANT}
        if terms:
            parts |= {"shN.luma": _planes(1, terms), "shN.chroma": _planes(2, terms)}
        if not streams.fills_rows:
            jobs = (
                partial(streams.get_planes, name, planes, decoded.side)
                for name, planes in parts.items()
            )
            return _Planes(*in_parallel(*jobs))
        out = np.zeros(decoded.shape("sh"), np.float32)
        y, co, cg = out.view(np.int32).T  # [K, N] each
        flags = np.zeros((3, decoded.count), np.int32)
        rows = [y[0], co[0], cg[0]], [flags[0], *y[1:]], [*flags[1:], *co[1:], *cg[1:]]
        in_parallel(
            *(
                partial(streams.fill_rows, name, planes, decoded.side, row)
                for (name, planes), row in zip(parts.items(), rows, strict=False)
            )
        )
        return out

    def scaled(self, factor: float) -> YCoCg:
        """All steps times ``factor``."""
        step, sh_step = rounded(self.step * factor), rounded(self.sh_step * factor)
        return replace(self, step=step, sh_step=sh_step)

    def trimmed(self, share: float) -> YCoCg:
        """Bits worth more where the views are known, else a wider zone of zeros."""
        if self.views > 0:
            return replace(self, compaction=rounded(self.compaction * _DEAREST**share))
        return replace(self, rounding=rounded(self.rounding * (1 - share)))

    def bounded(self, values: Array, limits: Mapping[str, float]) -> YCoCg:
        """Equal steps for all, from the largest errors of red, green and blue.

        Red is wrong by half a luma step and half a chroma step. Chroma steps of twice the luma step
        make the cells that fit into that as large as they can be.
        """
        step = rounded(SLACK * 2 / 3 * limits["sh0"]) if "sh0" in limits else self.step
        sh_step = rounded(SLACK * 2 / 3 * limits["shN"]) if "shN" in limits else self.sh_step
        return replace(self, step=step, sh_step=sh_step, chroma=2.0, adapt=0, rounding=0.5, views=0)

    def _nearest(self, values: Array, channels: int, decoded: Decoded) -> Integers:
        """Room for flags, and the nearest integers of Y or of Co and Cg; in 16 bits if they fit."""
        steps, shape = self._higher_steps(decoded), (channels * values.shape[1], len(values))
        short = np.empty(shape, np.int16)
        if self._round(values, 1, steps, *_either(short, channels)):
            return short
        del short
        levels = np.empty(shape, np.int32)
        self._round(values, 1, steps, *_either(levels, channels))
        return levels

    def _round(
        self,
        values: Array,
        first: int,
        steps: NDArray[np.float64],  # [N]
        luma: Integers,  # [T, N]
        chroma: Integers,  # [2 T, N]
    ) -> bool:
        """Nearest integers of the terms from ``first`` on; planes without rows are left out.

        Says whether all of them fit.
        """
        rounding = self.rounding if first else 0.5
        return _native.quantize_ycocg(values, steps, self.chroma, first, rounding, luma, chroma)

    def _search(
        self, planes: _Planes, values: Array, steps: _Steps, decoded: Decoded, guidance: Guidance
    ) -> None:
        assert guidance.sightings is not None
        ShSearch(self.compaction, self.damping).refine(
            (planes.first, *planes.higher),
            values,
            decoded.attributes["means"],
            steps,
            self.chroma,
            guidance.sightings,
        )

    def values(self, symbols: _Planes | Array, decoded: Decoded) -> Array:
        """Give coefficients [N, K, 3]."""
        first, higher = self._first_steps(decoded), self._higher_steps(decoded)
        if not isinstance(symbols, _Planes):
            _native.dequantize_ycocg_in_place(symbols, first, higher, self.chroma, threads())
            return symbols
        out = np.empty(decoded.shape("sh"), np.float32)
        constant = symbols.first[:1], symbols.first[1:]
        _native.dequantize_ycocg(*constant, first, self.chroma, 0, out, threads())
        if out.shape[1] > 1:
            _native.dequantize_ycocg(*symbols.higher, higher, self.chroma, 1, out, threads())
        return out

    def _first_steps(self, decoded: Decoded) -> NDArray[np.float64]:  # [N]
        """Luma steps of the constant term."""
        return np.asarray(self.step / SH_C0 * decoded.step_factors(self.adapt))

    def _higher_steps(self, decoded: Decoded) -> NDArray[np.float64]:  # [N]
        """Luma steps of the other terms."""
        return np.asarray(self.sh_step * decoded.step_factors(self.adapt))


@dataclass(frozen=True, eq=False)
class _Planes:
    """Integers as the streams hold them.

    Attributes:
        first: Y, Co and Cg of the constant term [3, N].
        luma: Whether any Y above it is not 0, and these [1 + K - 1, N].
        chroma: The same of Co and Cg: two flags, Co, Cg [2 + 2 (K - 1), N].
    """

    first: NDArray[np.int32]
    luma: NDArray[np.int32] = field(default_factory=lambda: np.empty((1, 0), np.int32))
    chroma: NDArray[np.int32] = field(default_factory=lambda: np.empty((2, 0), np.int32))

    @classmethod
    def empty(cls, terms: int, count: int) -> _Planes:
        """Room for ``terms`` above the constant one."""
        rows = 3, 1 + terms, 2 + 2 * terms
        return cls(*(np.empty((n, count), np.int32) for n in rows))

    @property
    def higher(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Luma and chroma without their flags."""
        return self.luma[1:], self.chroma[2:]


def _either(levels: Integers, channels: int) -> tuple[Integers, Integers]:
    """Luma and chroma behind their flags, where there are planes of one of them only."""
    nothing, planes = levels[:0], levels[channels:]
    return (planes, nothing) if channels == 1 else (nothing, planes)


def _set_flags(planes: Integers, channels: int) -> None:
    """Set the leading rows, a flag per channel, to what the channels' planes say."""
    flags = planes[:channels]
    flags[:] = 0
    for flag, channel in zip(flags, np.split(planes[channels:], channels), strict=True):
        for plane in channel:
            flag |= plane != 0


def _planes(channels: int, count: int) -> Planes:
    """A flag per channel, then its ``count`` planes; a channel goes with the one before."""
    partners = [channel - 1 for channel in range(channels)]
    for channel in range(channels):
        before = channels + (channel - 1) * count
        partners += [before + k if channel else -1 for k in range(count)]
    gates = (-1,) * channels + tuple(c for c in range(channels) for _ in range(count))
    return Planes(partners=tuple(partners), trust=1, gates=gates)
