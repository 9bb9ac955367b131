"""Functions that give the same bits on every machine.

numpy's exp, log and sin differ in the last place between CPUs. A decoder must not: these use only
float64 additions, multiplications, divisions and ``frexp``, which IEEE 754 fixes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["log", "powers", "sine"]

Doubles = NDArray[np.float64]

_LN2 = 0.6931471805599453


def log(x: Doubles) -> Doubles:
    """Natural logarithm of positive numbers, to about 1e-15 relative."""
    mantissa, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    # ln m = 2 artanh((m - 1) / (m + 1)); with m in [2/3, 4/3) the argument stays within 1/5.
    low = mantissa < 2 / 3
    mantissa = np.where(low, mantissa * 2, mantissa)
    exponent = np.where(low, exponent - 1, exponent)
    t = (mantissa - 1) / (mantissa + 1)
    square = t * t
    total = np.zeros_like(t)
    for k in range(23, 0, -2):
        total = total * square + 1 / k
    return np.asarray(2 * t * total + exponent * _LN2)


def sine(x: Doubles) -> Doubles:
    """Sine of angles in 0..pi/2, to about 1e-15."""
    x = np.asarray(x, dtype=np.float64)
    square = x * x
    total = np.ones_like(x)
    for k in range(24, 0, -2):
        total = 1 - square / (k * (k + 1)) * total
    return np.asarray(x * total)


def powers(base: float, count: int) -> Doubles:
    """base^0, base^1, ... by repeated multiplication."""
    out = np.ones(count)
    for k in range(1, count):
        out[k] = out[k - 1] * base
    return out
