"""References: who predicts whom."""

from __future__ import annotations

import bisect

import numpy as np
import pytest

from gscompress import _native

WINDOW = 6


def twin(positions: np.ndarray, levels: list[int]) -> tuple[list[int], list[int]]:
    """The native search, one Gaussian at a time, as its header explains it."""
    codes = _native.morton_encode(positions).tolist()
    points = positions.astype(object)
    references, distances = [], []
    begin = 0
    for end in levels:
        curve = sorted((codes[i], i) for i in range(begin))
        for i in range(begin, end):
            candidates = list(range(i - 1, max(begin, i - WINDOW) - 1, -1))
            middle = bisect.bisect_left(curve, (codes[i], 0))
            reach = WINDOW // 2
            candidates += [k for _, k in curve[max(middle - reach, 0) : middle + reach]]
            squared = [int(((points[i] - points[k]) ** 2).sum()) for k in candidates]
            best = int(np.argmin(squared)) if squared else None
            references.append(0 if best is None else candidates[best])
            distances.append(0 if best is None else squared[best])
        begin = end
    return references, distances


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("bits", [3, 21])
def test_native_is_the_twin(threads: int, in_order: bool, bits: int) -> None:
    levels = [40, 40, 130, 400]
    positions = np.random.default_rng(bits).integers(0, 2**bits, (400, 3)).astype(np.uint32)
    if in_order:
        for begin, end in zip([0, *levels], levels, strict=False):
            order = np.argsort(_native.morton_encode(positions[begin:end]), kind="stable")
            positions[begin:end] = positions[begin:end][order]
    found = _native.nearest_before(positions, levels, WINDOW, threads)
    references, distances = twin(positions, levels)
    assert found[0].tolist() == references
    assert found[1].tolist() == distances


def test_levels_and_threads_that_make_no_sense() -> None:
    positions = np.zeros((3, 3), np.uint32)
    for levels in ([], [2], [3, 2], [2, 4]):
        with pytest.raises(ValueError, match="levels"):
            _native.nearest_before(positions, levels, WINDOW, 1)
    with pytest.raises(ValueError, match="threads"):
        _native.nearest_before(positions, [3], WINDOW, 0)
