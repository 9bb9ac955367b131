"""Colour: words of a codebook for the Gaussians that matter least, own values for the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.additive import check_count, scaled_words, weights_of
from gscompress.codecs.assigned import Assigned
from gscompress.codecs.base import Codec, Decoded, StreamReader, StreamWriter
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.kmeans import KMeans
from gscompress.codecs.quantize import check_adapt, check_positive, rounded
from gscompress.codecs.sh_search import ShSearch
from gscompress.codecs.word_metric import DAMPING, METRIC_ROUNDS, WordMetric, codebook
from gscompress.codecs.words import (
    MAX_WORDS,
    get_indices,
    get_words,
    put_indices,
    put_words,
    tree_order,
)
from gscompress.codecs.ycocg import YCoCg
from gscompress.codecs.ycocg_levels import dequantize, luma_and_chroma, quantize
from gscompress.entropy.base import Planes
from gscompress.gaussians import SH_C0, Array

__all__ = ["VecTree"]

_CONSTANT = Planes(partners=(-1, 0, 1))
_FIRST_ROUNDS = 3
"""Rounds of the codebook that only says which Gaussians it would serve badly."""


@dataclass(frozen=True)
class VecTree(Codec):
    """Vector-quantized spherical harmonics: LightGaussian (arXiv:2311.17245), section 3.4.

    The most important share of the Gaussians keeps its own coefficients; all others get the nearest
    word of one codebook, made by importance-weighted k-means. The octree of the positions, the
    other half of the paper's VecTree, is `gscompress.codecs.octree`. Differences: own
    coefficients and words are luma and chroma in equal steps, entropy-coded, rather than float16;
    indices, and the flags that say who has one, are coded in the context of nearby Gaussians and of
    importance classes.

    Attributes:
        codebook: Number of words.
        keep_exact: Share of the Gaussians that keep their own coefficients.
        split: Who keeps them: the most important ones (the paper), or those whose errors would
            weigh most if they had words.
        joint: Whether words hold the constant term too (as the released code does); else it is
            coded apart for all Gaussians.
        step: Step of the luma of the constant term, in units of the colour (0..1).
        sh_step: Step of the luma of the other coefficients.
        word_step: Step of the luma of words.
        chroma: Chroma steps are the luma steps times this.
        adapt: Steps, but those of words, shrink with importance w as w^(-adapt/8).
        views: From how many training cameras the encoder finds out which errors show, to choose own
            coefficients as `gscompress.codecs.ycocg.YCoCg` does, and words that show least
            (`gscompress.codecs.word_metric`); 0 for the nearest integers and words.
    """

    codebook: int = 8192
    keep_exact: float = 0.4
    split: Literal["importance", "error"] = "importance"
    joint: bool = True
    step: float = 1 / 256
    sh_step: float = 1 / 128
    word_step: float = 1 / 64
    chroma: float = 1.5
    adapt: int = 0
    views: int = 0

    def __post_init__(self) -> None:
        check_count("codebook", self.codebook, MAX_WORDS)
        if not 0 <= self.keep_exact <= 1:
            raise ValueError(f"keep_exact is {self.keep_exact}, expected 0 to 1")
        steps = {"step": self.step, "sh_step": self.sh_step, "word_step": self.word_step}
        check_positive(**steps, chroma=self.chroma)
        check_adapt(self.adapt)
        if self.views < 0:
            raise ValueError(f"views is {self.views}, expected 0 or more")

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> None:
        """Write coefficients [N, K, 3]."""
        self.encode_guided(values, decoded, streams, Guidance())

    def encode_guided(
        self, values: Array, decoded: Decoded, streams: StreamWriter, guidance: Guidance
    ) -> None:
        """Write coefficients [N, K, 3]; errors of important Gaussians count more."""
        if len(values) == 0:
            return
        assigned = guidance.trained_for("sh", self, len(values))
        metric = self.metric("sh", decoded, guidance)
        if assigned is None:
            weights = weights_of(decoded, guidance)
            assigned = self.assign(values, "sh", weights, guidance.device, metric)
        worded = np.ones(len(values), bool) if assigned.used is None else assigned.used
        levels = self._levels(values, decoded, guidance)
        book, index = self._integers(assigned)
        if metric is not None and metric.shares is not None and worded.any():
            words = self._word_values(book)[index[worded]]
            self._make_up(levels, values, words, worded, metric.shares[worded], decoded)
        if not self.joint:
            streams.put_planes("sh0", levels[:, 0], _CONSTANT, decoded.side)
        own = levels[:, self._skipped :] * ~worded
        streams.put_planes("sh.own", _own_planes(own, ~worded), _planes(own.shape[1]), decoded.side)
        put_words(streams, "sh.book", book)
        put_indices(streams, "sh.words", index[None], [len(book)], decoded.side, worded)

    def decode(self, decoded: Decoded, streams: StreamReader) -> Array:
        """Give coefficients [N, K, 3]."""
        terms = (decoded.sh_degree + 1) ** 2
        if decoded.count == 0:
            return np.zeros(decoded.shape("sh"), np.float32)
        levels = np.zeros((3, terms, decoded.count), np.int32)
        if not self.joint:
            levels[:, 0] = streams.get_planes("sh0", _CONSTANT, decoded.side)
        coded = terms - self._skipped
        planes = streams.get_planes("sh.own", _planes(coded), decoded.side)
        if ((planes[0] < 0) | (planes[0] > 1)).any():
            raise streams.corrupt("sh.own", "a flag out of range")
        levels[:, self._skipped :] = planes[4:].reshape(3, coded, decoded.count)
        worded = planes[0] == 0
        book = get_words(streams, "sh.book", 3 * coded, self.codebook)
        (index,) = get_indices(streams, "sh.words", [len(book)], decoded.side, worded)
        return self._values(levels, book, index, worded, decoded)

    def scaled(self, factor: float) -> VecTree:
        """Steps times ``factor``; more words, and more Gaussians without, the finer they are."""
        kept = self.keep_exact / (self.keep_exact + (1 - self.keep_exact) * factor)
        return replace(
            self,
            codebook=scaled_words(self.codebook, factor, 1, MAX_WORDS),
            keep_exact=rounded(kept),
            step=rounded(self.step * factor),
            sh_step=rounded(self.sh_step * factor),
            word_step=rounded(self.word_step * factor),
        )

    def bounded(self, values: Array, limits: Mapping[str, float]) -> Codec:
        """Equal steps: no codebook holds a bound on every Gaussian with fewer bits."""
        return YCoCg().bounded(values, limits)

    def metric(self, group: str, decoded: Decoded, guidance: Guidance) -> WordMetric | None:
        """What errors of words change in images, where the encoder knows."""
        terms = decoded.shape(group)[1]
        if self.views == 0 or guidance.sightings is None or terms == self._skipped:
            return None
        means = decoded.attributes["means"]
        return WordMetric.of_harmonics(
            means, guidance.sightings, terms, DAMPING, apart=not self.joint
        )

    def assign(
        self,
        values: Array,
        group: str,
        weights: NDArray[np.float64],
        device: str = "cpu",
        metric: WordMetric | None = None,
    ) -> Assigned:
        """Choose who gets a word, make the codebook for these, and choose their words."""
        vectors = np.ascontiguousarray(values[:, self._skipped :].reshape(len(values), -1))
        dims = vectors.shape[1]
        index = np.zeros(len(vectors), np.int32)
        worded = self._worded(vectors, weights, device, metric)
        words = np.zeros((1, dims), np.float32)
        if worded.any() and dims and metric is not None:
            words, index[worded] = codebook(
                self.codebook,
                vectors[worded],
                metric.select(worded),
                rounds=METRIC_ROUNDS,
                device=device,
            )
        elif worded.any() and dims:
            fit = KMeans(self.codebook, device=device).fit
            words, index[worded] = fit(vectors[worded], weights[worded])
        return Assigned((words,), (np.eye(dims),), index[None], worded)

    @property
    def _skipped(self) -> int:
        """Terms that words and own coefficients do not hold."""
        return 0 if self.joint else 1

    def _worded(
        self,
        vectors: Array,
        weights: NDArray[np.float64],
        device: str,
        metric: WordMetric | None,
    ) -> NDArray[np.bool_]:  # [N]
        loss = weights
        if self.split == "error" and vectors.shape[1]:
            if metric is not None:
                words, index = codebook(self.codebook, vectors, metric, device=device)
                loss = metric.costs(vectors - words[index])
            else:
                rough = KMeans(self.codebook, rounds=_FIRST_ROUNDS, exact_rounds=0, device=device)
                words, nearest = rough.fit(vectors, weights)
                loss = weights * np.square(vectors - words[nearest]).sum(axis=1)
        kept = round(self.keep_exact * len(vectors))
        worded = np.ones(len(vectors), bool)
        worded[np.argsort(-loss, kind="stable")[:kept]] = False
        return worded

    def _levels(
        self, values: Array, decoded: Decoded, guidance: Guidance
    ) -> NDArray[np.int32]:  # [3, K, N]
        steps = self._steps(decoded)
        terms = values.shape[1]
        first = quantize(values, steps[0], self.chroma, 0, 1)
        higher = quantize(values, steps[1], self.chroma, 1, terms - 1)
        if self.views > 0 and guidance.sightings is not None:
            search = ShSearch(compaction=0.064, damping=DAMPING)
            means = decoded.attributes["means"]
            levels = first, *luma_and_chroma(higher)
            search.refine(levels, values, means, steps, self.chroma, guidance.sightings)
        count = len(values)
        parts = first.reshape(3, 1, count), higher.reshape(3, terms - 1, count)
        return np.concatenate(parts, axis=1)

    def _make_up(
        self,
        levels: NDArray[np.int32],  # [3, K, N]
        values: Array,  # [N, K, 3]
        words: Array,  # [M, K - 1, 3]
        worded: NDArray[np.bool_],  # [N], M of them
        shares: Array,  # [M, K - 1]
        decoded: Decoded,
    ) -> None:
        """Constant terms that make up, in images, for what words lose; into ``levels``."""
        wanted = values[worded, :1].copy()
        wanted[:, 0] -= np.einsum("nk,nkc->nc", shares, words - values[worded, 1:])
        steps = self._steps(decoded)[0][worded]
        levels[:, 0, worded] = quantize(wanted, steps, self.chroma, 0, 1)

    def _values(
        self,
        levels: NDArray[np.int32],  # [3, K, N]
        book: NDArray[np.int32],  # [W, 3 * terms]
        index: NDArray[np.int32],  # [N]
        worded: NDArray[np.bool_],  # [N]
        decoded: Decoded,
    ) -> Array:
        steps = self._steps(decoded)
        out = np.empty(decoded.shape("sh"), np.float32)
        dequantize(levels[:, :1], steps[0], self.chroma, 0, out)
        dequantize(levels[:, 1:], steps[1], self.chroma, 1, out)
        out[worded, self._skipped :] = self._word_values(book)[index[worded]]
        return out

    def _integers(self, assigned: Assigned) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Words [W, 3 * terms] as luma and chroma levels in tree order, and the indices [N]."""
        (words,), (index,) = assigned.words, assigned.indices
        order = tree_order(words) if words.shape[1] else np.arange(len(words))
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        rgb = np.ascontiguousarray(words[order].reshape(len(words), -1, 3))
        steps = np.full(len(rgb), self.word_step)
        levels = quantize(rgb, steps, self.chroma, 0, rgb.shape[1])
        return np.ascontiguousarray(levels.T), place[index]

    def _word_values(self, book: NDArray[np.int32]) -> Array:  # [W, terms, 3]
        terms = book.shape[1] // 3
        out = np.empty((len(book), terms, 3), np.float32)
        levels = book.T.reshape(3, terms, len(book))
        dequantize(levels, np.full(len(book), self.word_step), self.chroma, 0, out)
        return out

    def _steps(self, decoded: Decoded) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        factors = decoded.step_factors(self.adapt)
        return np.asarray(self.step / SH_C0 * factors), np.asarray(self.sh_step * factors)


def _own_planes(levels: NDArray[np.int32], own: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Who has own coefficients; per channel whether any is not 0; the coefficients."""
    flags = (levels != 0).any(axis=1)
    planes = levels.reshape(-1, levels.shape[2])
    return np.ascontiguousarray(np.concatenate([own[None], flags, planes]), dtype=np.int32)


def _planes(terms: int) -> Planes:
    partners = [-1, -1, 1, 2]
    for channel in range(3):
        before = 4 + (channel - 1) * terms
        partners += [before + k if channel else -1 for k in range(terms)]
    gates = [-1, 0, 0, 0, *(1 + c for c in range(3) for _ in range(terms))]
    return Planes(partners=tuple(partners), trust=1, gates=tuple(gates))
