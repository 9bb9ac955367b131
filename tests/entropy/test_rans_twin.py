from __future__ import annotations

import numpy as np
import pytest
from rans_twin import decode_static

from gscompress.entropy.base import Symbols
from gscompress.entropy.rans import Rans

INT32 = np.iinfo(np.int32)


def equal(values, contexts=None):
    data = Rans("static").encode(Symbols(values, contexts))
    assert decode_static(data, contexts) == values.tolist()
    return data


@pytest.mark.parametrize("n", [3, 100, 2047, 6001])
@pytest.mark.parametrize(("low", "high"), [(0.2, 0.5), (0.3, 30), (100, 1e5), (1e8, 1e9)])
@pytest.mark.parametrize("kinds", [1, 9])
def test_native_decodes_as_the_twin(n, low, high, kinds):
    rng = np.random.default_rng(n)
    contexts = rng.integers(0, kinds, n).astype(np.uint16)
    values = rng.laplace(0, 1, n) * np.geomspace(low, high, kinds)[contexts]
    values = np.clip(np.rint(values), INT32.min, INT32.max).astype(np.int32)
    values[:3] = [1, 2, 1]
    data = equal(values, contexts if kinds > 1 else None)
    np.testing.assert_array_equal(Rans().decode(data, n, contexts if kinds > 1 else None), values)


def test_extremes():
    equal(np.tile(np.array([INT32.min, INT32.max, 0, -1, 7], np.int32), 700))


def test_sparse_and_biased_values():
    rng = np.random.default_rng(0)
    equal(np.where(rng.random(5000) < 0.99, 0, rng.integers(-9, 9, 5000)).astype(np.int32))
    equal(rng.integers(0, 256, 5000).astype(np.int32))
    equal((rng.integers(0, 40, 5000) + 123456).astype(np.int32))
    equal((2 * rng.poisson(3, 5000)).astype(np.int32))
