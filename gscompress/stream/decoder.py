"""Frames from the bytes of a key frame and of the residual segments after it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.errors import CorruptFileError
from gscompress.gaussians import Gaussians
from gscompress.pipeline import decompress
from gscompress.stream.latent_segment import LatentTrack
from gscompress.stream.layout import Steps, classes_of, morton_order, references_of
from gscompress.stream.segment import Segment, Turnover
from gscompress.stream.slots import FRACTION, Slots
from gscompress.stream.transform import MAX_LENGTH, SCALE_BITS, basis

__all__ = ["GroupDecoder", "Track", "decode_key", "phase_of"]

Integers = NDArray[np.int32]

_MAX_SLOTS = 1 << 28


def decode_key(data: bytes, where: str = "key frame") -> Gaussians:
    """A key frame, in slot order.

    Raises:
        CorruptFileError: It is not a .gsz file, or damaged.
    """
    try:
        scene = decompress(data)
    except CorruptFileError as error:
        raise CorruptFileError(
            where, error.field, found=error.found, expected=error.expected, remedy=error.remedy
        ) from error
    return scene.select(morton_order(scene.means))


class Track:
    """Slots and the coder that goes along with them: the state that both sides share.

    Args:
        key: The decoded key frame, in slot order.
        steps: Of the first segment.
    """

    def __init__(self, key: Gaussians, steps: Steps) -> None:
        self.slots = Slots(key, steps)
        self.coder = self.slots.layout.coder()
        self.coder.append(references_of(key.means), classes_of(self.slots.octaves))

    def copy(self) -> Track:
        """One that goes its own way."""
        other = object.__new__(Track)
        other.slots, other.coder = self.slots.copy(), self.coder.copy()
        return other

    def turn_over(self, turnover: Turnover) -> None:
        """Empty some slots, and append copies of others."""
        parents, first = turnover.parents, len(self.slots)
        self.slots.append(parents)
        self.slots.retire(turnover.deaths)
        self.coder.retire(turnover.deaths.astype(np.int32))
        if len(parents):
            before = np.arange(first - 1, first - 1 + len(parents))
            before[0] = parents[0]
            references = np.stack([parents, before], axis=1).astype(np.int32)
            self.coder.append(references, classes_of(self.slots.octaves[first:]))

    def follow(self, coefficients: list[tuple[Integers, Integers]]) -> Iterator[None]:
        """Go along trajectories, frame by frame.

        Args:
            coefficients: For each basis function the slots [M] that have any, and those [M, C].
        """
        length = len(coefficients)
        functions = basis(length)
        moving = np.unique(np.concatenate([slots for slots, _ in coefficients]))
        places = [np.searchsorted(moving, slots) for slots, _ in coefficients]
        start = self.slots.sums(moving)
        half, shift = 1 << (SCALE_BITS - 5), SCALE_BITS - 4
        for t in range(length):
            total = np.zeros(start.shape, np.int64)
            for k, (_, values) in enumerate(coefficients):
                total[places[k]] += functions[k, t] * values
            moved = (total + half) >> shift  # in units: FRACTION is 2^4
            self.slots.set_sums(moving, (start + moved).astype(np.int32))
            yield


class GroupDecoder:
    """Decodes a group of frames in order.

    Args:
        key: The bytes of the key frame.
        where: What errors call it.

    Raises:
        CorruptFileError: The key frame is damaged.
    """

    def __init__(self, key: bytes, where: str = "key frame") -> None:
        self._key = decode_key(key, where)
        self._track: Track | None = None
        self._latent: LatentTrack | None = None

    @property
    def current(self) -> Gaussians:
        """The last frame that was decoded; at first the key frame."""
        if self._latent is not None:
            return self._latent.scene
        return self._key if self._track is None else self._track.slots.scene()

    @property
    def slots(self) -> Slots | None:
        """The state of the last frame that was decoded, to look at; None at the key frame."""
        return None if self._track is None else self._track.slots

    def advance(self, data: bytes, where: str = "segment") -> Iterator[Gaussians]:
        """Decode the frames of the next segment one by one.

        Raises:
            CorruptFileError: The segment is damaged, or not the one that comes next. The decoder
                is of no further use then.
        """
        segment = Segment.from_bytes(data, where)
        latent = segment.kind == "latent"
        if (self._track if latent else self._latent) is not None:
            raise CorruptFileError(
                where, "kind", found=segment.kind, expected="as those before in its group"
            )
        if latent:
            self._latent = self._latent or LatentTrack(self._key, segment.steps.visible)
            yield from self._latent.advance(segment, where)
            return
        track = self._prepare(segment, where)
        try:
            for _ in _DECODERS[segment.kind](track, segment, where):
                yield track.slots.scene()
        except _native.BrokenStream as error:
            raise CorruptFileError(where, "changes", found=str(error)) from error

    def _prepare(self, segment: Segment, where: str) -> Track:
        if self._track is None:
            self._track = Track(self._key, segment.steps)
        slots = self._track.slots
        if segment.slots != len(slots):
            raise CorruptFileError(
                where,
                "slots",
                found=segment.slots,
                expected=len(slots),
                remedy="It follows another key frame, or a segment before it is missing",
            )
        slots.rebase(segment.steps)
        return self._track


def _residual(track: Track, segment: Segment, where: str) -> Iterator[None]:
    for frame in segment.frames:
        if frame.turnover is not None:
            _turn_over(track, frame.turnover, where)
        if frame.changes:
            slots, changes = track.coder.decode(frame.changes, 0)
            with np.errstate(over="ignore"):
                track.slots.move(slots, changes * np.int32(FRACTION))
        yield


def _trajectory(track: Track, segment: Segment, where: str) -> Iterator[None]:
    if len(segment.frames) > MAX_LENGTH:
        raise CorruptFileError(
            where, "frames", found=len(segment.frames), expected=f"up to {MAX_LENGTH}"
        )
    coefficients = []
    for k, frame in enumerate(segment.frames):
        if frame.turnover is not None:
            raise CorruptFileError(where, f"coefficient {k}", found="births or deaths")
        if frame.changes:
            coefficients.append(track.coder.decode(frame.changes, phase_of(k)))
        else:
            channels = track.slots.layout.channels
            coefficients.append((np.zeros(0, np.int32), np.zeros((0, channels), np.int32)))
    yield from track.follow(coefficients)


def phase_of(coefficient: int) -> int:
    """The models of a coefficient; 0 is for residuals."""
    return min(coefficient, 2) + 1


def _turn_over(track: Track, data: bytes, where: str) -> None:
    try:
        turnover = Turnover.from_bytes(data, track.slots.alive)
    except ValueError as error:
        raise CorruptFileError(where, "births and deaths", found=str(error)) from error
    if len(track.slots) + len(turnover.parents) > _MAX_SLOTS:
        raise CorruptFileError(where, "births", found="more slots than there may be")
    track.turn_over(turnover)


_DECODERS = {"residual": _residual, "trajectory": _trajectory}
