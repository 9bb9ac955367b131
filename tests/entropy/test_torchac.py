from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from gscompress.entropy import CODERS
from gscompress.entropy.base import Symbols
from gscompress.entropy.torchac import Torchac
from gscompress.errors import ConfigError, CorruptFileError, MissingDependencyError

INT32 = np.iinfo(np.int32)

needs_torchac = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "torchac")),
    reason="needs the extra 'torchac'",
)


def data_in_contexts(n=5000, kinds=5):
    rng = np.random.default_rng(4)
    contexts = rng.integers(0, kinds, n).astype(np.uint16)
    values = np.rint(rng.laplace(0, 1, n) * np.geomspace(0.3, 300, kinds)[contexts])
    return values.astype(np.int32), contexts


@needs_torchac
@pytest.mark.parametrize(
    "values",
    [
        [],
        [0],
        [5] * 100,
        [INT32.min, INT32.max, 0, -1, 1, INT32.min + 1],
        [127, 128, -64, -65, 63, 64, 255, 256, 1 << 20, -(1 << 25)],
    ],
)
def test_round_trip(values):
    values = np.array(values, np.int32)
    data = Torchac().encode(Symbols(values))
    np.testing.assert_array_equal(Torchac().decode(data, len(values)), values)


@needs_torchac
@pytest.mark.parametrize("chunk", [1 << 16, 999, 5000])
def test_round_trip_in_contexts_and_chunks(chunk):
    values, contexts = data_in_contexts()
    data = Torchac(chunk).encode(Symbols(values, contexts))
    decoded = Torchac().decode(data, len(values), contexts)
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, values)


@needs_torchac
def test_damage_is_noticed():
    values, contexts = data_in_contexts(600)
    data = Torchac(256).encode(Symbols(values, contexts))
    rng = np.random.default_rng(5)
    for _ in range(500):
        damaged = bytearray(data)
        damaged[rng.integers(0, len(data))] ^= 1 << rng.integers(0, 8)
        try:
            decoded = Torchac().decode(bytes(damaged), 600, contexts)
        except CorruptFileError:
            continue
        np.testing.assert_array_equal(decoded, values)  # an unused bit of the padding or the chunk
    for size in range(0, len(data), 7):
        with pytest.raises(CorruptFileError):
            Torchac().decode(data[:size], 600, contexts)
    with pytest.raises(CorruptFileError, match="count"):
        Torchac().decode(data, 599, contexts[:599])
    with pytest.raises(CorruptFileError, match="largest context"):
        Torchac().decode(data, 600, contexts + np.uint16(1))


def test_missing_package_names_the_extra(monkeypatch):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr("gscompress.entropy.torchac.importlib.import_module", refuse)
    with pytest.raises(MissingDependencyError, match=r"gscompress\[torchac\]"):
        Torchac().encode(Symbols(np.arange(9, dtype=np.int32)))


def test_parameters_are_checked_and_registered():
    with pytest.raises(ConfigError, match="chunk"):
        Torchac(0)
    assert CODERS.get("torchac") is Torchac


def test_importing_the_module_imports_no_torch():
    code = "import sys, gscompress.entropy.torchac; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
