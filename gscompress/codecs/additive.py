"""Values as sums of words, one from each of several codebooks: what svq and rvq have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.assigned import Assigned, sum_of_words
from gscompress.codecs.base import Codec, Decoded, StreamReader, StreamWriter
from gscompress.codecs.canonical import canonicalize
from gscompress.codecs.exact_math import powers
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.log import Log
from gscompress.codecs.quantize import rounded, to_integers
from gscompress.codecs.rotation24 import Rotation24
from gscompress.codecs.word_metric import DAMPING, WordMetric
from gscompress.codecs.words import get_indices, get_words, put_indices, put_words, tree_order
from gscompress.codecs.ycocg import YCoCg
from gscompress.errors import ConfigError
from gscompress.gaussians import Array, Gaussians

__all__ = ["Additive", "as_vectors", "weights_of"]

Axes = list[NDArray[np.float64]]

_GROUPS = ("scales", "quats", "sh")
_FLATNESS = float(np.log(3e-4))
"""A scale below this share of the Gaussian's largest one is raised to it, as in codecs/log.py."""

_WEIGHT_RANGE = 1e3
"""Importances count within this factor of their median."""

_MAX_WORD_STEP = 1 / 16
_SCALAR = {"scales": Log(), "quats": Rotation24(), "sh0": YCoCg(), "shN": YCoCg()}


class Additive(Codec):
    """A codec whose decoder adds up words. Its classes say which codebooks there are.

    Words are whole numbers of ``word_step``. With ``canonical``, scenes are rewritten to the
    equivalent one whose rotations are nearest to the identity.
    """

    word_step: float
    canonical: bool
    views: int

    def arrange(self, scene: Gaussians) -> Gaussians:
        """The equivalent scene whose rotations are canonical, where that is wanted."""
        return canonicalize(scene) if self.canonical else scene

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> Array:
        """Write the values [N, ...] of the streams' group."""
        return self.encode_guided(values, decoded, streams, Guidance())

    def encode_guided(
        self, values: Array, decoded: Decoded, streams: StreamWriter, guidance: Guidance
    ) -> Array:
        """Write the values of the streams' group; errors of important Gaussians count more."""
        group = streams.group
        if group not in _GROUPS:
            raise ConfigError(
                f"attributes.{group}", found=type(self).__name__, expected="another codec"
            )
        if len(values) == 0:
            return values
        assigned = guidance.trained_for(group, self, len(values))
        if assigned is None:
            weights, metric = weights_of(decoded, guidance), self.metric(group, decoded, guidance)
            assigned = self.assign(values, group, weights, guidance.device, metric)
        self._put_axes(streams, assigned.axes)
        books, indices = self._integers(assigned)
        for s, book in enumerate(books):
            put_words(streams, f"{group}.book{s}", book)
        put_indices(streams, group, indices, [len(book) for book in books], decoded.side)
        axes = self._rounded_axes(assigned.axes)
        return _as_values(sum_of_words(self._words(books), axes, indices), group, decoded)

    def decode(self, decoded: Decoded, streams: StreamReader) -> Array:
        """Give the values of the streams' group."""
        group = streams.group
        if group not in _GROUPS:
            raise streams.corrupt(group, f"a codec that is none of {group}")
        shape = decoded.shape(group)
        if decoded.count == 0:
            return np.zeros(shape, np.float32)
        axes = self._get_axes(streams, int(np.prod(shape[1:])))
        books = [
            get_words(streams, f"{group}.book{s}", len(rows), self.most_words())
            for s, rows in enumerate(axes)
        ]
        indices = get_indices(streams, group, [len(book) for book in books], decoded.side)
        return _as_values(sum_of_words(self._words(books), axes, indices), group, decoded)

    def bounded(self, values: Array, limits: Mapping[str, float]) -> Codec | None:
        """Equal steps: no codebook holds a bound on every Gaussian with fewer bits."""
        return _SCALAR[next(iter(limits))].bounded(values, limits)

    def metric(self, group: str, decoded: Decoded, guidance: Guidance) -> WordMetric | None:
        """What errors of harmonics change in images, where the encoder knows."""
        if group != "sh" or self.views == 0 or guidance.sightings is None:
            return None
        terms = decoded.shape("sh")[1]
        means = decoded.attributes["means"]
        return WordMetric.of_harmonics(means, guidance.sightings, terms, DAMPING, apart=False)

    def assign(
        self,
        values: Array,
        group: str,
        weights: NDArray[np.float64],
        device: str = "cpu",
        metric: WordMetric | None = None,
    ) -> Assigned:
        """Make codebooks for values [N, ...], N > 0, and choose each Gaussian's words.

        Args:
            values: What is to be coded.
            group: The attribute group that they are.
            weights: How much the errors of each Gaussian count.
            device: Where to compute.
            metric: What errors cost, where more is known than weights.
        """
        raise NotImplementedError

    def most_words(self) -> int:
        """The largest codebook that a file may hold."""
        raise NotImplementedError

    def _axes(self, dims: int) -> Axes:
        """Which numbers of a vector each codebook's words are, without turning."""
        raise NotImplementedError

    def _put_axes(self, streams: StreamWriter, axes: tuple[NDArray[np.float64], ...]) -> None:
        """Write what a decoder cannot know of the axes."""

    def _get_axes(self, streams: StreamReader, dims: int) -> Axes:
        return self._axes(dims)

    def _rounded_axes(self, axes: tuple[NDArray[np.float64], ...]) -> Axes:
        """The axes as a decoder will know them."""
        return list(axes)

    def _integers(self, assigned: Assigned) -> tuple[list[NDArray[np.int32]], NDArray[np.int32]]:
        """Words as whole numbers in the order of a tree, and the indices into them."""
        books, indices = [], []
        for words, index in zip(assigned.words, assigned.indices, strict=True):
            order = tree_order(words)
            place = np.empty(len(order), np.int32)
            place[order] = np.arange(len(order), dtype=np.int32)
            books.append(to_integers(words[order], self.word_step))
            indices.append(place[index])
        return books, np.stack(indices)

    def _words(self, books: list[NDArray[np.int32]]) -> list[Array]:
        return [(book * self.word_step).astype(np.float32) for book in books]

    def _scaled_step(self, factor: float) -> float:
        return min(rounded(self.word_step * factor), _MAX_WORD_STEP)

    def with_step(self, factor: float) -> Self:
        """The same codec with words in steps ``factor`` times as wide."""
        return replace(self, word_step=self._scaled_step(factor))  # type: ignore[type-var]


