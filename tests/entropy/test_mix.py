"""The context mixer against a readable twin, bit for bit."""

import numpy as np
import pytest

from gscompress.entropy.base import Planes, Side, Symbols
from gscompress.entropy.mix import Mix
from gscompress.entropy.plain import Plain
from gscompress.entropy.planes import decode_planes, encode_planes
from gscompress.entropy.rans import Rans
from gscompress.errors import CorruptFileError
from tests.entropy.mix_twin import encode_planes_twin


def make_side(n, seed=0):
    rng = np.random.default_rng(seed)
    before = np.maximum(np.arange(n) - rng.integers(1, 9, n), 0).astype(np.int32)
    return Side(
        before,
        rng.integers(0, 4, n).astype(np.uint8),
        rng.integers(0, 16, n).astype(np.uint8),
        levels=(n // 9, n // 3, n),
    )


def make_values(planes, n, scale, seed=0):
    rng = np.random.default_rng(seed)
    values = np.rint(rng.laplace(0, scale, (planes, n))).astype(np.int32)
    values[:, 1::3] = values[:, : len(values[0, 1::3])]
    return values


CASES = {
    "one": (Planes(partners=(-1,)), 1),
    "partners": (Planes(partners=(-1, 0, 1, 0)), 3),
    "untrusted": (Planes(partners=(-1, 0), trust=-1), 8),
    "gated": (Planes(partners=(-1, -1, 1), trust=1, gates=(-1, 0, 0)), 2),
    "wide": (Planes(partners=(-1, 0), trust=4), 3e4),
}


def case(name, n, seed=0):
    planes, scale = CASES[name]
    values = make_values(len(planes), n, scale, seed)
    if planes.gates:
        values[0] = np.abs(values[0]) % 2
        values[1:, values[0] == 0] = 0
    return values, planes, make_side(n, seed)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n", [0, 1, 2, 300])
def test_the_twin_agrees(name, n):
    values, planes, side = case(name, n)
    assert Mix().encode_planes(values, planes, side) == encode_planes_twin(values, planes, side)


@pytest.mark.parametrize("coder", [Mix(), Rans("static"), Rans()], ids=str)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n", [0, 1, 2, 3000])
def test_round_trip(coder, name, n):
    values, planes, side = case(name, n, seed=n)
    data = encode_planes(coder, values, planes, side)
    assert (decode_planes(coder, data, planes, side) == values).all()


@pytest.mark.parametrize("coder", [Mix(), Rans("static"), Plain()], ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("name", ["partners", "gated"])
def test_shorter_integers_give_the_same_bytes(coder, name):
    values, planes, side = case(name, 3000)
    data = encode_planes(coder, values, planes, side)
    assert encode_planes(coder, values.astype(np.int16), planes, side) == data
    assert encode_planes(coder, np.asfortranarray(values), planes, side) == data


@pytest.mark.parametrize("coder", [Mix(), Rans("static")], ids=str)
def test_any_int32(coder):
    extreme = np.array([[0, 2**31 - 1, -(2**31), 1, -1, 2**30, -(2**30)]] * 2, np.int32)
    planes, side = Planes(partners=(-1, 0)), make_side(7)
    data = encode_planes(coder, extreme, planes, side)
    assert (decode_planes(coder, data, planes, side) == extreme).all()


def test_symbols_round_trip():
    values = make_values(1, 5000, 3)[0]
    contexts = (np.arange(5000) % 40).astype(np.uint16)
    data = Mix().encode(Symbols(values, contexts))
    assert (Mix().decode(data, 5000, contexts) == values).all()


def test_rate_is_near_the_entropy():
    """Independent symbols, nothing to learn from neighbours: within 2 % of the entropy."""
    rng = np.random.default_rng(2)
    values = np.rint(rng.laplace(0, 1.5, 100_000)).astype(np.int32)
    counts = np.unique(values, return_counts=True)[1] / len(values)
    entropy = -(counts * np.log2(counts)).sum()
    side = Side(
        np.maximum(np.arange(len(values)) - 1, 0).astype(np.int32),
        np.zeros(len(values), np.uint8),
        np.zeros(len(values), np.uint8),
    )
    (data,) = Mix().encode_planes(values[None], Planes(partners=(-1,), trust=-1), side)
    assert entropy * 0.99 < len(data) * 8 / len(values) < entropy * 1.02


def test_twins_cost_little():
    """Values equal to those of their reference cost far less than their entropy."""
    n = 20_000
    rng = np.random.default_rng(3)
    values = rng.integers(-50, 50, (4, n)).astype(np.int32)
    values[:, 1::2] = values[:, ::2]
    references = np.maximum(np.arange(n) - 1, 0).astype(np.int32)
    nearness = np.where(np.arange(n) % 2, 0, 3).astype(np.uint8)
    side = Side(references, nearness, np.zeros(n, np.uint8))
    (data,) = Mix().encode_planes(values, Planes(partners=(-1, 0, 1, 2)), side)
    independent = n / 2 * 4 * np.log2(100)
    assert len(data) * 8 < independent * 1.1


@pytest.mark.parametrize("damage", ["cut", "longer", "empty"])
def test_streams_of_a_wrong_length_are_refused(damage):
    values, planes, side = case("partners", 2000)
    *before, last = Mix().encode_planes(values, planes, side)
    broken = {"cut": last[: len(last) // 2], "longer": last + b"\x55\x55", "empty": b""}[damage]
    with pytest.raises(CorruptFileError):
        Mix().decode_planes([*before, broken], planes, side)


@pytest.mark.parametrize("coder", [Mix(), Rans("static")], ids=str)
def test_a_prefix_of_the_levels(coder):
    values, planes, side = case("gated", 3000)
    parts = encode_planes(coder, values, planes, side)
    end = side.levels[1]
    few = Side(side.references[:end], side.nearness[:end], side.classes[:end], side.levels[:2])
    assert (decode_planes(coder, parts[:2], planes, few) == values[:, :end]).all()
