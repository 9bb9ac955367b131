"""Codebooks by weighted k-means: thousands of words over a million vectors in seconds.

Encoder side only: decoders look words up. A plain round costs vectors x words distances. Here a
vector's word is looked for in the few coarse cells nearest to it only, a tenth of that or less; a
CUDA device looks at all words. Distances are matrix products, so the BLAS does nearly all the work.
Deterministic: the same input and seed give the same codebook on one machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Array

__all__ = ["KMeans", "nearest", "weighted_means"]

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_COARSE_ROUNDS = 6
_COARSE_SAMPLE = 1 << 15
_CELL_SIZE = 128
"""Words per coarse cell, about."""

_PROBES = 4
"""Coarse cells in which the nearest word is searched."""

_BLOCK = 1 << 22
"""Distances held at a time; 16 MB."""

_CACHED = 1 << 18
"""Distances at a time where each is read again at once; 1 MB stays in a core's cache."""

_COLUMNS = 16
"""Numbers of a vector that share a line of the cache."""

_CUDA_BLOCK = 1 << 28


@dataclass(frozen=True)
class KMeans:
    """Lloyd's algorithm (1957) with weights, coarse cells and no dead words.

    A word that no vector has any more moves to where the error is largest: to the vector that
    is worst off among those of a word with much weighted error, which splits that word's cell.

    Attributes:
        size: Number of words.
        rounds: Rounds within the nearest coarse cells; over all words on a CUDA device.
        exact_rounds: Rounds over all words after them, which cost ten times as much each and gain
            half a percent of the error for 8,192 words of 48 numbers.
        seed: Seed of the first words.
        device: "cpu", or a CUDA device of torch.
    """

    size: int
    rounds: int = 8
    exact_rounds: int = 0
    seed: int = 0
    device: str = "cpu"

    def fit(self, vectors: Array, weights: Floats) -> tuple[Array, Index]:
        """The words that come nearest to ``vectors`` [N, D], whose errors count by ``weights`` [N].

        Returns:
            Words [W, D] and the index of each vector's word [N]. Where the vectors take at most
            ``size`` different values, the words are these, in lexicographic order.
        """
        assert vectors.ndim == 2, vectors.shape
        assert weights.shape == vectors.shape[:1], (weights.shape, vectors.shape)
        distinct, labels = _distinct(vectors, self.size)
        if distinct is not None:
            return distinct, labels
        weights = np.maximum(weights, weights.max() * 1e-9 + 1e-30)
        rng = np.random.default_rng(self.seed)
        cells = max(1, min(512, self.size // _CELL_SIZE))
        centres = _coarse(vectors, weights, cells, rng)
        probes = _nearest_cells(vectors, centres, min(_PROBES, cells))
        words, owner = _first_words(vectors, weights, centres, probes[:, 0], self.size, rng)
        labels = _search(vectors, probes, words, owner)
        probed = self.rounds if self.device == "cpu" else 0
        for _ in range(probed):
            words = self._moved(vectors, weights, labels, words)
            owner = nearest(words, centres)
            order = np.argsort(owner, kind="stable")
            words, owner = words[order], owner[order]
            labels = _search(vectors, probes, words, owner)
        for _ in range(self.rounds - probed + self.exact_rounds):
            words = self._moved(vectors, weights, labels, words)
            labels = nearest(vectors, words, self.device)
        return words, labels

    def _moved(self, vectors: Array, weights: Floats, labels: Index, words: Array) -> Array:
        """The words at the means of their vectors; dead ones at vectors that are badly off."""
        total = np.bincount(labels, weights, len(words))
        words = weighted_means(vectors, weights, labels, words)
        dead = np.flatnonzero(total == 0)
        if len(dead) == 0:
            return words
        error = weights * _squared(vectors - words[labels])
        by_word = np.bincount(labels, error, len(words))
        heaviest = np.argsort(-by_word, kind="stable")[: len(dead)]
        heaviest = heaviest[by_word[heaviest] > 0]
        heavy = np.zeros(len(words), bool)
        heavy[heaviest] = True
        rows = np.flatnonzero(heavy[labels])
        rows = rows[np.lexsort((-error[rows], labels[rows]))]  # the worst of each word first
        worst = rows[np.searchsorted(labels[rows], heaviest)]
        words[dead[: len(worst)]] = vectors[worst]
        return words


def nearest(vectors: Array, words: Array, device: str = "cpu") -> Index:  # [N]
    """Index of the nearest word [W, D] of each vector [N, D], by looking at all."""
    if device != "cpu":
        return _nearest_cuda(vectors, words, device)
    out = np.empty(len(vectors), np.intp)
    half = _squared(words) / 2
    columns = np.ascontiguousarray(words.T)
    rows = max(1, _BLOCK // max(1, len(words)))
    for first in range(0, len(vectors), rows):
        distance = vectors[first : first + rows] @ columns
        np.subtract(half, distance, out=distance)
        out[first : first + rows] = np.argmin(distance, axis=1)
    return out


def _nearest_cuda(vectors: Array, words: Array, device: str) -> Index:
    import torch

    with torch.no_grad():
        columns = torch.from_numpy(words).to(device).T.contiguous()
        half = (columns * columns).sum(0) / 2
        rows = max(1, _CUDA_BLOCK // max(1, len(words)))
        blocks = [
            torch.argmin(half - torch.from_numpy(vectors[k : k + rows]).to(device) @ columns, dim=1)
            for k in range(0, len(vectors), rows)
        ]
        found = torch.cat(blocks) if blocks else torch.zeros(0, dtype=torch.int64)
        return np.asarray(found.cpu().numpy().astype(np.intp))


def _distinct(vectors: Array, most: int) -> tuple[Array | None, Index]:
    """The different vectors and which of them each one is, if they are at most ``most``."""
    odd = np.random.default_rng(0).integers(1 << 63, size=vectors.shape[1], dtype=np.uint64) | 1
    for some in (vectors[: 2 * most], vectors):  # the first ones mostly are too many already
        bits = np.ascontiguousarray(some).view(np.uint32).astype(np.uint64)
        if len(np.unique((bits * odd).sum(axis=1))) > most:  # hashes: fast, and never too many
            return None, np.zeros(0, np.intp)
    words, labels = np.unique(vectors, axis=0, return_inverse=True)
    return (words, labels.reshape(-1)) if len(words) <= most else (None, labels)


def _coarse(vectors: Array, weights: Floats, cells: int, rng: np.random.Generator) -> Array:
    chosen = rng.permutation(len(vectors))[:_COARSE_SAMPLE]
    sample, share = vectors[chosen], weights[chosen]
    centres = sample[:cells].copy()
    for _ in range(_COARSE_ROUNDS):
        centres = weighted_means(sample, share, nearest(sample, centres), centres)
    return centres


def _nearest_cells(vectors: Array, centres: Array, count: int) -> Index:  # [N, count]
    """The nearest cells, the very nearest first."""
    out = np.empty((len(vectors), count), np.intp)
    half = _squared(centres) / 2
    rows = max(1, _CACHED // len(centres))
    for first in range(0, len(vectors), rows):
        distance = vectors[first : first + rows] @ centres.T
        np.subtract(half, distance, out=distance)
        near = np.arange(len(distance))
        for place in range(count):  # four times the least is found sooner than the least four
            found = np.argmin(distance, axis=1)
            out[first : first + rows, place] = found
            distance[near, found] = np.inf
    return out


def _first_words(
    vectors: Array,
    weights: Floats,
    centres: Array,
    cell: Index,
    size: int,
    rng: np.random.Generator,
) -> tuple[Array, Index]:
    """Words drawn from each cell, and the cell of each, ascending."""
    d = vectors.shape[1]
    error = _squared(vectors - centres[cell]) * weights
    members = np.bincount(cell, minlength=len(centres))
    # Of k words in a cell of D dimensions the error falls as k^(-2/D); the total is least for
    # shares that go with error^(D / (D + 2)).
    wanted = np.bincount(cell, error, len(centres)) ** (d / (d + 2))
    shares = _allot(wanted, members, size)
    keys = np.log(rng.random(len(vectors))) / np.maximum(error, error.max() * 1e-9 + 1e-30)
    order = np.lexsort((-keys, cell))
    starts = np.cumsum(members) - members
    rank = np.arange(len(vectors)) - starts[cell[order]]
    chosen = order[rank < shares[cell[order]]]
    return vectors[chosen].copy(), cell[chosen]


def _allot(wanted: Floats, most: Index, total: int) -> Index:
    """Whole numbers in proportion to ``wanted``, none above ``most``, that sum up to ``total``."""
    shares = np.zeros(len(wanted), np.intp)
    wanted = wanted + wanted.sum() * 1e-9 + 1e-30
    while (left := total - int(shares.sum())) > 0:
        room = most - shares
        share = np.where(room > 0, wanted, 0)
        share = share / share.sum() * left
        step = np.minimum(np.floor(share).astype(np.intp), room)
        if not step.any():
            step[np.argsort(-share, kind="stable")[:left]] = 1
            step = np.minimum(step, room)
        shares += step
    return shares


def _search(vectors: Array, probes: Index, words: Array, owner: Index) -> Index:  # [N]
    """The nearest word of the probed cells, cell by cell; ``owner`` [W] is ascending."""
    best = np.full(len(vectors), np.inf, np.float32)
    labels = np.zeros(len(vectors), np.intp)
    half = _squared(words) / 2
    cells = int(probes.max()) + 1
    bounds = np.searchsorted(owner, np.arange(cells + 1))
    flat = probes.ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(cells + 1))
    rows = order // probes.shape[1]
    for cell in range(cells):
        low, high = bounds[cell], bounds[cell + 1]
        if low == high:
            continue
        step = max(1, _CACHED // int(high - low))
        for first in range(int(starts[cell]), int(starts[cell + 1]), step):
            mine = rows[first : min(first + step, int(starts[cell + 1]))]
            distance = vectors[mine] @ words[low:high].T
            np.subtract(half[low:high], distance, out=distance)
            found = np.argmin(distance, axis=1)
            least = distance[np.arange(len(mine)), found]
            better = least < best[mine]
            best[mine[better]] = least[better]
            labels[mine[better]] = low + found[better]
    return labels


def weighted_means(vectors: Array, weights: Floats, labels: Index, words: Array) -> Array:
    """Weighted means of the vectors of each label; words that none has stay."""
    total = np.bincount(labels, weights, len(words))
    used = total > 0
    out = words.copy()
    for first in range(0, vectors.shape[1], _COLUMNS):
        columns = np.ascontiguousarray(vectors[:, first : first + _COLUMNS].T)
        for column, values in enumerate(columns, first):
            sums = np.bincount(labels, weights * values, len(words))
            out[used, column] = sums[used] / total[used]
    return out


def _squared(vectors: Array) -> Array:  # [N]
    return np.asarray(np.einsum("nd,nd->n", vectors, vectors))
