"""Codebooks and indices into them as streams.

Words come in the order of a tree: halves of a codebook are alike, and so are halves of the halves,
so that the leading digits of an index say roughly where the word is. A Gaussian often has the very
word of its reference (trained Gaussians come in clones): a flag says so. Otherwise its index is
coded in digits of two bits, each in the context of those before it. Words are integers.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.base import StreamReader, StreamWriter
from gscompress.entropy.base import Planes, Side
from gscompress.entropy.planes import decode_planes, encode_planes
from gscompress.errors import CorruptFileError
from gscompress.gaussians import Array

__all__ = [
    "MAX_WORDS",
    "get_indices",
    "get_words",
    "put_indices",
    "put_words",
    "tree_order",
]

MAX_WORDS = 1 << 16
_DIGIT_BITS = 2
_DIGIT_VALUES = 1 << _DIGIT_BITS
_COUNT = struct.Struct("<I")
_FEW = 32
"""Up to so many words are halved along an axis rather than along their principal direction."""


def tree_order(words: Array) -> NDArray[np.intp]:  # [W]
    """An order of words [W, D] in which neighbours are alike: a balanced tree of halves."""
    order = np.arange(len(words))
    pending = [(0, len(words))]
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        part = words[order[first:last]]
        ranks = np.argsort(_along(part - part.mean(axis=0)), kind="stable")
        order[first:last] = order[first:last][ranks]
        half = first + (1 << ((last - first - 1).bit_length() - 1))
        pending += [(first, half), (half, last)]
    return order


def _along(centred: Array) -> Array:  # [W]
    if len(centred) <= _FEW:
        return np.asarray(centred[:, np.argmax(np.einsum("nd,nd->d", centred, centred))])
    _, directions = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    return np.asarray(centred @ directions[:, -1])


def put_indices(
    streams: StreamWriter,
    name: str,
    indices: NDArray[np.int32],  # [S, N]
    sizes: Sequence[int],
    side: Side,
    used: NDArray[np.bool_] | None = None,  # [N]
) -> None:
    """Write the index of each Gaussian into each of S codebooks.

    Args:
        streams: Where to.
        name: Name of the stream.
        indices: The indices.
        sizes: Words of each codebook.
        side: What both sides know of the Gaussians.
        used: Which Gaussians have indices; None for all. The reader must know.
    """
    rows = [] if used is None else [used.astype(np.int32)]
    for index, size in zip(indices, sizes, strict=True):
        if used is not None:  # the others have, in effect, the index of their reference
            index = _resolved(np.where(used, index, 0), ~used, side)
        differs = index != index[side.references]
        differs[:1] = True
        if used is not None:
            differs &= used
        rows.append(differs.astype(np.int32))
        coded = np.where(differs, index, 0)
        shifts = range(_DIGIT_BITS * (_digits(size) - 1), -1, -_DIGIT_BITS)
        rows += [(coded >> shift) & (_DIGIT_VALUES - 1) for shift in shifts]
    planes = np.ascontiguousarray(np.stack(rows), dtype=np.int32)
    streams.put_planes(name, planes, _planes(sizes, used), _told(side, used))


def get_indices(
    streams: StreamReader,
    name: str,
    sizes: Sequence[int],
    side: Side,
    used: NDArray[np.bool_] | None = None,  # [N]
) -> NDArray[np.int32]:  # [S, N]
    """Read the indices; those that are not used have no meaning.

    Raises:
        CorruptFileError: An index has no word.
    """
    planes = iter(streams.get_planes(name, _planes(sizes, used), _told(side, used)))
    if used is not None and (next(planes) != used).any():
        raise streams.corrupt(name, "indices of other Gaussians")
    out = []
    for size in sizes:
        differs = next(planes)
        coded = np.zeros(len(side), np.int64)
        for _ in range(_digits(size)):
            digit = next(planes)
            if ((digit < 0) | (digit >= _DIGIT_VALUES)).any():
                raise streams.corrupt(name, "a digit out of range")
            coded = (coded << _DIGIT_BITS) + digit
        if (coded >= size).any() or ((differs < 0) | (differs > 1)).any():
            raise streams.corrupt(name, "an index out of range", f"below {size}")
        out.append(_resolved(coded, differs == 0, side))
    return np.stack(out)


def put_words(streams: StreamWriter, name: str, words: NDArray[np.int32]) -> None:  # [W, D]
    """Write the words of a codebook, in tree order."""
    planes = np.ascontiguousarray(words.T)
    side = _sequence(len(words))
    (data,) = encode_planes(streams.coder, planes, _word_planes(len(planes)), side)
    streams.put_bytes(name, _COUNT.pack(len(words)) + data)


def get_words(streams: StreamReader, name: str, dims: int, most: int) -> NDArray[np.int32]:
    """Read the words [W, dims] of a codebook of at most ``most``.

    Raises:
        CorruptFileError: It is no codebook, or one of no or too many words.
    """
    data = streams.get_bytes(name)
    count = int.from_bytes(data[: _COUNT.size], "little")
    if len(data) < _COUNT.size or not 1 <= count <= most:
        raise streams.corrupt(name, f"a codebook of {count} words", f"1 to {most}")
    try:
        planes = decode_planes(
            streams.coder, [data[_COUNT.size :]], _word_planes(dims), _sequence(count)
        )
    except CorruptFileError as error:
        raise streams.corrupt(name, error.found or str(error)) from error
    return np.ascontiguousarray(planes.T)


def _digits(size: int) -> int:
    return -(-(size - 1).bit_length() // _DIGIT_BITS)


def _planes(sizes: Sequence[int], used: NDArray[np.bool_] | None) -> Planes:
    """Whether there is an index, where that varies; per codebook whether it is new; its digits."""
    gate = -1 if used is None else 0
    partners, gates = [-1] * (gate + 1), [-1] * (gate + 1)
    before = -1
    for size in sizes:
        flag, digits = len(partners), _digits(size)
        partners += [before, *([-1] * min(digits, 1)), *range(flag + 1, flag + digits)]
        gates += [gate, *([flag] * digits)]
        before = flag
    return Planes(partners=tuple(partners), trust=-1, gates=tuple(gates))


def _told(side: Side, used: NDArray[np.bool_] | None) -> Side:
    """Contexts that tell which Gaussians have indices, so that saying it again costs nothing."""
    if used is None:
        return side
    return replace(side, classes=(side.classes // 2 + 8 * used).astype(np.uint8))


def _resolved(
    index: NDArray[np.integer], inherits: NDArray[np.bool_], side: Side
) -> NDArray[np.int32]:  # [N]
    everyone = np.ones(len(index), bool)
    return _native.resolve_references(
        index.astype(np.int32), side.references, np.ascontiguousarray(inherits), everyone
    )


def _word_planes(dims: int) -> Planes:
    return Planes(partners=tuple(range(-1, dims - 1)), trust=1 if dims > 1 else 255)


def _sequence(count: int) -> Side:
    before = np.arange(-1, count - 1, dtype=np.int32)
    zeros = np.zeros(count, np.uint8)
    return Side(np.maximum(before, 0), zeros, zeros)
