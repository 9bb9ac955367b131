"""Where the slots of a run go: basis functions in time, times integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.stream.slots import FRACTION
from gscompress.stream.transform import SCALE_BITS, basis

__all__ = ["Path", "Term"]

Integers = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Term:
    """The coefficients of a basis function.

    Attributes:
        function: Its number.
        slots: Those that have any, different ones [M].
        values: In units of a step / 16 [M, C].
    """

    function: int
    slots: Integers
    values: NDArray[np.int64]

    @classmethod
    def of_steps(cls, function: int, slots: Integers, values: Integers) -> Term:
        """From coefficients in steps."""
        return cls(function, slots, values.astype(np.int64) * FRACTION)


class Path:
    """How far slots are, frame by frame, from where they start.

    Args:
        terms: What is added up.
        length: Number of frames.
        channels: Of the slots.

    Attributes:
        moving: The slots that move, ascending [M].
    """

    def __init__(self, terms: Sequence[Term], length: int, channels: int) -> None:
        none = np.zeros(0, np.int32)
        self.moving: Integers = np.unique(np.concatenate([none, *(one.slots for one in terms)]))
        self._terms = [(one, np.searchsorted(self.moving, one.slots)) for one in terms]
        self._functions = basis(length)
        self._shape = len(self.moving), channels
        self._last = -1, np.zeros(self._shape, np.int32)
        self._change = self._last

    def __len__(self) -> int:
        return len(self._functions)

    def change(self, frame: int) -> Integers:  # [M, C]
        """How far the slots move from the frame before, in units of a step / 16."""
        if self._change[0] != frame:
            before = self._last[1] if self._last[0] == frame - 1 else self._moved(frame - 1)
            self._last = frame, self._moved(frame)
            with np.errstate(over="ignore"):
                self._change = frame, self._last[1] - before
        return self._change[1]

    def _moved(self, frame: int) -> Integers:  # [M, C]
        total = np.zeros(self._shape, np.int64)
        if frame >= 0:
            for one, places in self._terms:
                total[places] += self._functions[one.function, frame] * one.values
        return ((total + (1 << (SCALE_BITS - 1))) >> SCALE_BITS).astype(np.int32)
