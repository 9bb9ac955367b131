"""The native coder of changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gscompress import _native

WIDTHS, SETS = [3, 1, 2], [0, 1, 2, 3, 4, 4]
SLOTS = 400


def coder(count: int = SLOTS) -> _native.TemporalCoder:
    made = _native.TemporalCoder(WIDTHS, SETS)
    made.append(references(count), (np.arange(count) % 16).astype(np.uint8))
    return made


def references(count: int) -> NDArray[np.int32]:
    before = np.maximum(np.arange(count) - 1, 0)
    return np.stack([before, np.maximum(before - 3, 0)], axis=1).astype(np.int32)


def wishes(frames: int, scale: float = 3.0) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    still = rng.random(SLOTS) < 0.7
    out = []
    for _ in range(frames):
        values = rng.laplace(0, scale, (SLOTS, len(SETS))).astype(np.float32)
        values[still] *= 0.05
        out.append(values)
    return out


def dense(slots: NDArray[np.int32], values: NDArray[np.int32]) -> NDArray[np.int32]:
    out = np.zeros((SLOTS, len(SETS)), np.int32)
    out[slots] = values
    return out


ONES = np.ones((SLOTS, len(SETS)), np.float32)


def test_a_price_of_nothing_rounds() -> None:
    """...and the decoder gives the same integers, frame after frame."""
    encoder, decoder = coder(), coder()
    for wish in wishes(5):
        data, slots, values = encoder.encode(wish, ONES, 0.0, 0)
        np.testing.assert_array_equal(dense(slots, values), np.rint(wish).astype(np.int32))
        for one, other in zip((slots, values), decoder.decode(data, 0), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("value", [1 << 28, -(1 << 28), 12345678, -1, 0])
def test_values_up_to_the_limit(value: int) -> None:
    encoder, decoder = coder(), coder()
    wish = np.full((SLOTS, len(SETS)), value, np.float32)
    for _ in range(3):  # the predictions of later frames are sums of several
        data, slots, values = encoder.encode(wish, ONES, 0.0, 0)
        np.testing.assert_array_equal(dense(slots, values), wish)
        np.testing.assert_array_equal(dense(*decoder.decode(data, 0)), dense(slots, values))
        wish = -wish


def test_a_higher_price_gives_fewer_bytes_and_more_distortion() -> None:
    sizes, errors = [], []
    for price in (0.0, 0.1, 1.0, 10.0):
        encoder = coder()
        sent = [encoder.encode(wish, ONES, price, 0) for wish in wishes(4)]
        sizes.append(sum(len(data) for data, _, _ in sent))
        errors.append(
            sum(
                float(np.square(wish - dense(slots, values)).sum())
                for wish, (_, slots, values) in zip(wishes(4), sent, strict=True)
            )
        )
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)
    assert sizes[3] < 0.35 * sizes[0]
    # What is chosen beats plain rounding in distortion + price * bits.
    assert errors[2] + 1.0 * 8 * sizes[2] < errors[0] + 1.0 * 8 * sizes[0]


def test_infinite_weights_hold_errors_to_half_a_step() -> None:
    weights = ONES.copy()
    weights[:, 3] = np.inf
    encoder = coder()
    for wish in wishes(3):
        _, slots, values = encoder.encode(wish, weights, 50.0, 0)
        miss = np.abs(wish - dense(slots, values))
        assert miss[:, 3].max() <= 0.5
        assert miss[:, 0].max() > 2  # what is not bounded is hardly worth 50 a bit


def test_what_moves_on_is_cheap() -> None:
    """A uniform motion, a motion like the neighbours', and rest cost little; noise does not."""
    rng = np.random.default_rng(1)
    velocity = rng.integers(-40, 40, (SLOTS, 6))
    common = np.broadcast_to(rng.integers(-40, 40, 6), (SLOTS, 6))

    def last_bytes(frames: list[NDArray[np.int64]]) -> int:
        encoder = coder()
        return [len(encoder.encode(f.astype(np.float32), ONES, 0.0, 0)[0]) for f in frames][-1]

    noise = last_bytes([rng.integers(-40, 40, (SLOTS, 6)) for _ in range(6)])
    assert last_bytes([velocity] * 6) < 0.15 * noise
    assert last_bytes([common] * 6) < 0.1 * noise
    assert last_bytes([k * common for k in range(1, 7)]) < 0.15 * noise  # it speeds up
    assert last_bytes([velocity * 0] * 6) < 20


def test_retired_slots_cost_nothing_and_new_ones_are_coded() -> None:
    encoder, decoder = coder(), coder()
    gone = np.arange(0, SLOTS, 2, dtype=np.int32)
    near = np.array([[5, 7], [SLOTS, 5]], np.int32)
    for one in (encoder, decoder):
        one.retire(gone)
        one.append(near, np.zeros(2, np.uint8))
    wish = np.full((SLOTS + 2, 6), 7, np.float32)
    weights = np.ones_like(wish)
    data, slots, values = encoder.encode(wish, weights, 0.0, 0)
    np.testing.assert_array_equal(slots, [*range(1, SLOTS, 2), SLOTS, SLOTS + 1])
    assert (values == 7).all()
    np.testing.assert_array_equal(decoder.decode(data, 0)[1], values)


def test_a_copy_goes_its_own_way() -> None:
    first, second = wishes(2)
    encoder = coder()
    encoder.encode(first, ONES, 0.0, 0)
    fork = encoder.copy()
    fork.encode(-second, ONES, 0.0, 0)
    again = coder()
    again.encode(first, ONES, 0.0, 0)
    assert encoder.encode(second, ONES, 0.0, 0)[0] == again.encode(second, ONES, 0.0, 0)[0]


def test_damaged_bytes_raise_or_give_integers() -> None:
    data, _, _ = coder().encode(wishes(1)[0], ONES, 0.0, 0)
    rng = np.random.default_rng(2)
    broken = 0
    for _ in range(300):
        hurt = bytearray(data)
        for place in rng.integers(0, len(hurt), 3):
            hurt[place] ^= int(rng.integers(1, 256))
        if rng.random() < 0.3:
            hurt = hurt[: rng.integers(0, len(hurt))]
        try:
            slots, values = coder().decode(bytes(hurt), 0)
        except _native.BrokenStream:
            broken += 1
        else:
            assert values.shape == (len(slots), 6)
    assert broken > 250  # a stream of another length than its content is refused


@pytest.mark.parametrize(
    "wrong",
    [
        lambda c: c.encode(ONES[:-1], ONES[:-1], 0.0, 0),
        lambda c: c.encode(ONES, ONES, -1.0, 0),
        lambda c: c.encode(ONES, ONES, 0.0, 4),
        lambda c: c.encode(ONES * np.float32(1e9), ONES, 0.0, 0),
        lambda c: c.encode(ONES * np.float32(np.nan), ONES, 0.0, 0),
        lambda c: c.encode(ONES, -ONES, 0.0, 0),
        lambda c: c.retire(np.array([SLOTS], np.int32)),
        lambda c: c.append(np.array([[SLOTS + 1, 0]], np.int32), np.zeros(1, np.uint8)),
        lambda c: c.append(np.array([[0, -1]], np.int32), np.zeros(1, np.uint8)),
        lambda c: c.append(np.array([[0, 0]], np.int32), np.full(1, 16, np.uint8)),
        lambda c: _native.TemporalCoder([1] * 8, list(range(8))),
        lambda c: _native.TemporalCoder([2], [0]),
    ],
)
def test_wrong_arguments_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        wrong(coder())  # type: ignore[operator]
