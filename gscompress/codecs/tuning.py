"""Codebooks fine-tuned through a renderer: words that get gradients. Encoder side only.

A stage renders what will be decoded, hands the gradients by an attribute's numbers to `learn`, and
leaves `trained` where the encoder looks for it (`Context.trained`). Words trained for another codec
or another number of Gaussians are ignored by the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.assigned import Assigned
from gscompress.codecs.base import Decoded
from gscompress.codecs.guidance import Guidance, Trained
from gscompress.codecs.parallel import threads
from gscompress.codecs.word_metric import WordMetric
from gscompress.gaussians import Array

__all__ = ["TrainableWords", "WordCodec"]

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-15


class WordCodec(Protocol):
    """A codec with codebooks: vectree, svq, rvq."""

    def metric(self, group: str, decoded: Decoded, guidance: Guidance) -> WordMetric | None:
        """What errors of words change in images, where the encoder knows."""
        ...

    def assign(
        self,
        values: Array,
        group: str,
        weights: NDArray[np.float64],
        device: str = "cpu",
        metric: WordMetric | None = None,
    ) -> Assigned:
        """Make codebooks for values [N, ...] and choose each Gaussian's words."""
        ...


@dataclass(eq=False)
class _Learned:
    """What of a codebook learns, and its moments."""

    values: Array
    first: Array
    second: Array

    def words(self) -> Array:  # [W, L]
        """The words as they are now."""
        return self.values

    def gradients(self, by_words: Array) -> Array:
        """From the gradients by the words [W, L], those by the values."""
        return by_words

    @classmethod
    def of(cls, book: Array) -> _Learned:
        """The words themselves learn."""
        return cls(book, np.zeros_like(book), np.zeros_like(book))


@dataclass(eq=False)
class _Basis(_Learned):
    """One affine map of all words learns: ``words = source @ values``.

    Attributes:
        source: The first words, each number measured in its root mean square, and a 1; so scaled
            that equal steps of all values move a word about as far as its own would.
    """

    source: Array  # [W, L + 1]

    def words(self) -> Array:
        """The words as they are now."""
        return self.source @ self.values

    def gradients(self, by_words: Array) -> Array:
        """From the gradients by the words [W, L], those by the values [L + 1, L]."""
        return self.source.T @ by_words

    @classmethod
    def of(cls, book: Array) -> _Basis:
        """The map that leaves the words as they are."""
        size = np.sqrt(np.square(book).mean(axis=0, dtype=np.float64) + 1e-12)
        spread = (book.shape[1] + 1) ** 0.5
        source = np.column_stack([book / size, np.ones(len(book))]) / spread
        values = np.vstack([np.diag(size), np.zeros_like(size)]) * spread
        source, values = source.astype(np.float32), values.astype(np.float32)
        return cls(values, np.zeros_like(values), np.zeros_like(values), source)