def as_vectors(values: Array, group: str) -> Array:  # [N, D]
    """An attribute as the vectors that are quantized.

    Rotations become unit quaternions with w >= 0, flat scales are raised, SH are flattened.
    """
    vectors = values.reshape(len(values), -1)
    if group == "quats":
        length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
        vectors = vectors / np.where(vectors[:, :1] < 0, -length, length)
    elif group == "scales":
        vectors = np.maximum(vectors, vectors.max(axis=1, keepdims=True) + _FLATNESS)
    return np.ascontiguousarray(vectors, dtype=np.float32)


def weights_of(decoded: Decoded, guidance: Guidance) -> NDArray[np.float64]:  # [N]
    """How much the errors of each Gaussian count: its importance, in terms of the median."""
    if guidance.importance is not None and len(guidance.importance):
        weights = np.asarray(guidance.importance, np.float64)
        seen = weights[weights > 0]
        weights = weights / (np.median(seen) if len(seen) else 1.0)
    else:
        middle = 2.0 ** (8 * decoded.octaves)
        weights = (powers(2.0**decoded.octaves, 16) / middle)[decoded.classes]
    return np.clip(weights, 1 / _WEIGHT_RANGE, _WEIGHT_RANGE)


def scaled_words(words: int, factor: float, dims: float, most: int) -> int:
    """Words for errors ``factor`` times as large: an error in D dimensions goes as words^(-1/D)."""
    wanted = np.log2(words) - np.log2(factor) * dims
    return int(np.clip(round(2 ** min(wanted, 32)), 1, most))


def check_count(name: str, value: int, most: int) -> None:
    """Refuse numbers that are out of range.

    Raises:
        ValueError: Says what was found.
    """
    if not 1 <= value <= most:
        raise ValueError(f"{name} is {value}, expected 1 to {most}")


def check_views(views: int) -> None:
    """Refuse a negative number of views.

    Raises:
        ValueError: Says what was found.
    """
    if views < 0:
        raise ValueError(f"views is {views}, expected 0 or more")


def _as_values(vectors: Array, group: str, decoded: Decoded) -> Array:
    """The attribute that vectors [N, D] stand for; quaternions get unit length."""
    if group == "quats":
        wide = vectors.astype(np.float64)
        w, x, y, z = wide.T
        length = np.sqrt(w * w + x * x + y * y + z * z)
        none = length < 1e-6
        wide[none] = [1, 0, 0, 0]
        vectors = (wide / np.where(none, 1, length)[:, None]).astype(np.float32)
    return np.ascontiguousarray(vectors.reshape(decoded.shape(group)))
