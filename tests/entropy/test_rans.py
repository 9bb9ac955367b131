from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gscompress.entropy import CODERS
from gscompress.entropy.base import Symbols
from gscompress.entropy.rans import Rans
from gscompress.errors import ConfigError, CorruptFileError

INT32 = np.iinfo(np.int32)
MODELS = ["static", "adaptive", "binary", "auto", "smallest"]


def laplacian(n, contexts, low, high, seed=0):
    """Values whose spread grows with their context, from ``low`` to ``high``."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, contexts, n).astype(np.uint16)
    spread = np.geomspace(low, high, contexts)[classes]
    return np.rint(rng.laplace(0, 1, n) * spread).astype(np.int32), classes


def entropy_bits(values, classes):
    """Empirical conditional entropy of all values, in bits."""
    total = 0.0
    for c in np.unique(classes):
        _, counts = np.unique(values[classes == c], return_counts=True)
        total -= float((counts * np.log2(counts / counts.sum())).sum())
    return total


def check_round_trip(model, values, contexts=None):
    data = Rans(model).encode(Symbols(values, contexts))
    decoded = Rans().decode(data, len(values), contexts)
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, values)
    return data


@st.composite
def symbols(draw):
    """Values of mixed magnitudes: most small, some anywhere in int32."""
    bits = draw(st.integers(1, 32))
    n = draw(st.integers(0, 300))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    width = rng.integers(0, bits + 1, n)
    values = rng.integers(0, 2**32, n, dtype=np.uint64) >> (32 - width).astype(np.uint64)
    signed = np.where(rng.random(n) < 0.5, values, ~values).astype(np.uint32).view(np.int32)
    kinds = draw(st.sampled_from([0, 1, 3, 1000, 65536]))
    contexts = rng.integers(0, kinds, n).astype(np.uint16) if kinds else None
    return signed, contexts


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=60, deadline=None)
@given(case=symbols())
def test_round_trip(model, case):
    check_round_trip(model, *case)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.integers(INT32.min, INT32.max), max_size=40))
def test_round_trip_any_int32(model, values):
    check_round_trip(model, np.array(values, np.int32))


@pytest.mark.parametrize("model", MODELS)
def test_extremes(model):
    values = np.array([INT32.min, INT32.max, 0, -1, 1, INT32.min + 1, INT32.min], np.int32)
    check_round_trip(model, values)
    check_round_trip(model, np.tile(values, 2000))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("n", [2047, 2048, 2049, 2050, 2051, 5003])
def test_any_remainder_of_the_lanes(model, n):
    check_round_trip(model, *laplacian(n, 5, 0.5, 500))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("bias", "spread"), [(1000, 3), (-70000, 40), (INT32.max - 600, 100)])
def test_values_far_from_zero(model, bias, spread):
    values, _ = laplacian(20000, 1, spread, spread)
    values = (np.clip(values, -600, 600) + bias).astype(np.int32)
    values[77] = 0
    data = check_round_trip(model, values)
    assert 8 * len(data) < 1.03 * entropy_bits(values, np.zeros(20000)) + 64 * 8


@pytest.mark.parametrize("model", MODELS)
def test_tiny_streams_are_tiny(model):
    assert len(check_round_trip(model, np.zeros(0, np.int32))) <= 2
    assert len(check_round_trip(model, np.array([5], np.int32))) <= 3
    assert len(check_round_trip(model, np.full(165_000, -3, np.int32))) <= 5
    ten = np.array([0, 1, 0, 0, -1, 0, 2, 0, 0, 1], np.int32)
    assert len(check_round_trip(model, ten)) <= 16


@pytest.mark.parametrize("contexts", [1, 8, 24])
@pytest.mark.parametrize(("low", "high"), [(0.3, 0.3), (0.3, 6), (5, 60)])
def test_static_size_is_near_the_entropy(contexts, low, high):
    values, classes = laplacian(165_000, contexts, low, high)
    data = check_round_trip("static", values, classes)
    assert 8 * len(data) < 1.01 * entropy_bits(values, classes)


def test_static_size_of_a_very_sparse_stream():
    rng = np.random.default_rng(1)
    values = np.where(rng.random(165_000) < 0.99, 0, np.rint(rng.laplace(0, 2, 165_000)))
    data = check_round_trip("static", values.astype(np.int32))
    assert 8 * len(data) < entropy_bits(values, np.zeros(len(values))) + 8 * 64


def test_alike_contexts_share_a_table():
    values, _ = laplacian(20_000, 1, 3, 3)
    contexts = np.random.default_rng(2).integers(0, 64, 20_000).astype(np.uint16)
    one = len(check_round_trip("static", values))
    many = len(check_round_trip("static", values, contexts))
    assert many < one + 24


@pytest.mark.parametrize("model", MODELS)
def test_same_bytes_each_time(model):
    values, classes = laplacian(30_000, 9, 0.3, 30)
    first = Rans(model).encode(Symbols(values, classes))
    assert Rans(model).encode(Symbols(values.copy(), classes.copy())) == first


def test_input_is_left_alone_and_may_be_strided_or_read_only():
    values, classes = laplacian(4000, 3, 1, 9)
    values.flags.writeable = classes.flags.writeable = False
    data = Rans().encode(Symbols(values[::2], classes[::2]))
    np.testing.assert_array_equal(Rans().decode(data, 2000, classes[::2]), values[::2])


@pytest.mark.parametrize("n", [50, 500, 30_000])
@pytest.mark.parametrize(("low", "high"), [(0.1, 0.4), (1, 9)])
def test_the_encoder_chooses_well(n, low, high):
    values, classes = laplacian(n, 12, low, high)
    sizes = {m: len(check_round_trip(m, values, classes)) for m in MODELS}
    assert sizes["smallest"] == min(sizes[m] for m in ("static", "adaptive", "binary"))
    slow = min(sizes["adaptive"], sizes["binary"]) if high < 1 or n < 4096 else sizes["adaptive"]
    assert sizes["smallest"] <= sizes["auto"] <= sizes["static"]
    assert sizes["auto"] <= slow * 256 / 254 + 2


def test_learning_models_follow_a_change():
    rng = np.random.default_rng(6)
    spread = np.repeat(np.exp(rng.normal(0, 1.5, 100)), 500)
    values = np.rint(rng.laplace(0, 1, 50_000) * spread).astype(np.int32)
    sizes = {m: len(check_round_trip(m, values)) for m in MODELS}
    assert sizes["adaptive"] < 0.96 * sizes["static"]
    assert sizes["binary"] < 0.97 * sizes["adaptive"]
    assert sizes["auto"] == sizes["adaptive"]
    small = np.rint(rng.laplace(0, 1, 50_000) * np.minimum(spread, 1)).astype(np.int32)
    sizes = {m: len(check_round_trip(m, small)) for m in MODELS}
    assert sizes["auto"] == sizes["binary"] < sizes["adaptive"] < sizes["static"]


def test_unknown_model_is_refused():
    with pytest.raises(ConfigError, match="model: found huffman"):
        Rans("huffman")


def test_registered():
    assert CODERS.get("rans") is Rans
    assert {"rans", "zstd"} <= set(CODERS.names())


@pytest.mark.parametrize("model", MODELS)
def test_contexts_that_do_not_belong_are_refused(model):
    values, classes = laplacian(3000, 4, 1, 9)
    data = Rans(model).encode(Symbols(values, classes))
    foreign = classes.copy()
    foreign[1500] = 4
    for contexts in (foreign, None):
        with pytest.raises(CorruptFileError):
            Rans().decode(data, 3000, contexts)


@pytest.mark.parametrize("model", MODELS)
def test_wrong_count_is_refused(model):
    values, _ = laplacian(3000, 1, 9, 9)
    data = Rans(model).encode(Symbols(values))
    for count in (0, 2999, 3001, 2**31, 2**60):
        with pytest.raises(CorruptFileError, match="number of values differs"):
            Rans().decode(data, count)
