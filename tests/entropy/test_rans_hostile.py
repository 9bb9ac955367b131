"""Damaged and hostile streams: a typed error in bounded time and memory, or values."""

from __future__ import annotations

import resource
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gscompress.entropy.base import Symbols
from gscompress.entropy.rans import Rans
from gscompress.errors import CorruptFileError

MODELS = ["static", "adaptive", "binary"]
SECONDS = 2.0
GROWTH = 64 << 10  # KiB of resident memory, all mutations together


def stream(model, n, kinds, spread, seed=0):
    rng = np.random.default_rng(seed)
    contexts = rng.integers(0, kinds, n).astype(np.uint16)
    values = np.rint(rng.laplace(0, spread, n) * (1 + contexts)).astype(np.int32)
    contexts = contexts if kinds > 1 else None
    return values, contexts, Rans(model).encode(Symbols(values, contexts))


def mutate(data, rng):
    """Some bytes changed, or bits flipped, or a part cut, repeated or put in."""
    out = bytearray(data)
    kind = rng.integers(0, 6)
    at = int(rng.integers(0, len(out)))
    if kind == 0:
        for _ in range(rng.integers(1, 9)):
            out[rng.integers(0, len(out))] = rng.integers(0, 256)
    elif kind == 1:
        out[at] ^= 1 << rng.integers(0, 8)
    elif kind == 2:
        del out[at:]
    elif kind == 3:
        del out[at : at + rng.integers(1, 20)]
    elif kind == 4:
        out[at:at] = rng.bytes(rng.integers(1, 20))
    else:  # the head, where the tables are
        for _ in range(rng.integers(1, 5)):
            out[rng.integers(0, min(40, len(out)))] = rng.integers(0, 256)
    return bytes(out)


def attack(data, count, contexts, values):
    """Decode damaged data; True if the damage went unnoticed and changed the values."""
    started = time.perf_counter()
    try:
        decoded = Rans().decode(data, count, contexts)
    except CorruptFileError:
        return False
    finally:
        assert time.perf_counter() - started < SECONDS
    assert decoded.shape == (count,)
    return not np.array_equal(decoded, values)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("n", "kinds", "spread", "most_unnoticed"),
    [
        (300, 3, 2, 0.02),
        (3000, 7, 9, 0.02),
        (
            3000,
            1,
            1e5,
            0.25,
        ),  # most bits are stored as they are: only the container's CRC sees them
    ],
)
def test_mutations(model, n, kinds, spread, most_unnoticed):
    values, contexts, data = stream(model, n, kinds, spread)
    rng = np.random.default_rng(7)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rounds = 700
    unnoticed = sum(attack(mutate(data, rng), n, contexts, values) for _ in range(rounds))
    assert unnoticed <= rounds * most_unnoticed
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH


@pytest.mark.parametrize("model", MODELS)
def test_every_truncation_is_noticed(model):
    values, contexts, data = stream(model, 500, 4, 3)
    for size in range(len(data)):
        if attack(data[:size], 500, contexts, values):
            assert model == "binary"  # whose last bytes hold little but the check
            assert size >= len(data) - 3


@pytest.mark.parametrize("kind", [1, 2, 3, 9, 10])
def test_random_bytes(kind):
    rng = np.random.default_rng(kind)
    contexts = rng.integers(0, 65536, 5000).astype(np.uint16)
    for _ in range(400):
        body = rng.bytes(rng.integers(0, 400))
        data = bytes([kind, 0x88, 0x27]) + body  # 5000 values
        attack(data, 5000, None, None)
        attack(data, 5000, contexts, None)
        attack(data, 5000, contexts % np.uint16(3), None)


def test_a_large_count_costs_nothing_before_it_is_known_to_be_true():
    data = bytes([1, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 1, 2, 3])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CorruptFileError, match="number of values differs"):
        Rans().decode(data, 2**40)
    with pytest.raises(CorruptFileError):
        Rans().decode(data, 2**31 - 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH


@pytest.mark.parametrize("head", [b"", b"\x01", b"\x04", b"\xff\x05", b"\x10\x05", b"\x08\x05\x02"])
def test_unknown_heads_are_refused(head):
    with pytest.raises(CorruptFileError):
        Rans().decode(head, 5)


def test_numbers_of_values_that_are_too_long_are_refused():
    with pytest.raises(CorruptFileError, match="too long"):
        Rans().decode(b"\x01" + b"\xff" * 9, 5)


@pytest.mark.parametrize("model", MODELS)
def test_threads_code_as_one(model):
    cases = [stream(model, 20_000 + 7 * k, 1 + k % 4, 1 + k, seed=k) for k in range(12)]

    def both(case):
        values, contexts, _ = case
        data = Rans(model).encode(Symbols(values, contexts))
        return data, Rans().decode(data, len(values), contexts)

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(both, cases))
    for (values, _, data), (again, decoded) in zip(cases, results, strict=True):
        assert again == data
        np.testing.assert_array_equal(decoded, values)
