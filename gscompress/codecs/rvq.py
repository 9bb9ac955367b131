"""Vectors as sums of words, each from the codebook of one stage."""

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
from gscompress.codecs.assigned import Assigned, sum_of_words
from gscompress.codecs.beam import beam_search
from gscompress.codecs.quantize import check_positive
from gscompress.codecs.word_metric import WordMetric, codebook
from gscompress.codecs.words import MAX_WORDS
from gscompress.gaussians import Array

__all__ = ["RVQ"]

_MAX_STAGES = 16
_MAX_PASSES = 64
_MAX_BEAM = 256
_TYPICAL_DIMS = 3.5
"""Between those of scales and of rotations."""


@dataclass(frozen=True)
class RVQ(Additive):
    """Residual vector quantization: Compact 3DGS (arXiv:2311.13681), section 3.3.

    The first stage quantizes the vectors, each further one what the stages before have left.
    Compact 3DGS: scales and rotations in 6 stages of 64 words. Differences: log-scales rather than
    scales; k-means rather than gradients, after which each stage in turn is fitted to what all
    others leave (which gradients do as well) and the words of a Gaussian are chosen together;
    indices are context-coded rather than Huffman-coded.

    Attributes:
        stages: Number of codebooks.
        words: Words per codebook.
        passes: How often each stage is fitted to what the others leave, and all words of a Gaussian
            chosen anew.
        beam: How many sums are kept as they are chosen: see `gscompress.codecs.beam`.
        canonical: Rewrite rotations, and with them the order of the scales, to the equivalent ones
            nearest to the identity.
        word_step: What the numbers of the words are multiples of.
        views: From how many training cameras the encoder finds out which errors of harmonics show,
            to choose words that show least (`gscompress.codecs.word_metric`); 0 for the nearest.
    """

    stages: int = 6
    words: int = 64
    passes: int = 2
    canonical: bool = False
    word_step: float = 1 / 1024
    beam: int = 8
    views: int = 0

    def __post_init__(self) -> None:
        check_count("stages", self.stages, _MAX_STAGES)
        check_count("words", self.words, MAX_WORDS)
        if not 0 <= self.passes <= _MAX_PASSES:
            raise ValueError(f"passes is {self.passes}, expected 0 to {_MAX_PASSES}")
        check_positive(word_step=self.word_step)
        check_count("beam", self.beam, _MAX_BEAM)
        check_views(self.views)

    def scaled(self, factor: float) -> RVQ:
        """As many words as make errors of scales and rotations ``factor`` times as large."""
        words = scaled_words(self.words, factor, _TYPICAL_DIMS / self.stages, MAX_WORDS)
        return replace(self.with_step(factor), words=words)

    def assign(
        self,
        values: Array,
        group: str,
        weights: NDArray[np.float64],
        device: str = "cpu",
        metric: WordMetric | None = None,
    ) -> Assigned:
        """A codebook for each stage by k-means on what the stages before leave."""
        vectors = as_vectors(values, group)
        metric = metric or WordMetric.plain(weights)
        axes = self._axes(vectors.shape[1])
        left = vectors.copy()
        words, labels = [], []
        for _ in range(self.stages):
            book, index = codebook(self.words, left, metric, device=device)
            left -= book[index]
            words.append(book)
            labels.append(index)
        for _ in range(self.passes):
            for s in range(self.stages):
                left += words[s][labels[s]]
                words[s] = metric.fitted(left, labels[s], words[s], axes[s])
                left -= words[s][labels[s]]
            labels = list(beam_search(vectors, words, metric, self.beam))
            left = vectors - sum_of_words(words, axes, np.stack(labels))
        return Assigned(tuple(words), tuple(axes), np.stack(labels).astype(np.int32))

    def most_words(self) -> int:
        """As configured."""
        return self.words

    def _axes(self, dims: int) -> Axes:
        return [np.eye(dims)] * self.stages
