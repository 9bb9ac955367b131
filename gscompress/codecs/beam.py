"""The words of several codebooks chosen together: a search that keeps the best few sums.

Residual quantization takes the best word of the first stage, then the best for what is left. A sum
that is worse at first often ends up better (A. Babenko, V. Lempitsky, "Additive quantization",
2014). Encoder side only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.word_metric import WordMetric
from gscompress.gaussians import Array

__all__ = ["beam_search"]

_BLOCK = 1 << 21
"""Costs held at a time; 8 MB."""


def beam_search(
    vectors: Array,  # [N, D]
    tables: Sequence[Array],  # each [W, D]
    metric: WordMetric,
    width: int,
) -> NDArray[np.int32]:  # [S, N]
    """One word from each table, so that their sum costs little.

    Args:
        vectors: What the sums shall come near to.
        tables: The words of each stage.
        metric: What errors cost.
        width: How many sums are kept after each stage.
    """
    rows = max(1, _BLOCK // (width * max(map(len, tables))))
    squares = [metric.squares(table) for table in tables]
    out = np.empty((len(tables), len(vectors)), np.int32)
    for first in range(0, len(vectors), rows):
        part = slice(first, first + rows)
        out[:, part] = _search(vectors[part], tables, squares, metric.select(part), width)
    return out


def _search(
    vectors: Array,
    tables: Sequence[Array],
    squares: Sequence[Array],
    metric: WordMetric,
    width: int,
) -> NDArray[np.int32]:  # [S, B]
    count, dims = vectors.shape
    everyone = np.arange(count)[:, None]
    left = vectors[:, None]  # [B, K, D], what each of K sums leaves
    costs = np.zeros((count, 1), np.float32)  # less that of the vector itself
    chosen = np.zeros((0, count, 1), np.int32)
    for table, square in zip(tables, squares, strict=True):
        kept = left.shape[1]
        pulled = metric.pulled(left)  # [B, K, D]
        cross = pulled.reshape(-1, dims) @ (-2 * table.T)
        total = cross.reshape(count, kept, -1) + (metric.packed @ square.T)[:, None]
        total += costs[:, :, None]
        best, costs = _smallest(total.reshape(count, -1), width)
        origin, word = np.divmod(best, len(table))
        left = left[everyone, origin] - table[word]
        chosen = np.concatenate([chosen[:, everyone, origin], word[None].astype(np.int32)])
    return np.asarray(chosen[:, :, 0])


def _smallest(values: Array, count: int) -> tuple[NDArray[np.intp], Array]:
    """Where the smallest of each row [B, M] are, and what; ``values`` are overwritten.

    Up to ``count`` times the minimum: a quarter of the time that a partition takes.
    """
    count = min(count, values.shape[1])
    rows = np.arange(len(values))
    places = np.empty((len(values), count), np.intp)
    found = np.empty((len(values), count), values.dtype)
    for k in range(count):
        place = np.argmin(values, axis=1)
        places[:, k], found[:, k] = place, values[rows, place]
        values[rows, place] = np.inf
    return places, found
