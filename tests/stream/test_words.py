"""Trajectories in words: their bytes, and finding them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gscompress import _native
from gscompress.stream.decoder import Track
from gscompress.stream.layout import EVEN, Layout, Steps
from gscompress.stream.path import Path, Term
from gscompress.stream.slots import FRACTION
from gscompress.stream.transform import basis
from gscompress.stream.word_search import find_words
from gscompress.stream.words import WordCoder, put_books, read_words, write_words
from tests.checks import make_scene

LAYOUT, SLOTS, FRAMES = Layout(1), 60, 5
DEAD = 3
PRICE = 1e-6


def books() -> dict[str, NDArray[np.int32]]:
    rng = np.random.default_rng(0)
    return {
        "means": rng.integers(-900, 900, (2, 16, 3, 3)).astype(np.int32),
        "shN": rng.integers(-3, 3, (1, 5, 2, 9)).astype(np.int32),
    }


def coder(some: dict[str, NDArray[np.int32]] | None = None) -> WordCoder:
    references = np.stack([np.maximum(np.arange(SLOTS) - 1, 0)] * 2, axis=1).astype(np.int32)
    dead = np.array([DEAD], np.int32)
    return WordCoder(LAYOUT, some or books(), references, np.zeros(SLOTS, np.uint8), dead)


def indices(seed: int = 0) -> dict[str, NDArray[np.int32]]:
    rng = np.random.default_rng(seed)
    out = {n: rng.integers(0, b.shape[1], (SLOTS, len(b)), np.int32) for n, b in books().items()}
    out["means"][::3, 0] = -1
    out["shN"][::2, 0] = -1
    return out


def expected(chosen: dict[str, NDArray[np.int32]]) -> NDArray[np.int64]:
    """Slot by slot, and word by word."""
    out = np.zeros((3, SLOTS, LAYOUT.channels), np.int64)
    for name, book in books().items():
        channels = LAYOUT.slices[name]
        for slot in range(SLOTS):
            if slot != DEAD and chosen[name][slot, 0] >= 0:
                for stage, word in enumerate(chosen[name][slot]):
                    out[: book.shape[2], slot, channels] += book[stage, word]
    return out


def dense(terms: list[Term], functions: int = 3) -> NDArray[np.int64]:
    out = np.zeros((functions, SLOTS, LAYOUT.channels), np.int64)
    for one in terms:
        out[one.function, one.slots] += one.values
    return out


def test_words_are_read_as_written() -> None:
    """With new books, and with those of the run before, which cost nothing again."""
    encoder, decoder, sizes = coder(), None, []
    for number, some in enumerate([None if k else books() for k in range(2)]):
        data, told = encoder.encode(indices(number))
        block = write_words(LAYOUT, some, data)
        sizes.append(len(block))
        found, rest = read_words(LAYOUT, block, FRAMES, decoder)
        if found is not None:
            for name, book in books().items():
                np.testing.assert_array_equal(found[name], book)
            decoder = coder(dict(found))
        assert decoder is not None
        terms = decoder.decode(rest)
        np.testing.assert_array_equal(dense(terms), expected(indices(number)))
        np.testing.assert_array_equal(dense(told), dense(terms))
    assert sizes[1] < sizes[0] - 0.9 * len(put_books(LAYOUT, books()))


def test_the_same_words_again_cost_little() -> None:
    encoder = coder()
    first, again = (len(encoder.encode(indices())[0]) for _ in range(2))
    assert again < 0.5 * first


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "cut off"),
        (b"\2", "kind 2"),
        (b"\1", "not there"),
        (b"\0" * 7, "no codebook"),
        (b"\0\1", "cut off"),
        (b"\0\x09\1\1\0", "9 books"),
        (b"\0\1\0\1\0", "0 functions"),
        (b"\0\1\6\1\0", "6 functions"),
        (b"\0\1\1\0\0", "0 words"),
        (b"\0\1\1\1\x04\1\0\0\0", "1025 words"),
        (b"\0\1\1\1\0\xff\xff\xff\xff", "cut off"),
    ],
)
def test_broken_books_are_refused(data: bytes, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        read_words(LAYOUT, data, FRAMES, None)


def test_words_that_make_no_sense_are_refused() -> None:
    data, _ = coder().encode(indices())
    fewer = {"means": books()["means"][:, :9], "shN": books()["shN"]}
    with pytest.raises(ValueError, match="word of means that is not there"):
        coder(fewer).decode(data)
    with pytest.raises(ValueError, match="more functions than 2"):
        read_words(LAYOUT, b"\1" + data, 2, coder())
    large = {"means": np.full((1, 1, 1, 3), 1 << 21, np.int32)}
    with pytest.raises(ValueError, match="too large"):
        read_words(LAYOUT, b"\0" + put_books(LAYOUT, large), FRAMES, None)
    with pytest.raises(_native.BrokenStream):
        coder().decode(data[: len(data) // 2])


def test_a_path_is_the_sum_of_its_functions() -> None:
    """Rounded once per frame, and however far: frame by frame what the formula gives."""
    rng, channels = np.random.default_rng(1), 4
    terms = [
        Term.of_steps(k, *_some(rng, channels)) if k % 2 else Term(k, *_wide(rng, channels))
        for k in (0, 1, 4, 1)
    ]
    path = Path(terms, 6, channels)
    total = np.zeros((6, 30, channels))
    for one in terms:
        total[:, one.slots] += basis(6)[one.function][:, None, None] * one.values / 2.0**14
    at = np.zeros((30, channels), np.int64)
    np.testing.assert_array_equal(path.moving, np.unique(np.concatenate([t.slots for t in terms])))
    for frame in range(6):
        at[path.moving] += path.change(frame)
        np.testing.assert_array_equal(path.change(frame), path.change(frame))
        np.testing.assert_array_equal(at, np.floor(total[frame] + 0.5))
    assert abs(at).max() > 16 * FRACTION


def _some(rng: np.random.Generator, channels: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    slots = np.sort(rng.choice(30, 10, replace=False)).astype(np.int32)
    return slots, rng.integers(-99, 99, (10, channels)).astype(np.int32)


def _wide(rng: np.random.Generator, channels: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    slots, values = _some(rng, channels)
    return slots, values.astype(np.int64)


def track(count: int) -> Track:
    return Track(make_scene(count, 0), Steps((1.0,) * 5 + (0.0,), EVEN))


def wishes(count: int, kinds: int, noise: float, seed: int = 0) -> NDArray[np.float32]:
    """The positions of each slot go one of a few ways."""
    rng = np.random.default_rng(seed)
    out = np.zeros((FRAMES, count, 13), np.float32)
    ways = np.random.default_rng(5).normal(0, 40, (kinds, FRAMES, 3)) * [
        [[1], [0.3], [0.1], [0], [0]]
    ]
    out[:, :, :3] = ways[rng.integers(0, kinds, count)].transpose(1, 0, 2)
    out[:3, :, :3] += rng.normal(0, noise, (3, count, 3))
    return out


def test_shared_ways_are_found_and_kept() -> None:
    """A few ways in common become words, that the next run uses again."""
    start, weights = track(600), np.full((600, 13), 20 * PRICE, np.float32)
    wanted = wishes(600, 10, 0.1)
    data, terms = find_words(start, wanted, weights, PRICE)
    assert data[0] == 0
    left = wanted.copy()
    for one in terms:
        left[one.function, one.slots] -= one.values / FRACTION
    assert np.abs(left[:3]).max() < 1.0 < 0.02 * np.abs(wanted).max()
    assert start.words is not None
    assert set(start.words.books) == {"means"}
    again, terms = find_words(start, wishes(600, 10, 0.1, seed=1), weights, PRICE)
    assert again[0] == 1
    assert len(again) < 0.7 * len(data)
    assert len(terms[0].slots) == 600


def test_ways_of_their_own_get_no_words() -> None:
    start, weights = track(600), np.full((600, 13), 20 * PRICE, np.float32)
    assert find_words(start, wishes(600, 600, 0.0), weights, PRICE) == (b"", [])
    assert find_words(start, wishes(600, 5, 0.0), weights * 0, PRICE) == (b"", [])
    assert start.words is None