@dataclass(eq=False)
class TrainableWords:
    """Words on their way to less error, by Adam (Kingma and Ba 2015).

    Attributes:
        codec: The codec that they are for.
        assigned: The words as they are now, and who has which.
        scales: What the numbers of each codebook's words are measured in: learning rates are
            shares of these.
        damping: As of `gscompress.stages.parameters.Parameters`: words that hardly matter hardly
            move.
        together: All words of a codebook move together, by what is learned about one affine map of
            them, as in SimVQ (Zhu et al., arXiv:2411.02038): words that few Gaussians have, or that
            few views show, follow the others. Else each word moves by itself.
    """

    codec: WordCodec
    assigned: Assigned
    scales: tuple[Array, ...]  # each [L]
    damping: float = 0.5
    together: bool = False
    _learned: list[_Learned] = field(init=False, repr=False)
    _step: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        make = _Basis.of if self.together else _Learned.of
        self._learned = [make(book) for book in self.assigned.words]

    @classmethod
    def fit(
        cls,
        codec: WordCodec,
        vectors: Array,  # [N, D]
        assigned: Assigned,
        together: bool = False,
    ) -> TrainableWords:
        """Words that were assigned to vectors; measured in the errors that they make."""
        rows = slice(None) if assigned.used is None else assigned.used
        errors = np.square(vectors - assigned.vectors())[rows].mean(axis=0, dtype=np.float64)
        scales = tuple(
            np.sqrt(np.square(axes) @ errors + 1e-12).astype(np.float32) for axes in assigned.axes
        )
        words = tuple(book.copy() for book in assigned.words)
        return cls(codec, replace(assigned, words=words), scales, together=together)

    def shown(self, values: Array) -> Array:  # [N, ...]
        """An attribute as it will be decoded, if words were not rounded."""
        flat = values.reshape(len(values), -1).copy()
        vectors = self.assigned.vectors()
        rows = slice(None) if self.assigned.used is None else self.assigned.used
        flat[rows, flat.shape[1] - vectors.shape[1] :] = vectors[rows]
        return flat.reshape(values.shape)

    def own(self, gradients: Array) -> Array:  # [N, ...] -> [N, D]
        """Gradients by what the words stand for; 0 for Gaussians without words."""
        dims = self.assigned.axes[0].shape[1]
        flat = gradients.reshape(len(gradients), -1)
        flat = flat[:, flat.shape[1] - dims :]
        return flat if self.assigned.used is None else flat * self.assigned.used[:, None]

    def learn(self, gradients: Array, rate: float) -> None:
        """One step down the gradients [N, D] by what the words of each Gaussian add up to."""
        self._step += 1
        correction = (1 - _BETA2**self._step) ** 0.5 / (1 - _BETA1**self._step)
        books = zip(
            self.assigned.axes, self.assigned.indices, self.scales, self._learned, strict=True
        )
        words = []
        for axes, index, scales, learned in books:
            sums = _sums(gradients @ axes.T.astype(np.float32), index, len(learned.words()))
            _native.adam_step(
                values=learned.values,
                gradients=learned.gradients(sums),
                first=learned.first,
                second=learned.second,
                rates=scales * np.float32(rate * correction),
                beta1=_BETA1,
                beta2=_BETA2,
                epsilon=_EPSILON,
                damping=self.damping,
                threads=threads(),
            )
            words.append(learned.words())
        self.assigned = replace(self.assigned, words=tuple(words))

    def reassign(self, wanted: Array, metric: WordMetric) -> int:
        """Give every Gaussian the words that are best for vectors [N, D]; how many change.

        A Gaussian keeps its words where the new ones cost more: codebooks are chosen in turn.
        """
        used = np.arange(len(wanted))
        if self.assigned.used is not None:
            used = np.flatnonzero(self.assigned.used)
        some, mine = self.assigned.select(used), metric.select(used)
        left = wanted[used] - some.vectors()
        indices = self.assigned.indices.copy()
        changed = 0
        for s, (words, axes) in enumerate(zip(some.words, some.axes, strict=True)):
            table = (words @ axes).astype(np.float32)
            left += table[indices[s, used]]
            best = mine.best(left, words, axes).astype(np.int32)
            changed += int((best != indices[s, used]).sum())
            indices[s, used] = best
            left -= table[best]
        self.assigned = replace(self.assigned, indices=indices)
        return changed

    def trained(self) -> Trained:
        """The words as they are now, for the encoder."""
        words = tuple(book.copy() for book in self.assigned.words)
        return Trained(self.codec, replace(self.assigned, words=words))


def _sums(values: Array, labels: NDArray[np.int32], count: int) -> Array:  # [N, L] -> [W, L]
    order = np.argsort(labels, kind="stable")
    mine = labels[order]
    starts = np.flatnonzero(np.diff(mine, prepend=-1))
    out = np.zeros((count, values.shape[1]), np.float32)
    out[mine[starts]] = np.add.reduceat(values[order], starts)
    return out
