"""Which way a run of frames is coded, and at which price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Array
from gscompress.stream.attempt import Attempt, Moment
from gscompress.stream.group import GroupEncoder
from gscompress.stream.pricing import Budget, Found, Nominal, Quality
from gscompress.stream.run import NOTHING, Place, Run, within_bounds
from gscompress.stream.segment import Frame, Segment
from gscompress.stream.views import Control

__all__ = ["Way", "choose_way", "find_run", "learn_run", "probed"]

Way = Literal["frames", "coefficients", "words"]
"""How a run is coded: frame by frame, together by coefficients, or by words as well."""

_SAMPLE = 8000
"""Slots that tell which way is the best, about."""

_BLOCKS = 32
_RATE_EXPONENT = 1.05
"""Bytes grow as the error to the power of minus this."""

_MARGIN = 0.95
"""What has to be saved to make frames wait for each other."""

_PROBES = 3
_RANK = 0.25
"""The share of frames that may miss the target before each of those is lifted."""

_LIFT = 0.3
"""The price of a lift, as a share of the run's, to begin with."""


def choose_way(
    encoder: GroupEncoder, moments: Sequence[Moment], price: float, ways: Sequence[Way]
) -> Way:
    """The way with the fewest bytes at equal error, as a sample of the Gaussians tells.

    Nothing is rendered: errors count as the encoder has learned that they show.
    """
    if len(ways) == 1:
        return ways[0]
    sample, share = encoder.sampled(_SAMPLE, _BLOCKS)
    costs = {way: _cost(sample.fork(), moments, price, way, 1 / share) for way in ways}
    best = min(ways, key=lambda way: costs[way])
    if "frames" in ways and costs[best] > _MARGIN * costs["frames"]:
        return "frames"
    return best


def _cost(
    encoder: GroupEncoder, moments: Sequence[Moment], price: float, way: Way, scale: float
) -> float:
    """Bytes, at an error of 1, of ``scale`` times as many Gaussians."""
    if way == "frames":
        size, error = 0.0, 0.0
        for moment in moments:
            one = encoder.attempt(moment, price, 0)
            encoder.accept(one)
            size += scale * one.bytes
            error += encoder.error_of(encoder.look_here(moment))
    else:
        run = Run(encoder, moments, price, words=way == "words", scale=scale)
        correct = within_bounds(encoder) if encoder.bounded else None
        size = scale * (run.attempt(0, correct).bytes - run.fixed) + run.fixed
        error = sum(encoder.error_of(one) for one in run.probes(range(len(moments))).values())
    return float(size) if encoder.bounded else float(size * error**_RATE_EXPONENT)


def learn_run(
    encoder: GroupEncoder,
    moments: Sequence[Moment],
    price: float,
    pictures: Sequence[tuple[int, Sequence[Array]]],
    *,
    fresh: bool,
) -> None:
    """Find out which errors of a run will show, by coding it for nothing else.

    Args:
        encoder: Where it starts; learns.
        moments: The frames.
        price: About that at which it will be coded.
        pictures: The numbers of some frames, and their renders.
        fresh: Whether to forget what was known.
    """
    trial = encoder.fork()
    probes = Run(trial, moments, price, words=False).probes([k for k, _ in pictures])
    trial.learn_from([(probes[k], some) for k, some in pictures], fresh=fresh)
    encoder.adopt_factors(trial)


def probed(length: int) -> list[int]:
    """The frames of a run that are looked at to learn."""
    return sorted({round(k) for k in np.linspace(0, length - 1, _PROBES + 1)[1:]})


def find_run(
    encoder: GroupEncoder,
    moments: Sequence[Moment],
    first: int,
    goal: Nominal | Quality | Budget,
    control: Control,
    way: Way,
) -> Found:
    """A run at the right price.

    A target holds for each frame: the price is that at which most are as good, and the others are
    lifted by corrections.
    """
    tried: list[tuple[Attempt, Run]] = []
    bounds = within_bounds(encoder) if encoder.bounded else None

    def attempt(price: float) -> Attempt:
        run = Run(encoder, moments, price, words=way == "words")
        one = run.attempt(first, bounds)
        tried.append((one, run))
        return one

    def measure(one: Attempt) -> float:
        pairs = zip(one.scenes, moments, strict=True)
        values = sorted(control.psnr(scene, moment.scene) for scene, moment in pairs)
        return values[int(_RANK * len(values))]

    found = goal.find(attempt, measure)
    if isinstance(goal, Quality):
        run = next(run for one, run in tried if one is found.attempt)
        lifted = run.attempt(first, _Lift(encoder, control, goal, found.price))
        found = replace(found, attempt=lifted)
    return found


class _Lift:
    """Corrects frames that miss a PSNR."""

    def __init__(
        self, encoder: GroupEncoder, control: Control, goal: Quality, price: float
    ) -> None:
        self._encoder, self._control = encoder, control
        self._goal = replace(goal, price=_LIFT * price)

    def __call__(self, place: Place) -> tuple[bytes, NDArray[np.int32]]:
        """The correction of a frame; nothing if it is good."""
        target, moment = self._goal.psnr, place.moment
        if self._control.psnr(place.track.slots.scene(), moment.scene) >= target - 0.005:
            return b"", NOTHING
        found = self._goal.find(
            lambda price: self._attempt(place, price),
            lambda one: self._control.psnr(one.scenes[0], moment.scene),
        )
        return self._encoder.correct(place.track, moment, place.state, found.price)

    def _attempt(self, place: Place, price: float) -> Attempt:
        track = place.track.copy()
        data, slots = self._encoder.correct(track, place.moment, place.state, price)
        frames = (Frame(data),)
        segment = Segment("residual", 0, len(track.slots), track.slots.steps, frames)
        return Attempt(segment, [track.slots.scene()], [], [len(slots)], place.state)
