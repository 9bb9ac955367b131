"""Encoding runs: frames without births and deaths, coded together by how everything moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Array
from gscompress.stream.attempt import Attempt, Moment, Probe, State, followed
from gscompress.stream.decoder import Track, phase_of
from gscompress.stream.group import GroupEncoder
from gscompress.stream.path import Path, Term
from gscompress.stream.segment import Frame, Paths, Segment
from gscompress.stream.slots import FRACTION
from gscompress.stream.transform import SCALE_BITS, basis
from gscompress.stream.word_search import find_words

__all__ = ["NOTHING", "Correct", "Place", "Run", "within_bounds"]

Integers = NDArray[np.int32]
Rows = NDArray[np.int64]

NOTHING: Integers = np.zeros(0, np.int32)

_WORTH = 16.0
"""What an error of half a step costs, in bits, where corrections will be exact."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where a run is, at one of its frames.

    Attributes:
        number: Of the frame in the run.
        moment: The frame.
        track: What the decoder knows; with corrections it is changed.
        state: The encoder's, but for the track.
    """

    number: int
    moment: Moment
    track: Track
    state: State


Correct = Callable[[Place], tuple[bytes, Integers]]
"""Corrects a frame: gives the bytes and the slots; no bytes: it is good as it is."""


class Run:
    """An attempt at a run, at a price.

    Each slot's way over the run is transformed in time. What words tell of the coefficients is
    told by words, and what these leave by integers.

    Args:
        encoder: Where it starts.
        moments: The frames.
        price: Mean squared error per bit.
        words: Whether codebooks are made, where they are worth it.
        scale: How many Gaussians there are for each one here.

    Attributes:
        paths: What the segment holds, but for corrections.
        fixed: Bytes that do not grow with the number of Gaussians.
    """

    def __init__(
        self,
        encoder: GroupEncoder,
        moments: Sequence[Moment],
        price: float,
        *,
        words: bool,
        scale: float = 1.0,
    ) -> None:
        self._encoder, self._moments = encoder, list(moments)
        self._state, track = encoder.started(moments[0], price)
        self._track, self._steps = track, track.slots.steps
        wishes, self._rows = _coefficients(encoder, track, self._state, moments)
        weights = encoder.weights(track, self._state)
        weights = np.where(np.isfinite(weights), weights, np.float32(4 * _WORTH * price))
        told, terms = find_words(track, wishes, weights, price, scale) if words else (b"", [])
        self.fixed = 0 if track.words is None else track.words.fixed
        for one in terms:
            wishes[one.function, one.slots] -= one.values / np.float32(FRACTION)
        blocks = []
        for k, wish in enumerate(wishes):
            data, slots, values = track.encode(wish, weights, price, phase_of(k))
            blocks.append(data)
            if data:
                terms.append(Term.of_steps(k, slots, values))
        while blocks and not blocks[-1]:
            blocks.pop()
        self.paths = Paths(tuple(blocks), told)
        self._path = Path(terms, len(moments), track.slots.layout.channels)

    def places(self) -> Iterator[Place]:
        """Go along it; what is corrected on the way stays corrected."""
        track = self._track.copy()
        for number, _ in enumerate(track.follow(self._path)):
            state = replace(self._state, rows=self._rows[number], track=track)
            yield Place(number, self._moments[number], track, state)

    def attempt(self, first: int, correct: Correct | None = None) -> Attempt:
        """The run as a segment, whose first frame is number ``first`` of the clip."""
        frames, scenes, rows, changed = [], [], [], []
        for place in self.places():
            data, slots = (b"", NOTHING) if correct is None else correct(place)
            frames.append(Frame(data))
            scenes.append(place.track.slots.scene())
            rows.append(place.state.rows[place.state.rows >= 0])
            changed.append(len(np.union1d(self._path.moving, slots)))
        segment = Segment(
            "run", first, len(self._track.slots), self._steps, tuple(frames), self.paths
        )
        return Attempt(segment, scenes, rows, changed, place.state)

    def probes(self, numbers: Sequence[int]) -> dict[int, Probe]:
        """What some of its frames lack."""
        return {
            place.number: self._encoder.look(place.track, place.moment, place.state.rows)
            for place in self.places()
            if place.number in numbers
        }


def within_bounds(encoder: GroupEncoder) -> Correct:
    """Corrects what is not within the bounds."""
    return lambda place: encoder.correct(place.track, place.moment, place.state, 1.0)


def _coefficients(
    encoder: GroupEncoder, track: Track, state: State, moments: Sequence[Moment]
) -> tuple[Array, list[Rows]]:
    """What the coefficients should be, in steps [T, slots, C], and by frame the rows in slots."""
    length = len(moments)
    functions = (basis(length) * 2.0**-SCALE_BITS).astype(np.float32)
    out = np.zeros((length, len(track.slots), track.slots.layout.channels), np.float32)
    rows, known = [], state.rows
    for moment, shares in zip(moments, functions.T, strict=True):
        known = followed(known, moment.matches)
        rows.append(known)
        wish = encoder.wish(track.slots, moment.scene, known)
        for k, share in enumerate(shares):
            out[k] += share * wish
    return out, rows
