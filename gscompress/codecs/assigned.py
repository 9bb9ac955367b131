"""Vectors as sums of words, and which words each Gaussian has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Array

__all__ = ["Assigned", "sum_of_words"]


@dataclass(frozen=True, eq=False)
class Assigned:
    """Codebooks, how their words make up vectors of D numbers, and the words of each Gaussian.

    Attributes:
        words: The words of each codebook.
        axes: For each codebook what its words' numbers are multiplied by: unit vectors where a word
            is a piece of the vector, turned ones where the vectors were turned before.
        indices: For each codebook the word of each Gaussian.
        used: Which Gaussians are made of words; None for all.
    """

    words: tuple[Array, ...]  # each [W, L]
    axes: tuple[NDArray[np.float64], ...]  # each [L, D]
    indices: NDArray[np.int32]  # [S, N]
    used: NDArray[np.bool_] | None = None  # [N]

    def select(self, rows: NDArray[np.intp] | slice) -> Assigned:
        """Those of some Gaussians."""
        used = None if self.used is None else self.used[rows]
        return replace(self, indices=np.ascontiguousarray(self.indices[:, rows]), used=used)

    def vectors(self) -> Array:  # [N, D]
        """What the words of each Gaussian add up to."""
        return sum_of_words(self.words, self.axes, self.indices)


def sum_of_words(
    words: Sequence[Array],
    axes: Sequence[NDArray[np.float64]],
    indices: NDArray[np.int32],  # [S, N]
) -> Array:  # [N, D]
    """Look words up and add them.

    By additions and multiplications of single numbers in a fixed order, which gives the same bits
    on every machine; a matrix product would not.
    """
    total = np.zeros((indices.shape[1], axes[0].shape[1]), np.float32)
    for book, directions, index in zip(words, axes, indices, strict=True):
        table = np.zeros((len(book), directions.shape[1]))
        for column, direction in zip(book.T.astype(np.float64), directions, strict=True):
            table += column[:, None] * direction
        total += table.astype(np.float32)[index]
    return total
