"""Vectors cut into sub-vectors, each with a codebook of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.additive import (
    Additive,
    Axes,
    as_vectors,
    check_count,
    check_views,
    scaled_words,
)
from gscompress.codecs.assigned import Assigned
from gscompress.codecs.base import StreamReader, StreamWriter
from gscompress.codecs.kmeans import KMeans
from gscompress.codecs.quantize import check_positive
from gscompress.codecs.word_metric import METRIC_ROUNDS, WordMetric, refine
from gscompress.codecs.words import MAX_WORDS
from gscompress.gaussians import Array

__all__ = ["SVQ"]

_MAX_LENGTH = 75
_BASIS_STEP = 2.0**-20


@dataclass(frozen=True)
class SVQ(Additive):
    """Sub-vector quantization: OMG (arXiv:2503.16924), section 3.4; product quantization.

    A vector is cut into pieces of equal length, and each piece replaced by the nearest word of its
    own codebook, made by importance-weighted k-means. OMG: scales in pieces of 1 with 64 words,
    rotations in pieces of 2 with 512. Differences: log-scales are quantized rather than scales,
    canonical rotations rather than any, indices are context-coded rather than Huffman-coded, and
    words are whole numbers of a step rather than float16. A scene whose pieces take no more
    different values than there are words is coded with these values.

    Attributes:
        length: Length of the sub-vectors; the last one may be shorter.
        words: Words per codebook.
        klt: Turn the vectors into their principal axes first and deal these out so that the pieces
            have equal variance products (T. Ge et al., "Optimized product quantization", 2013).
        canonical: Rewrite rotations, and with them the order of the scales, to the equivalent ones
            nearest to the identity.
        word_step: What the numbers of the words are multiples of.
        views: From how many training cameras the encoder finds out which errors of harmonics show,
            to choose words that show least (`gscompress.codecs.word_metric`); 0 for the nearest.
    """

    length: int = 2
    words: int = 512
    klt: bool = False
    canonical: bool = False
    word_step: float = 1 / 1024
    views: int = 0

    def __post_init__(self) -> None:
        check_count("length", self.length, _MAX_LENGTH)
        check_count("words", self.words, MAX_WORDS)
        check_positive(word_step=self.word_step)
        check_views(self.views)

    def scaled(self, factor: float) -> SVQ:
        """As many words as make errors ``factor`` times as large."""
        words = scaled_words(self.words, factor, self.length, MAX_WORDS)
        return replace(self.with_step(factor), words=words)

    def assign(
        self,
        values: Array,
        group: str,
        weights: NDArray[np.float64],
        device: str = "cpu",
        metric: WordMetric | None = None,
    ) -> Assigned:
        """A codebook for each piece by k-means; with a metric, all fitted to each other in it."""
        vectors = as_vectors(values, group)
        axes = self._axes(vectors.shape[1])
        if self.klt:
            basis = _balanced_basis(vectors, weights, [len(rows) for rows in axes])
            axes = self._rounded_axes(
                tuple(np.split(basis, np.cumsum([len(a) for a in axes])[:-1]))
            )
        words, indices = [], []
        for rows in axes:
            pieces = np.ascontiguousarray(vectors @ rows.T.astype(np.float32))
            book, labels = KMeans(self.words, device=device).fit(pieces, weights)
            words.append(book)
            indices.append(labels.astype(np.int32))
        found = Assigned(tuple(words), tuple(axes), np.stack(indices))
        return found if metric is None else refine(found, vectors, metric, METRIC_ROUNDS)

    def most_words(self) -> int:
        """As configured."""
        return self.words

    def _axes(self, dims: int) -> Axes:
        cuts = range(self.length, dims, self.length)
        return list(np.split(np.eye(dims), list(cuts)))

    def _put_axes(self, streams: StreamWriter, axes: tuple[NDArray[np.float64], ...]) -> None:
        if self.klt:
            levels = np.rint(np.concatenate(axes) / _BASIS_STEP).astype("<i4")
            streams.put_bytes(f"{streams.group}.basis", levels.tobytes())

    def _get_axes(self, streams: StreamReader, dims: int) -> Axes:
        axes = self._axes(dims)
        if not self.klt:
            return axes
        name = f"{streams.group}.basis"
        levels = np.frombuffer(streams.get_bytes(name, 4 * dims * dims), "<i4")
        if (np.abs(levels.astype(np.int64)) > 2 / _BASIS_STEP).any():
            raise streams.corrupt(name, "a number out of range")
        basis = levels.reshape(dims, dims) * _BASIS_STEP
        return _split_like(axes, basis)

    def _rounded_axes(self, axes: tuple[NDArray[np.float64], ...]) -> Axes:
        if not self.klt:
            return list(axes)
        return [np.rint(rows / _BASIS_STEP) * _BASIS_STEP for rows in axes]


def _split_like(axes: Axes, basis: NDArray[np.float64]) -> Axes:
    return list(np.split(basis, np.cumsum([len(rows) for rows in axes])[:-1]))


def _balanced_basis(
    vectors: Array, weights: NDArray[np.float64], lengths: list[int]
) -> NDArray[np.float64]:  # [D, D], rows are axes, piece by piece
    """Principal axes about the origin, each dealt to the piece with the least variance product."""
    moment = (vectors * weights[:, None]).T.astype(np.float64) @ vectors / weights.sum()
    variances, directions = np.linalg.eigh(moment)
    pieces: list[list[int]] = [[] for _ in lengths]
    products = np.zeros(len(lengths))
    for axis in np.argsort(-variances):
        open_ones = [s for s, length in enumerate(lengths) if len(pieces[s]) < length]
        piece = min(open_ones, key=lambda s: products[s])
        pieces[piece].append(int(axis))
        products[piece] += np.log(max(variances[axis], 1e-12))
    order = [axis for piece in pieces for axis in piece]
    return np.asarray(directions[:, order].T)
