"""Trajectories in words: residual vector quantization of coefficients, as bytes.

The coefficients that an attribute of a slot has for the first few basis functions are one vector,
the sum of words from several codebooks, its stages (dynamic Compact 3DGS, arXiv:2408.03822). The
indices of all attributes are one stream for the whole run; the run after it can go on with the same
books and the same stream, so that what is learned of them is used again.

A byte says whether the books of the run before stay (1). If not, each attribute group has a byte:
its stages; if there are any, the number of functions (a byte), of words in each stage (2 bytes) and
the length (4) and bytes of the words, in sixteenths of a step, which the temporal coder codes like
slots that change once. What follows are the indices, coded by one more temporal coder: a group for
each attribute that has books, a channel for each stage. In the first stage 1 is the first word, as
0 says that there are none.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.stream.layout import Layout
from gscompress.stream.path import Term

__all__ = [
    "MAX_STAGES",
    "MAX_WORD",
    "MAX_WORDS",
    "Books",
    "WordCoder",
    "most_functions",
    "put_books",
    "read_words",
    "write_words",
]

Integers = NDArray[np.int32]
Books = Mapping[str, Integers]
"""By attribute group its words, in sixteenths of a step [stages, words, functions, channels]."""

MAX_STAGES = 8
MAX_WORDS = 1024
MAX_WORD = 1 << 20
_MAX_WIDTH = 256  # of what the temporal coder takes at once
_NEW, _KEPT = 0, 1
_HEAD = struct.Struct("<BH")
_LENGTH = struct.Struct("<I")


def most_functions(width: int) -> int:
    """Of how many functions a word of so many channels may tell."""
    return _MAX_WIDTH // width


class WordCoder:
    """Codebooks, and the coder of indices into them.

    Args:
        layout: The channels.
        books: The words; there is at least one book.
        references: Of all slots, as for the temporal coder [slots, 2].
        classes: Of all slots.
        dead: The slots that are empty.
    """

    def __init__(
        self,
        layout: Layout,
        books: Books,
        references: Integers,
        classes: NDArray[np.uint8],
        dead: Integers,
    ) -> None:
        self.books = dict(books)
        self._layout = layout
        stages = [len(book) for book in books.values()]
        self._coder = _native.TemporalCoder(stages, list(range(sum(stages))))
        self._coder.append(references, classes)
        self._coder.retire(dead)

    @property
    def fixed(self) -> int:
        """Bytes of the books."""
        return len(put_books(self._layout, self.books))

    def copy(self) -> WordCoder:
        """One that goes its own way."""
        other = object.__new__(WordCoder)
        other.__dict__.update(self.__dict__)
        other._coder = self._coder.copy()
        return other

    def encode(self, indices: Mapping[str, Integers]) -> tuple[bytes, list[Term]]:
        """Code a run: the bytes of the indices, and what the words come to.

        Args:
            indices: By group, of all slots; -1 in the first stage: no words [slots, stages].
        """
        planes = [np.where(indices[n][:, :1] < 0, -1, indices[n]) for n in self.books]
        for one in planes:
            one[:, 0] += 1
            one[one[:, 0] == 0] = 0
        wish = np.concatenate(planes, axis=1).astype(np.float32)
        before = self.copy()
        data, _, _ = self._coder.encode(wish, np.ones_like(wish), 0.0, 0)
        return data, before.decode(data)

    def decode(self, data: bytes) -> list[Term]:
        """What the words of a run come to, from the bytes of the indices.

        Raises:
            ValueError: A word that is in no book.
            BrokenStream: The bytes are damaged.
        """
        slots, values = self._coder.decode(data, 0)
        most = max(book.shape[2] for book in self.books.values())
        sums = np.zeros((most, len(slots), self._layout.channels), np.int64)
        first = 0
        for name, book in self.books.items():
            stages, words, functions, _ = book.shape
            index = values[:, first : first + stages].copy()
            first += stages
            used = np.flatnonzero(index.any(axis=1))
            index[:, 0] -= 1
            index = index[used]
            if ((index < 0) | (index >= words)).any():
                raise ValueError(f"a word of {name} that is not there")
            channels = self._layout.slices[name]
            for stage in range(stages):
                found = book[stage, index[:, stage]]  # [M, functions, channels]
                sums[:functions, used, channels] += found.transpose(1, 0, 2)
        return [Term(k, slots, one) for k, one in enumerate(sums)]


def write_words(layout: Layout, books: Books | None, indices: bytes) -> bytes:
    """The words of a run; books None: those of the run before stay."""
    return (
        bytes([_KEPT]) + indices
        if books is None
        else bytes([_NEW]) + put_books(layout, books) + indices
    )


def put_books(layout: Layout, books: Books) -> bytes:
    """Codebooks as bytes."""
    parts = []
    for name in layout.widths:
        if name not in books:
            parts.append(bytes([0]))
            continue
        stages, words, functions, width = books[name].shape
        flat = books[name].reshape(stages * words, functions * width).astype(np.float32)
        data, _, _ = _word_coder(functions, width, len(flat)).encode(
            flat, np.ones_like(flat), 0.0, 0
        )
        parts += [bytes([stages]), _HEAD.pack(functions, words), _LENGTH.pack(len(data)), data]
    return b"".join(parts)


def get_books(layout: Layout, data: bytes, frames: int) -> tuple[Books, bytes]:
    """Codebooks, and what follows them.

    Args:
        layout: The channels.
        data: The bytes.
        frames: Of the run.

    Raises:
        ValueError: They make no sense.
        BrokenStream: The bytes are damaged.
    """
    books: dict[str, Integers] = {}
    for name, width in layout.widths.items():
        stages, data = _taken(data, 1)
        if not stages[0]:
            continue
        head, data = _taken(data, _HEAD.size)
        functions, words = _HEAD.unpack(head)
        if (
            stages[0] > MAX_STAGES
            or not 1 <= words <= MAX_WORDS
            or not 1 <= functions <= min(frames, most_functions(width))
        ):
            raise ValueError(f"{stages[0]} books of {words} words and {functions} functions")
        length, data = _taken(data, _LENGTH.size)
        block, data = _taken(data, _LENGTH.unpack(length)[0])
        rows, values = _word_coder(functions, width, stages[0] * words).decode(block, 0)
        flat = np.zeros((stages[0] * words, functions * width), np.int32)
        flat[rows] = values
        if (np.abs(flat.astype(np.int64)) > MAX_WORD).any():
            raise ValueError(f"a word of {name} that is too large")
        books[name] = flat.reshape(stages[0], words, functions, width)
    if not books:
        raise ValueError("no codebook")
    return books, data


def read_words(
    layout: Layout, data: bytes, frames: int, before: WordCoder | None
) -> tuple[Books | None, bytes]:
    """The books of a run, None if those before stay, and the bytes of its indices.

    Raises:
        ValueError: They make no sense.
        BrokenStream: The bytes are damaged.
    """
    kept, data = _taken(data, 1)
    if kept[0] == _NEW:
        return get_books(layout, data, frames)
    if kept[0] != _KEPT:
        raise ValueError(f"books of the kind {kept[0]}")
    if before is None:
        raise ValueError("books that are not there")
    if max(book.shape[2] for book in before.books.values()) > frames:
        raise ValueError(f"books of more functions than {frames} frames have")
    return None, data


def _word_coder(functions: int, width: int, rows: int) -> _native.TemporalCoder:
    coder = _native.TemporalCoder([functions * width], np.repeat(range(functions), width).tolist())
    near = np.maximum(np.arange(rows, dtype=np.int32) - 1, 0)
    other = np.maximum(near - 1, 0)
    coder.append(np.stack([near, other], axis=1), np.zeros(rows, np.uint8))
    return coder


def _taken(data: bytes, size: int) -> tuple[bytes, bytes]:
    """The first bytes, and the others."""
    if len(data) < size:
        raise ValueError("words that are cut off")
    return data[:size], data[size:]
