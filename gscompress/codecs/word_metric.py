"""What errors of vectors cost, Gaussian by Gaussian, and words that cost least by it.

Encoder side only. A vector of T * C numbers has T terms in each of C channels, such as the
coefficients of red, green and blue. Errors e of a Gaussian's channel cost e^T M e with a matrix M
of its own: what cameras see of it (`gscompress.codecs.harmonics`), or its importance times the
identity. Every Gaussian is seen from few directions, so a word that is far away may be nearly
perfect where it shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.assigned import Assigned
from gscompress.codecs.guidance import Sightings
from gscompress.codecs.harmonics import image_metric
from gscompress.codecs.kmeans import KMeans
from gscompress.gaussians import Array

__all__ = ["DAMPING", "METRIC_ROUNDS", "WordMetric", "codebook", "refine"]

Floats = NDArray[np.float64]
Index = NDArray[np.integer]
Axes = NDArray[np.float64]

DAMPING = 1.0
"""Views from everywhere that are added to those of each Gaussian, as in the codec `ycocg`."""

METRIC_ROUNDS = 3
"""Rounds of a codebook in the metrics of the Gaussians; more gain little."""

_BLOCK = 1 << 22
"""Costs held at a time; 16 MB."""

_ROWS = 4096
_RANGE = 1e3
"""Gaussians count within this factor of the median."""

_PULL = 1e-3
"""How much a word is drawn to where it was in directions that none of its Gaussians cares about."""


@dataclass(frozen=True, eq=False)
class WordMetric:
    """A matrix [T, T] for each of N Gaussians.

    Attributes:
        packed: Upper triangles, row by row.
        terms: T.
        unit: What the matrices are in, as squared errors summed over all pixels.
        views: How many views these pixels are of.
        shares: How much the constant term of a Gaussian sinks as another rises, so that its images
            stay the same on average; where the constant terms make up for the errors of words.
    """

    packed: Array  # [N, T (T + 1) / 2]
    terms: int
    unit: float = 1.0
    views: int = 1
    shares: Array | None = None  # [N, T]

    @classmethod
    def plain(cls, weights: Floats) -> WordMetric:
        """Errors count by their squares, times a weight for each Gaussian [N]."""
        return cls(weights.astype(np.float32)[:, None], 1)

    @classmethod
    def of_harmonics(
        cls, means: Array, sightings: Sightings, terms: int, damping: float, *, apart: bool
    ) -> WordMetric:
        """For coefficients: what their errors change in images.

        Args:
            means: Positions [N, 3].
            sightings: From where the Gaussians are seen; one that nobody sees counts little.
            terms: Coefficients per channel, the constant one included.
            damping: Views from everywhere that are added; see `gscompress.codecs.sh_search`.
            apart: Whether the constant term is no part of the vectors, but chosen after them to
                make up for their errors: what is left then is the Schur complement.
        """
        first = 1 if apart else 0
        kept = terms - first
        rows, columns = np.triu_indices(kept)
        packed = np.empty((len(means), len(rows)), np.float32)
        shares = np.zeros((len(means), kept), np.float32) if apart else None
        for begin in range(0, len(means), _ROWS):
            part = slice(begin, begin + _ROWS)
            gram = image_metric(means[part], sightings.select(part), terms, damping)
            if shares is not None:
                shares[part] = gram[:, 0, 1:] / gram[:, :1, 0]
                gram = gram[:, 1:, 1:] - gram[:, 1:, :1] * shares[part][:, None]
            packed[part] = gram[:, rows, columns]
        weight = packed[:, rows == columns].sum(axis=1) if kept else np.ones(len(means), np.float32)
        unseen = sightings.visibility() == 0
        typical = float(np.median(weight[~unseen])) if not unseen.all() else 1.0
        bounded = np.clip(np.where(unseen, 0, weight), typical / _RANGE, typical * _RANGE)
        return cls(
            packed * (bounded / weight / typical)[:, None],
            kept,
            typical,
            len(sightings.eyes),
            shares,
        )

    def __len__(self) -> int:
        return len(self.packed)

    def select(self, rows: NDArray[np.integer] | NDArray[np.bool_] | slice) -> WordMetric:
        """Those of some Gaussians."""
        shares = None if self.shares is None else self.shares[rows]
        return replace(self, packed=self.packed[rows], shares=shares)

    def weights(self) -> Floats:  # [N]
        """The mean cost of an error of 1, over all directions."""
        rows, columns = np.triu_indices(self.terms)
        return np.asarray(self.packed[:, rows == columns].mean(axis=1, dtype=np.float64))

    def mean_root(self) -> Floats:  # [T, T]
        """Turns vectors so that squared errors cost what they cost for the mean of the matrices."""
        if self.terms == 1:
            return np.eye(1)
        mean = self.packed.mean(axis=0, dtype=np.float64)[None]
        return np.asarray(np.linalg.cholesky(_unpacked(mean, self.terms))[0])

    def costs(self, errors: Array) -> Floats:  # [N, T * C] -> [N]
        """What errors cost."""
        out = np.empty(len(errors))
        for begin in range(0, len(errors), _ROWS):
            part = slice(begin, begin + _ROWS)
            split = errors[part].reshape(-1, self.terms, errors.shape[1] // self.terms)
            out[part] = np.einsum("ntc,ntc->n", split, self.matrices(part) @ split)
        return out

    def matrices(self, rows: slice | Index) -> Array:  # [B, T, T]
        """The matrices of a few Gaussians."""
        return _unpacked(self.packed[rows], self.terms)

    def best(self, vectors: Array, words: Array, axes: Axes) -> NDArray[np.intp]:  # [N]
        """The word [W, L], as multiples of ``axes`` [L, D], of least cost for each vector [N, D].

        By looking at all.
        """
        middle = words.mean(axis=0)  # the large common part of squares would cost precision
        whole, words = (middle @ axes).astype(np.float32), words - middle
        if np.array_equal(axes, np.eye(vectors.shape[1])):
            along, squares = None, self.squares(words)
        else:
            along, squares = self._seen_along(axes).astype(np.float32), _products(words[:, :, None])
        columns = np.ascontiguousarray(np.concatenate([squares, -2 * words], axis=1).T)
        turned = axes.T.astype(np.float32)
        out = np.empty(len(vectors), np.intp)
        step = max(1, min(_ROWS, _BLOCK // len(words)))
        for begin in range(0, len(vectors), step):
            part = slice(begin, begin + step)
            packed, wanted = self.packed[part], self._pulls(part, vectors[part] - whole)
            if along is not None:
                packed, wanted = packed @ along, wanted @ turned
            out[part] = np.argmin(np.concatenate([packed, wanted], axis=1) @ columns, axis=1)
        return out

    def _seen_along(self, axes: Axes) -> Floats:  # [T (T + 1) / 2, L (L + 1) / 2]
        """What packed matrices are multiplied by to be those of multiples of axes [L, D]."""
        turned = axes.reshape(len(axes), self.terms, -1)
        both = np.einsum("ltc,muc->tulm", turned, turned, optimize=True)
        rows, columns = np.triu_indices(self.terms)
        both = (
            both[rows, columns]
            + np.where(rows == columns, 0, 1)[:, None, None] * both[columns, rows]
        )
        return np.asarray(both[:, *np.triu_indices(len(axes))])

    def squares(self, words: Array) -> Array:  # [W, D] -> [W, T (T + 1) / 2]
        """Their products with ``packed`` are the costs of words."""
        return _products(words.reshape(len(words), self.terms, -1))

    def pulled(self, vectors: Array) -> Array:  # [N, K, D]
        """Each matrix times K vectors; for few Gaussians at a time."""
        if self.terms == 1:
            return vectors * self.packed[:, :, None]
        split = vectors.reshape(*vectors.shape[:2], self.terms, -1)
        return (self.matrices(slice(None))[:, None] @ split).reshape(vectors.shape)

    def newton(self, gradients: Array) -> Array:  # [N, T, C]
        """Where squared errors with these gradients are least, for each Gaussian by itself."""
        out = np.empty_like(gradients)
        for begin in range(0, len(gradients), _ROWS):
            part = slice(begin, begin + _ROWS)
            right = gradients[part].astype(np.float64) / (2 * self.unit)
            out[part] = np.linalg.solve(self.matrices(part).astype(np.float64), right)
        return out

    def fitted(self, vectors: Array, labels: Index, words: Array, axes: Axes) -> Array:
        """The words [W, L] that cost least, as multiples of ``axes`` [L, D], for their Gaussians.

        Those that nobody has stay as they are.
        """
        matrices, wanted = self._sums(vectors, labels, len(words))
        out, eye, along = words.copy(), np.eye(len(axes)), self._seen_along(axes)
        used = np.flatnonzero(np.bincount(labels, minlength=len(words)))
        for begin in range(0, len(used), _ROWS):
            some = used[begin : begin + _ROWS]
            left = _unpacked(matrices[some] @ along, len(axes))
            pull = _PULL * np.trace(left, axis1=1, axis2=2)[:, None] / len(axes) + 1e-30
            right = wanted[some] @ axes.T + pull * words[some]
            found = np.linalg.solve(left + pull[:, :, None] * eye, right[:, :, None])
            out[some] = found[:, :, 0]
        return out

    def _sums(self, vectors: Array, labels: Index, count: int) -> tuple[Floats, Floats]:
        """The matrices, and these times the vectors, added up by word."""
        dims = vectors.shape[1]
        matrices, wanted = np.zeros((count, self.packed.shape[1])), np.zeros((count, dims))
        order = np.argsort(labels, kind="stable")
        for begin in range(0, len(order), _ROWS):
            rows = order[begin : begin + _ROWS]
            mine = labels[rows]
            starts = np.flatnonzero(np.diff(mine, prepend=-1))
            packed = self.packed[rows].astype(np.float64)
            matrices[mine[starts]] += np.add.reduceat(packed, starts)
            pulls = self._pulls(rows, vectors[rows]).astype(np.float64)
            wanted[mine[starts]] += np.add.reduceat(pulls, starts)
        return matrices, wanted

    def _pulls(self, rows: slice | Index, vectors: Array) -> Array:  # [B, D]
        """Matrices times vectors."""
        if self.terms == 1:
            return vectors * self.packed[rows]
        split = vectors.reshape(len(vectors), self.terms, -1)
        return (self.matrices(rows) @ split).reshape(vectors.shape)


def refine(assigned: Assigned, vectors: Array, metric: WordMetric, rounds: int) -> Assigned:
    """Words and assignments of less cost: each codebook in turn fitted to what the others leave.

    Args:
        assigned: Where to start; every Gaussian has words.
        vectors: What they stand for [N, D].
        metric: What errors cost.
        rounds: How often.
    """
    words = list(assigned.words)
    labels = [index.astype(np.intp) for index in assigned.indices]
    left = vectors - assigned.vectors()
    for _ in range(rounds):
        for s, axes in enumerate(assigned.axes):
            left += _table(words[s], axes)[labels[s]]
            words[s] = metric.fitted(left, labels[s], words[s], axes)
            labels[s] = metric.best(left, words[s], axes)
            left -= _table(words[s], axes)[labels[s]]
    indices = np.stack(labels).astype(np.int32)
    return replace(assigned, words=tuple(words), indices=indices)


def codebook(
    size: int, vectors: Array, metric: WordMetric, *, rounds: int = 0, device: str = "cpu"
) -> tuple[Array, NDArray[np.int32]]:  # [W, D], [N]
    """Words for vectors [N, D], and who has which.

    k-means in the mean metric, then ``rounds`` in that of each Gaussian.
    """
    root = metric.mean_root()
    turned = np.swapaxes(root, 0, 1) @ vectors.reshape(len(vectors), metric.terms, -1)
    flat = np.ascontiguousarray(turned.reshape(vectors.shape), dtype=np.float32)
    words, labels = KMeans(size, device=device).fit(flat, metric.weights())
    back = np.linalg.solve(root.T, words.reshape(len(words), metric.terms, -1).astype(np.float64))
    words = np.ascontiguousarray(back.reshape(words.shape), dtype=np.float32)
    start = Assigned((words,), (np.eye(vectors.shape[1]),), labels[None].astype(np.int32))
    found = refine(start, vectors, metric, rounds)
    return found.words[0], found.indices[0]


def _table(words: Array, axes: Axes) -> Array:  # [W, D]
    return np.asarray(words @ axes, dtype=np.float32)


def _products(words: Array) -> Array:  # [W, T, C] -> [W, T (T + 1) / 2]
    """What packed matrices are multiplied by to give the cost of words."""
    terms = words.shape[1]
    rows, columns = np.triu_indices(terms)
    squares = np.einsum("wtc,wuc->wtu", words, words)[:, rows, columns]
    return np.asarray(squares * np.where(rows == columns, 1, 2), dtype=np.float32)


def _unpacked(packed: NDArray[np.floating], terms: int) -> NDArray[np.floating]:
    rows, columns = np.triu_indices(terms)
    out = np.empty((len(packed), terms, terms), packed.dtype)
    out[:, rows, columns] = packed
    out[:, columns, rows] = packed
    return out
