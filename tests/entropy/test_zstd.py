from __future__ import annotations

import contextlib

import numpy as np
import pytest
import zstandard

from gscompress.entropy import CODERS
from gscompress.entropy.base import Symbols
from gscompress.entropy.zstd import Zstd
from gscompress.errors import ConfigError, CorruptFileError

INT32 = np.iinfo(np.int32)


@pytest.mark.parametrize(
    ("values", "planes"),
    [
        ([], 1),
        ([0], 1),
        ([-128, 127], 1),
        ([128, 0], 2),
        ([1 << 20], 3),
        ([INT32.min, INT32.max, 0, -1], 4),
    ],
)
def test_round_trip_with_as_few_planes_as_needed(values, planes):
    values = np.array(values, np.int32)
    data = Zstd().encode(Symbols(values))
    assert data[0] == planes
    decoded = Zstd().decode(data, len(values))
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, values)


def test_compresses():
    values = np.tile(np.arange(-50, 50, dtype=np.int32), 1000)
    assert len(Zstd().encode(Symbols(values))) < 300


def test_level_is_checked():
    with pytest.raises(ConfigError, match="level"):
        Zstd(level=0)


def test_registered():
    assert CODERS.get("zstd") is Zstd


def test_bomb_and_wrong_sizes_are_refused():
    bomb = b"\x01" + zstandard.ZstdCompressor().compress(bytes(1 << 26))
    for count in (0, 10, 1 << 40):
        with pytest.raises(CorruptFileError, match="size"):
            Zstd().decode(bomb, count)
    data = Zstd().encode(Symbols(np.arange(100, dtype=np.int32)))
    for bad in (b"", b"\x00" + data[1:], b"\x05" + data[1:], data[:-1], data + b"x", data[:1]):
        with pytest.raises(CorruptFileError):
            Zstd().decode(bad, 100)


def test_mutations_raise_corrupt_file_only():
    rng = np.random.default_rng(3)
    data = np.frombuffer(Zstd(3).encode(Symbols(rng.integers(-9, 9, 500).astype(np.int32))), "u1")
    for _ in range(1000):
        damaged = data.copy()
        damaged[rng.integers(0, len(damaged), 3)] = rng.integers(0, 256, 3)
        with contextlib.suppress(CorruptFileError):
            assert len(Zstd().decode(damaged.tobytes(), 500)) == 500
