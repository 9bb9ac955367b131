"""What a frame may cost: the price of a bit, searched until quality or size is as wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gscompress.stream.attempt import Attempt

__all__ = ["Budget", "Found", "Goal", "Nominal", "Quality", "nominal_price"]

Try = Callable[[float], Attempt]
Measure = Callable[[Attempt], float]

_AT_60 = 1e-5
"""Mean squared error per bit and Gaussian at quality 60."""

_DB_PER_DECADE = 4.0
"""By about how much the PSNR falls when the price grows tenfold."""

_BYTES_PER_DECADE = 0.42
"""By about how many decades bytes shrink then."""

_LOWEST, _HIGHEST = 1e-18, 1e-2
_MAX_TRIES = 8
_MAX_STRIDE = 1.5  # decades
_NARROW = 0.005  # decades


def nominal_price(quality: float, gaussians: int) -> float:
    """The price, mean squared error per bit, of a quality of 1 to 100; 10 more make it a quarter.

    The more Gaussians there are, the less a bit does for one image.
    """
    return float(_AT_60 * 4.0 ** ((60 - quality) / 10) / max(gaussians, 1))


@dataclass(frozen=True, eq=False)
class Found:
    """A frame at its price.

    Attributes:
        attempt: What is sent.
        price: At which it was chosen.
        psnr: In dB, where it was measured, else NaN.
        tries: How many attempts it took.
    """

    attempt: Attempt
    price: float
    psnr: float
    tries: int


@dataclass
class Nominal:
    """The same price for all frames."""

    price: float

    def find(self, attempt: Try, measure: Measure) -> Found:
        """One attempt."""
        return Found(attempt(self.price), self.price, math.nan, 1)


@dataclass
class Quality:
    """Each frame at the same PSNR, or up to ``tolerance`` above.

    Attributes:
        price: Of the last frame; the first guess for the next.
        psnr: In dB; NaN: what the first frame has at its price, less ``allowance``.
        tolerance: In dB.
        allowance: In dB. Right after a key frame a frame is better at the same price than later,
            when many small changes have been left out.
    """

    price: float
    psnr: float = math.nan
    tolerance: float = 0.1
    allowance: float = 1.0

    def begin(self, psnr: float) -> None:
        """Aim at what the first frame has."""
        self.psnr = psnr - self.allowance

    def find(self, attempt: Try, measure: Measure) -> Found:
        """Attempts until the PSNR is within the tolerance; else the nearest that is not below it.

        If none is, because no price is low enough, the best of all.
        """
        if math.isnan(self.psnr):
            self.begin(measure(attempt(self.price)))
        aim = self.psnr + self.tolerance / 2
        found = _search(
            self.price,
            attempt,
            lambda one: (measure(one) - aim) / _DB_PER_DECADE,
            lambda miss: abs(miss) * _DB_PER_DECADE <= self.tolerance / 2,
            keep=lambda miss: miss * _DB_PER_DECADE >= -self.tolerance / 2,
        )
        self.price = found.price
        return Found(found.attempt, found.price, found.psnr * _DB_PER_DECADE + aim, found.tries)


@dataclass
class Budget:
    """Each frame at a number of bytes, or up to 5 % less.

    Attributes:
        price: Of the last frame; the first guess for the next.
        bytes: For the next frame.
    """

    price: float
    bytes: float = math.inf

    def find(self, attempt: Try, measure: Measure) -> Found:
        """Attempts until the bytes fit; the nearest that is not above them, if any is not."""
        aim = math.log10(0.975 * self.bytes)
        found = _search(
            self.price,
            attempt,
            lambda one: (math.log10(one.bytes) - aim) / _BYTES_PER_DECADE,
            lambda miss: abs(miss) * _BYTES_PER_DECADE <= 0.011,
            keep=lambda miss: miss * _BYTES_PER_DECADE <= 0.011,
        )
        self.price = found.price
        return Found(found.attempt, found.price, math.nan, found.tries)


Goal = Nominal | Quality | Budget


def _search(
    price: float,
    attempt: Try,
    miss_of: Callable[[Attempt], float],
    fine: Callable[[float], bool],
    keep: Callable[[float], bool],
) -> Found:
    """Steps of the price until the miss is fine.

    Args:
        price: Where to begin.
        attempt: Codes the frame at a price.
        miss_of: By about how many decades the price must grow; falls with it.
        fine: Whether a miss will do.
        keep: Whether it is at least on the right side.
    """
    tried: list[tuple[float, float, Attempt]] = []
    logarithm = math.log10(price)
    for _ in range(_MAX_TRIES):
        logarithm = min(max(logarithm, math.log10(_LOWEST)), math.log10(_HIGHEST))
        if any(abs(logarithm - before) < _NARROW for before, _, _ in tried):
            break  # one Gaussian more or less is a jump
        one = attempt(10**logarithm)
        miss = miss_of(one)
        tried.append((logarithm, miss, one))
        if fine(miss):
            break
        logarithm = _next(tried)
    best = min(tried, key=lambda one: (not keep(one[1]), abs(one[1])))
    return Found(best[2], 10 ** best[0], best[1], len(tried))


def _next(tried: list[tuple[float, float, Attempt]]) -> float:
    """The logarithm to try next: by the bracket if there is one, else by the expected slope."""
    at, miss, _ = tried[-1]
    below = [one for one in tried if one[1] > 0]
    above = [one for one in tried if one[1] <= 0]
    if not below or not above:
        return at + max(-_MAX_STRIDE, min(_MAX_STRIDE, miss * (1 + 0.3 * (len(tried) - 1))))
    low, high = max(below, key=lambda one: one[0]), min(above, key=lambda one: one[0])
    share = low[1] / (low[1] - high[1])
    return low[0] + (high[0] - low[0]) * min(max(share, 0.1), 0.9)
