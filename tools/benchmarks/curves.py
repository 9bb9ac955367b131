"""Rate-distortion curves: interpolation, Bjontegaard's difference, the peers' envelope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

__all__ = ["Curve", "Verdict", "bd_rate", "envelope", "saving_at", "verdict"]

Floats = NDArray[np.float64]
Point = tuple[float, float]
"""Bits per Gaussian, PSNR in dB."""
_FINE = 0.05  # dB


@dataclass(frozen=True, eq=False)
class Curve:
    """What a tool needs for a quality: its points that no other point of its own beats.

    Between the points the logarithm of the bits is a monotone piecewise cubic of the PSNR (PCHIP;
    F. N. Fritsch, R. E. Carlson, "Monotone Piecewise Cubic Interpolation", 1980).

    Attributes:
        bits: Bits per Gaussian, rising.
        psnr: In dB, rising.
    """

    bits: Floats  # [P]
    psnr: Floats  # [P]

    @classmethod
    def through(cls, points: Iterable[Point]) -> Curve:
        """The curve through those points that are better than every one that costs no more."""
        kept: list[Point] = []
        for bits, psnr in sorted(points, key=lambda point: (point[0], -point[1])):
            if not kept or psnr > kept[-1][1]:
                kept.append((bits, psnr))
        both = np.array(kept, np.float64).reshape(-1, 2)
        return cls(both[:, 0], both[:, 1])

    def __len__(self) -> int:
        return len(self.bits)

    def log_bits(self, psnr: Floats) -> Floats:
        """Natural logarithm of the bits at some PSNRs between the ends."""
        if len(self) == 1:
            return np.full_like(psnr, np.log(self.bits[0]))
        return np.asarray(self.interpolator(psnr))

    @cached_property
    def interpolator(self) -> PchipInterpolator:
        """The logarithm of the bits over the PSNR; of two points or more."""
        return PchipInterpolator(self.psnr, np.log(self.bits))

    def bits_for(self, psnr: float) -> float | None:
        """Bits of a file that is at least this good; None where the tool has none.

        Below the lowest point that is the lowest point: a tool cannot do worse.
        """
        if len(self) == 0 or psnr > self.psnr[-1]:
            return None
        inside = np.array([max(psnr, self.psnr[0])])
        return float(np.exp(self.log_bits(inside)[0]))


def bd_rate(test: Curve, reference: Curve) -> float | None:
    """Mean relative difference in bits at equal PSNR; -0.3 is 30 % fewer than the reference.

    G. Bjontegaard, "Calculation of average PSNR differences between RD-curves" (ITU-T SG16
    VCEG-M33, 2001): the difference of the logarithms of the rates, averaged over the PSNRs that
    both curves reach, with PCHIP for the cubic, as the ITU-T working practices do.

    Returns:
        None where the curves share no interval.
    """
    if len(test) < 2 or len(reference) < 2:
        return None
    low = max(test.psnr[0], reference.psnr[0])
    high = min(test.psnr[-1], reference.psnr[-1])
    if high <= low:
        return None
    integrals = [float(curve.interpolator.integrate(low, high)) for curve in (test, reference)]
    return float(np.expm1((integrals[0] - integrals[1]) / (high - low)))


def envelope(curves: Iterable[Curve]) -> Curve:
    """The curve of somebody who takes the best tool for every quality.

    Each curve counts with what lies between its points, too.
    """
    points: list[Point] = []
    for curve in curves:
        psnr = curve.psnr
        if len(curve) > 1:
            between = np.arange(curve.psnr[0], curve.psnr[-1], _FINE)
            psnr = np.union1d(curve.psnr, between)
        points += zip(np.exp(curve.log_bits(psnr)).tolist(), psnr.tolist(), strict=True)
    return Curve.through(points)


def saving_at(psnr: float, ours: Curve, other: Curve) -> float | None:
    """Share of the other's bits that ours saves at a PSNR; None where one of them has no file."""
    own, theirs = ours.bits_for(psnr), other.bits_for(psnr)
    return None if own is None or theirs is None else 1 - own / theirs


@dataclass(frozen=True)
class Verdict:
    """Whether ours is never worse than any of some others within a range.

    Attributes:
        never_worse: No other has a point, or an interpolated one, at which ours needs more bits.
        least_saving: Share of bits saved where it is least; None where nothing could be compared.
        at_psnr: Where that is.
        against: Which one it is.
        not_reached: The lowest PSNR of the range for which another has a file and ours none.
    """

    never_worse: bool
    least_saving: float | None
    at_psnr: float | None
    against: str | None
    not_reached: float | None


def verdict(ours: Curve, others: Mapping[str, Curve], low: float = 30, high: float = 65) -> Verdict:
    """Compare in fine steps and at every point of the others within the range."""
    least: tuple[float, float, str] | None = None
    not_reached: float | None = None
    grid = np.arange(round((high - low) / _FINE) + 1) * _FINE + low
    for name, other in others.items():
        own = other.psnr[(other.psnr >= low) & (other.psnr <= high)]
        for psnr in np.concatenate([grid, own]).tolist():
            if other.bits_for(psnr) is None:
                continue
            saving = saving_at(psnr, ours, other)
            if saving is None:
                not_reached = psnr if not_reached is None else min(psnr, not_reached)
            elif least is None or saving < least[0]:
                least = saving, psnr, name
    if least is None:
        return Verdict(False, None, None, None, not_reached)
    return Verdict(not_reached is None and least[0] >= 0, *least, not_reached)
