"""Planes of the coder ``rans``, decoded side by side into rows anywhere."""

import struct

import numpy as np
import pytest

from gscompress.entropy.planes import decode_planes, encode_planes
from gscompress.entropy.rans import Rans
from gscompress.errors import CorruptFileError
from tests.entropy.test_mix import CASES, case
from tests.entropy.test_rans_hostile import mutate


class OneByOne:
    """``rans`` without rows: each plane's stream as a whole."""

    def __init__(self, model):
        self.encode = Rans(model).encode
        self.decode = Rans(model).decode


@pytest.mark.parametrize("model", ["static", "adaptive", "binary", "auto"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n", [0, 1, 5, 5000])
def test_side_by_side_or_one_by_one(model, name, n):
    values, planes, side = case(name, n, seed=n)
    data = encode_planes(OneByOne(model), values, planes, side)
    assert encode_planes(Rans(model), values, planes, side) == data
    assert (decode_planes(OneByOne(model), data, planes, side) == values).all()
    assert (decode_planes(Rans(model), data, planes, side) == values).all()


def test_rows_lie_anywhere():
    values, planes, side = case("gated", 4000)
    data = encode_planes(Rans("static"), values, planes, side)
    memory = np.zeros((len(side), 5), np.int32)
    Rans().decode_rows(data, planes, side, [memory[:, 4], memory[:, 0], memory[::1, 2]])
    assert (values == memory[:, [4, 0, 2]].T).all()
    assert not memory[:, [1, 3]].any()


def test_rows_that_do_not_fit_are_refused():
    values, planes, side = case("gated", 100)
    data = encode_planes(Rans("static"), values, planes, side)
    with pytest.raises(ValueError, match="not a row for each plane"):
        Rans().decode_rows(data, planes, side, [np.zeros(100, np.int32)] * 2)
    with pytest.raises(ValueError, match=r"a row is not \[count\]"):
        Rans().decode_rows(data, planes, side, [np.zeros(99, np.int32)] * 3)
    with pytest.raises(ValueError, match="not a part for each level"):
        Rans().decode_rows(data[1:], planes, side, list(np.zeros((3, 100), np.int32)))


@pytest.mark.parametrize("model", ["static", "adaptive", "binary"])
def test_damaged_planes(model):
    """A typed error or values, as one by one; never more of a stream than it holds."""
    values, planes, side = case("gated", 3000)
    *before, last = encode_planes(Rans(model), values, planes, side)
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(150):
        data = [*before, mutate(last, rng)]
        try:
            found = decode_planes(Rans(), data, planes, side)
        except CorruptFileError:
            refused += 1
            with pytest.raises(CorruptFileError):
                decode_planes(OneByOne(model), data, planes, side)
        else:
            assert (decode_planes(OneByOne(model), data, planes, side) == found).all()
    assert refused > 100


def test_sizes_that_do_not_add_up():
    values, planes, side = case("partners", 300)
    *before, last = encode_planes(Rans("static"), values, planes, side)
    head = struct.unpack("<4I", last[:16])
    for sizes in ((*head[:3], head[3] + 1), (*head[:3], head[3] - 1), (2**32 - 1, *head[1:])):
        with pytest.raises(CorruptFileError):
            decode_planes(Rans(), [*before, struct.pack("<4I", *sizes) + last[16:]], planes, side)
