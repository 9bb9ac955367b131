"""Colour: spherical harmonics in YCoCg, each coefficient uniformly quantized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.base import Codec, Decoded, StreamReader, StreamWriter
from gscompress.codecs.quantize import check_positive, to_integers
from gscompress.entropy.base import Planes
from gscompress.gaussians import SH_C0, Array

__all__ = ["YCoCg"]

_CONSTANT = Planes(partners=(-1, 0, 1))


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
    """

    step: float = 1 / 48
    sh_step: float = 0.033
    chroma: float = 1.5
    adapt: int = 2
    rounding: float = 0.42

    def __post_init__(self) -> None:
        check_positive(step=self.step, sh_step=self.sh_step, chroma=self.chroma)
        if not 0 <= self.rounding <= 0.5:
            raise ValueError(f"rounding is {self.rounding}, expected 0 to 0.5")

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> None:
        """Write coefficients [N, K, 3]."""
        colours = _to_ycocg(values.astype(np.float64))
        constant, rest = self._steps(decoded)
        symbols = to_integers(colours[:, 0].T, constant)
        streams.put_planes("sh0", np.ascontiguousarray(symbols), _CONSTANT, decoded.side)
        if values.shape[1] == 1:
            return
        higher = colours[:, 1:].transpose(2, 1, 0)  # [3, K - 1, N]
        symbols = to_integers(higher, rest[:, None], self.rounding)
        flags = (symbols != 0).any(axis=1).astype(np.int32)
        stacked = np.concatenate([flags, symbols.reshape(3 * higher.shape[1], len(values))])
        streams.put_planes("shN", stacked, _higher(higher.shape[1]), decoded.side)

    def decode(self, decoded: Decoded, streams: StreamReader) -> Array:
        """Give coefficients [N, K, 3]."""
        constant, rest = self._steps(decoded)
        count = (decoded.sh_degree + 1) ** 2
        out = np.empty((decoded.count, count, 3), np.float32)
        symbols = streams.get_planes("sh0", _CONSTANT, decoded.side)
        _to_rgb(symbols * constant, out[:, 0])
        if count > 1:
            planes = streams.get_planes("shN", _higher(count - 1), decoded.side)
            symbols = planes[3:].reshape(3, count - 1, decoded.count)
            for k in range(count - 1):
                _to_rgb(symbols[:, k] * rest, out[:, k + 1])
        return out

    def _steps(self, decoded: Decoded) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Steps of the constant and of the other coefficients, each [3, N]."""
        channels = np.array([1, self.chroma, self.chroma])[:, None]
        factors = decoded.step_factors(self.adapt) * channels
        return self.step / SH_C0 * factors, self.sh_step * factors


def _higher(count: int) -> Planes:
    """Three flags, then ``count`` luma, Co and Cg planes; chroma goes with the channel before."""
    luma = tuple(-1 for _ in range(count))
    chroma = tuple(range(3, 3 + 2 * count))
    gates = tuple(c for c in range(3) for _ in range(count))
    return Planes(partners=(-1, 0, 1, *luma, *chroma), trust=1, gates=(-1, -1, -1, *gates))


def _to_ycocg(rgb: NDArray[np.float64]) -> NDArray[np.float64]:  # [..., 3] -> [..., 3]
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    co = red - blue
    middle = blue + co / 2
    cg = green - middle
    return np.stack([middle + cg / 2, co, cg], axis=-1)


def _to_rgb(ycocg: NDArray[np.float64], out: Array) -> None:  # [3, N] -> [N, 3]
    luma, co, cg = ycocg
    middle = luma - cg / 2
    blue = middle - co / 2
    out[:, 0] = blue + co
    out[:, 1] = middle + cg
    out[:, 2] = blue
