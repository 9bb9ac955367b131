"""Attributes from integers in the native core: the bits of the same expressions in numpy."""

import numpy as np
import pytest

from gscompress import _native
from gscompress.codecs.exact_math import log

N = 3001
THREADS = [1, 2, 5]


def test_sums_of_differences():
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 40, N).astype(np.int32)
    leading = np.where(lengths > 0, np.uint64(1) << np.maximum(lengths - 1, 0).astype(np.uint64), 0)
    widths = np.maximum(lengths, 1).astype(np.uint8) - np.uint8(1)
    low = rng.integers(0, 2**63, N).astype(np.uint64) & (
        (np.uint64(1) << widths.astype(np.uint64)) - np.uint64(1)
    )
    differences = np.where(lengths > 0, leading | low, 0).astype(np.uint64)
    data = _native.pack_bits(differences, widths)
    assert (_native.unpack_sums(data, lengths) == np.cumsum(differences)).all()
    assert len(_native.unpack_sums(b"", lengths[:0])) == 0
    for broken in (data[:-1], data + b"\0", data[:-1] + b"\xff"):
        with pytest.raises(ValueError, match="do not hold differences"):
            _native.unpack_sums(broken, lengths)
    for wrong in (-1, 64):
        lengths[7] = wrong
        with pytest.raises(ValueError, match="do not hold differences"):
            _native.unpack_sums(data, lengths)


@pytest.mark.parametrize("threads", THREADS)
def test_positions(threads):
    grid = np.random.default_rng(1).integers(0, 2**16, (N, 3)).astype(np.uint32)
    frame = np.array([0.3, -7.1, 1e3, 2.7, -1.9, -1.99, -1.7])
    step = 4 / 2**16
    u = grid * step + frame[4:]
    r = np.sqrt(u[:, 0] * u[:, 0] + u[:, 1] * u[:, 1] + u[:, 2] * u[:, 2])[:, None]
    factor = 1 / (2 - np.minimum(np.maximum(r, 1.0), 2 - step / 8))
    expected = (u / np.maximum(r, 1.0) * factor * frame[3] + frame[:3]).astype(np.float32)
    assert (r > 2).any()
    assert (r < 1).any()
    found = _native.positions_from_grid(
        grid, frame[:3], frame[3], frame[4:], step, 2 - step / 8, threads
    )
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("threads", THREADS)
def test_scales_and_rotations(threads):
    rng = np.random.default_rng(2)
    planes = rng.integers(-60, 60, (3, N)).astype(np.int32)
    steps = rng.uniform(0.001, 0.02, N)
    x, y, z = parts = planes * steps
    scales = _native.scale_planes(planes, steps, threads)
    assert scales.tobytes() == parts.T.astype(np.float32).tobytes()
    squared = x * x + y * y + z * z
    shrink = np.where(squared > 1, 1 / np.sqrt(np.maximum(squared, 1)), 1.0)
    expected = np.stack([np.sqrt(np.maximum(1 - squared, 0)), *(parts * shrink)], axis=1)
    assert (squared > 1).any()
    assert (squared < 1).any()
    found = _native.quats_from_planes(planes, steps, threads)
    assert found.tobytes() == expected.astype(np.float32).tobytes()


@pytest.mark.parametrize("threads", THREADS)
def test_guessed_importance(threads):
    rng = np.random.default_rng(3)
    means = rng.normal(0, 3, (N, 3)).astype(np.float32)
    logits = rng.normal(0, 4, N).astype(np.float32)
    log_scales = rng.normal(-4, 2, (N, 3)).astype(np.float32)
    centre, spread = np.array([0.1, -0.2, 3.0]), 1.7
    a, b, c = log_scales.astype(np.float64).T
    x, y, z = (means - centre).T
    farness = log(x * x + y * y + z * z + spread)
    larger_two = a + b + c - np.minimum(np.minimum(a, b), c)
    faintness = np.minimum(logits.astype(np.float64), 0)
    expected = (2 * faintness + larger_two - farness) / 0.6931471805599453
    found = _native.guess_octaves(means, logits, log_scales, centre, spread, threads)
    assert found.tobytes() == expected.tobytes()
