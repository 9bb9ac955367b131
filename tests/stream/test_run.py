"""Runs of frames that are coded together."""

from __future__ import annotations

import numpy as np
import pytest

import gscompress as gs
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.render import get_renderer
from gscompress.stream.attempt import Moment
from gscompress.stream.decoder import GroupDecoder, decode_key
from gscompress.stream.group import GroupEncoder
from gscompress.stream.pricing import Quality
from gscompress.stream.run import Place, Run
from gscompress.stream.run_search import choose_way, find_run
from gscompress.stream.segment import Segment
from gscompress.stream.tracking import Matches
from gscompress.stream.views import Control, Views
from tests.checks import make_scene
from tests.stream.motions import jitter, moments, swarms

COUNT, PRICE = 400, 1e-9
WAYS = ("frames", "coefficients", "words")


@pytest.fixture(scope="module")
def key() -> bytes:
    return gs.compress(make_scene(COUNT, 1, seed=3), "fast", device="cpu").to_bytes()


@pytest.fixture(scope="module")
def cameras(key: bytes) -> list[gs.Camera]:
    return gs.virtual_cameras(decode_key(key), 3, width=64, height=48)


@pytest.fixture(scope="module")
def encoder(key: bytes, cameras: list[gs.Camera]) -> GroupEncoder:
    views = Views(cameras, get_renderer("cpu"))
    return GroupEncoder(decode_key(key), np.arange(COUNT), views)


def same(one: Gaussians, other: Gaussians) -> bool:
    return all(np.array_equal(getattr(one, a), getattr(other, a)) for a in ATTRIBUTES)


def test_runs_decode_to_what_the_encoder_saw(
    key: bytes, encoder: GroupEncoder, cameras: list[gs.Camera]
) -> None:
    """With words, with the words of the run before, without; with corrections of some frames."""
    fork, decoder = encoder.fork(), GroupDecoder(key)

    def correct(place: Place) -> tuple[bytes, np.ndarray]:
        if place.number % 2 == 0:
            return b"", np.zeros(0, np.int32)
        return fork.correct(place.track, place.moment, place.state, PRICE / 1000)

    coming = moments(swarms(decode_key(key), 13, bend=0.0))
    kinds = []
    for first, words, corrected in ((0, True, True), (4, True, False), (8, False, False)):
        run = Run(fork, coming[first : first + 4], PRICE, words=words)
        one = run.attempt(first + 1, correct if corrected else None)
        fork.accept(one)
        kinds.append(run.paths.words[:1])
        assert [bool(f.changes) for f in one.segment.frames] == [False, corrected] * 2
        for found, expected in zip(
            decoder.advance(one.segment.to_bytes()), one.scenes, strict=True
        ):
            assert same(found, expected)
    assert kinds == [b"\0", b"\1", b""]
    control = Control(cameras, get_renderer("cpu"))
    still = control.psnr(decode_key(key), coming[11].scene)
    assert control.psnr(one.scenes[-1], coming[11].scene) > still + 8


def test_frames_of_a_run_may_be_permuted(encoder: GroupEncoder, key: bytes) -> None:
    rng, frames = np.random.default_rng(0), swarms(decode_key(key), 5)
    plain = Run(encoder, moments(frames), PRICE, words=False).attempt(1)
    orders = [np.arange(COUNT)] + [rng.permutation(COUNT) for _ in frames[1:]]
    mixed = [frame.select(order) for frame, order in zip(frames, orders, strict=True)]
    coming = [
        Moment(b, Matches(np.argsort(after)[before], np.zeros(0, np.int64), tracked=False))
        for b, before, after in zip(mixed[1:], orders[:-1], orders[1:], strict=True)
    ]
    one = Run(encoder, coming, PRICE, words=False).attempt(1)
    assert one.segment.to_bytes() == plain.segment.to_bytes()
    for rows, order in zip(one.rows, orders[1:], strict=True):
        np.testing.assert_array_equal(order[rows], np.arange(COUNT))


def test_words_tell_of_swarms(encoder: GroupEncoder, key: bytes) -> None:
    coming = moments(swarms(decode_key(key), 9))
    sizes = [Run(encoder, coming, PRICE, words=w).attempt(1).bytes for w in (False, True)]
    assert sizes[1] < 0.75 * sizes[0]


def test_the_cheapest_way_is_chosen(encoder: GroupEncoder, key: bytes) -> None:
    start = decode_key(key)
    ways = {
        "words": swarms(start, 9),
        "coefficients": swarms(start, 9, swarms=COUNT),  # each on its own
        "frames": jitter(start, 9),
    }
    for way, frames in ways.items():
        assert choose_way(encoder, moments(frames), PRICE, WAYS) == way
    assert choose_way(encoder, moments(ways["frames"]), PRICE, WAYS[1:2]) == "coefficients"


def test_a_target_holds_for_every_frame_of_a_run(
    encoder: GroupEncoder, key: bytes, cameras: list[gs.Camera]
) -> None:
    """What misses it is corrected."""
    coming = moments(swarms(decode_key(key), 9))
    control = Control(cameras, get_renderer("cpu"))
    goal = Quality(1e-7, 42.0)
    found = find_run(encoder, coming, 1, goal, control, "coefficients")
    values = [control.psnr(s, m.scene) for s, m in zip(found.attempt.scenes, coming, strict=True)]
    assert min(values) >= 41.99
    assert min(values) < 42.6
    segment = Segment.from_bytes(found.attempt.segment.to_bytes())
    assert segment.kind == "run"
    assert len(segment.frames) == len(coming)
