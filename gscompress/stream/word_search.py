"""Finding codebooks for the coefficients of trajectories, where they are worth their bits.

What words do not say integers will, so a word is worth what the integers then cost less. That is
estimated value by value; whether it came true, only coding tells (`gscompress.stream.choice`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.kmeans import nearest
from gscompress.codecs.rvq import RVQ
from gscompress.codecs.words import tree_order
from gscompress.gaussians import Array
from gscompress.stream.decoder import Track
from gscompress.stream.path import Term
from gscompress.stream.slots import FRACTION
from gscompress.stream.words import MAX_WORD, most_functions, put_books, write_words

__all__ = ["find_words"]

Doubles = NDArray[np.float64]
Integers = NDArray[np.int32]

_SIZES = (32, 256)
"""Words of a codebook that are tried."""

_STAGES = 3
"""Codebooks that are tried at most."""

_FUNCTIONS = 4
"""Of how many functions words tell at most."""

_FEWEST = 4
"""Vectors per word at least."""

_SAMPLE = 1 << 13
"""Vectors that codebooks are made from at most."""

_ROUNDS = 2
_FLAG_BITS = 1.0
"""About what it takes to say whether a slot has words."""

_VALUE_BITS, _BITS_PER_OCTAVE = 2.0, 1.5
"""About what it takes to code an integer that is not 0, and the more the larger it is."""


@dataclass(frozen=True, eq=False)
class _Values:
    """The coefficients of an attribute.

    Attributes:
        wishes: In steps [slots, functions * channels].
        cost: Of a squared step, in bits [slots].
    """

    wishes: Array
    cost: Doubles

    def bits(self) -> Doubles:  # [slots]
        """About what it takes to code them as integers, or to leave them."""
        size = np.abs(self.wishes)
        coded = _VALUE_BITS + _BITS_PER_OCTAVE * np.log2(1 + size) + self.cost[:, None] / 12
        left = self.cost[:, None] * size * size
        return np.asarray(np.minimum(coded, left).sum(axis=1))


def find_words(
    track: Track, wishes: Array, weights: Array, price: float, scale: float = 1.0
) -> tuple[bytes, list[Term]]:
    """Words for the coefficients of a run, by attribute: new ones, those of the run before, none.

    Args:
        track: Where the run starts; learns the words.
        wishes: The coefficients, in steps [T, slots, C].
        weights: What a squared step costs [slots, C].
        price: Of a bit.
        scale: How many slots each one stands for.

    Returns:
        The bytes and what the words come to; nothing if no word is worth its bits.
    """
    layout, known = track.slots.layout, track.words
    price = max(price, 1e-30)
    kept: dict[str, Integers] = {}
    new: dict[str, Integers] = {}
    books: dict[str, Integers] = {}
    gained = kept_gain = 0.0
    for name, channels in layout.slices.items():
        cost = weights[:, channels].mean(axis=1).astype(np.float64) / price
        if known is not None and name in known.books:
            book = known.books[name]
            if book.shape[2] <= len(wishes):
                values = _Values(_vectors(wishes[: book.shape[2], :, channels]), cost)
                gain, kept[name] = _assign(values, book)
                kept_gain += gain
        functions = min(_FUNCTIONS, len(wishes), most_functions(layout.widths[name]))
        values = _Values(_vectors(wishes[:functions, :, channels]), cost)
        best = 0.0
        for book in _candidates(values, functions):
            gain, index = _assign(values, book)
            gain -= 8 * len(put_books(layout, {name: book})) / scale
            if gain > best:
                best, books[name], new[name] = gain, book, index
        gained += best
    if known is not None and len(kept) == len(known.books) and kept_gain > max(gained, 0.0):
        data, terms = known.encode(kept)
        return write_words(layout, None, data), terms
    if not books:
        return b"", []
    data, terms = track.speak(books).encode(new)
    return write_words(layout, books, data), terms


def _vectors(wishes: Array) -> Array:  # [functions, slots, channels] -> [slots, D]
    return np.ascontiguousarray(wishes.transpose(1, 0, 2)).reshape(wishes.shape[1], -1)


def _candidates(values: _Values, functions: int) -> list[Integers]:
    """Codebooks [stages, words, functions, channels] for those that move enough."""
    moving = np.flatnonzero(values.bits() > _FLAG_BITS + _VALUE_BITS)
    if len(moving) < _FEWEST * _SIZES[0]:
        return []
    some = moving[:: -(-len(moving) // _SAMPLE)]
    vectors, weights = values.wishes[some], np.minimum(values.cost[some], 1e6) + 1e-9
    out = []
    for size in _SIZES:
        if len(some) < _FEWEST * size:
            break
        found = RVQ(stages=_STAGES, words=size, passes=0).assign(vectors, "sh", weights)
        stages = [_rounded(words, size) for words in found.words]
        for count in range(1, _STAGES + 1):
            book = np.stack(stages[:count])
            out.append(book.reshape(count, size, functions, -1))
    return out


def _rounded(words: Array, size: int) -> Integers:  # [W, D] -> [size, D]
    """Words in sixteenths of a step, like ones together; what is missing is 0."""
    out = np.zeros((size, words.shape[1]), np.int32)
    ordered = words[tree_order(words)].astype(np.float64) * FRACTION
    out[: len(words)] = np.rint(np.clip(ordered, -MAX_WORD, MAX_WORD))
    return out


def _assign(values: _Values, book: Integers) -> tuple[float, Integers]:
    """The bits that words save, and which words [slots, stages]; -1: none."""
    index = np.full((len(values.cost), len(book)), -1, np.int32)
    before = values.bits()
    rows = np.flatnonzero(before > _FLAG_BITS)
    if not len(rows):
        return 0.0, index
    left = values.wishes[rows].copy()
    found = np.empty((len(rows), len(book)), np.int32)
    for stage, words in enumerate(book):
        table = words.reshape(len(words), -1).astype(np.float32) / np.float32(FRACTION)
        found[:, stage] = nearest(left, table)
        left -= table[found[:, stage]]
    saved = before[rows] - _Values(left, values.cost[rows]).bits() - _FLAG_BITS
    used = saved > 0
    for _ in range(_ROUNDS):
        used = saved > _index_bits(found, used, book.shape[1])
    index[rows[used]] = found[used]
    return float((saved - _index_bits(found, used, book.shape[1]))[used].sum()), index


def _index_bits(found: Integers, used: NDArray[np.bool_], size: int) -> Doubles:  # [M]
    """What indices cost, by how often each is used."""
    bits = np.zeros(len(found))
    for index in found.T:
        counts = np.bincount(index[used], minlength=size) + 0.5
        bits += -np.log2(counts / counts.sum())[index]
    return bits
