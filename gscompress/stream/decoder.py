"""Frames from the bytes of a key frame and of the residual segments after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.errors import CorruptFileError
from gscompress.gaussians import Array, Gaussians
from gscompress.pipeline import decompress
from gscompress.stream.latent_segment import LatentTrack
from gscompress.stream.layout import Steps, classes_of, morton_order, references_of
from gscompress.stream.path import Path, Term
from gscompress.stream.segment import Frame, Segment, Turnover
from gscompress.stream.slots import FRACTION, Slots
from gscompress.stream.transform import MAX_LENGTH
from gscompress.stream.words import Books, WordCoder, read_words

__all__ = ["GroupDecoder", "Track", "decode_key", "phase_of"]

Integers = NDArray[np.int32]

_MAX_SLOTS = 1 << 28
_LEAST = 0.5
"""Wishes below are always 0."""


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
        self.words: WordCoder | None = None
        self._references, self._classes = references_of(key.means), classes_of(self.slots.octaves)
        self.coder.append(self._references, self._classes)

    def copy(self) -> Track:
        """One that goes its own way."""
        other = object.__new__(Track)
        other.__dict__.update(self.__dict__)
        other.slots, other.coder = self.slots.copy(), self.coder.copy()
        other.words = None if self.words is None else self.words.copy()
        return other

    def turn_over(self, turnover: Turnover) -> None:
        """Empty some slots, and append copies of others; words are forgotten."""
        self.words = None
        parents, first = turnover.parents, len(self.slots)
        self.slots.append(parents)
        self.slots.retire(turnover.deaths)
        self.coder.retire(turnover.deaths.astype(np.int32))
        if len(parents):
            before = np.arange(first - 1, first - 1 + len(parents))
            before[0] = parents[0]
            references = np.stack([parents, before], axis=1).astype(np.int32)
            classes = classes_of(self.slots.octaves[first:])
            self.coder.append(references, classes)
            self._references = np.concatenate([self._references, references])
            self._classes = np.concatenate([self._classes, classes])

    def follow(self, path: Path) -> Iterator[None]:
        """Go along a path, frame by frame."""
        for frame in range(len(path)):
            self.slots.move(path.moving, path.change(frame))
            yield

    def encode(
        self, wish: Array, weights: Array, price: float, phase: int
    ) -> tuple[bytes, Integers, Integers]:
        """What the coder makes of wishes; no bytes, and nothing learned, where none is a step."""
        if max(wish.max(initial=0), -wish.min(initial=0)) < _LEAST:
            return b"", np.zeros(0, np.int32), np.zeros((0, wish.shape[1]), np.int32)
        return self.coder.encode(wish, weights, price, phase)

    def speak(self, books: Books) -> WordCoder:
        """Start with new codebooks."""
        dead = np.flatnonzero(~self.slots.alive).astype(np.int32)
        self.words = WordCoder(self.slots.layout, books, self._references, self._classes, dead)
        return self.words

    def read_words(self, data: bytes, frames: int) -> list[Term]:
        """What the words of a run of so many frames say.

        Raises:
            ValueError: Nothing that makes sense.
            BrokenStream: The bytes are damaged.
        """
        books, indices = read_words(self.slots.layout, data, frames, self.words)
        coder = self.words if books is None else self.speak(books)
        assert coder is not None
        return coder.decode(indices)

    def read_coefficients(self, blocks: Sequence[bytes]) -> list[Term]:
        """What the coefficients of each basis function are; no bytes: 0.

        Raises:
            BrokenStream: The bytes are damaged.
        """
        return [
            Term.of_steps(k, *self.coder.decode(block, phase_of(k)))
            for k, block in enumerate(blocks)
            if block
        ]


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
        _correct(track, frame)
        yield


def _correct(track: Track, frame: Frame) -> None:
    if frame.changes:
        slots, changes = track.coder.decode(frame.changes, 0)
        with np.errstate(over="ignore"):
            track.slots.move(slots, changes * np.int32(FRACTION))


def _trajectory(track: Track, segment: Segment, where: str) -> Iterator[None]:
    _check_length(segment, where)
    terms = track.read_coefficients([frame.changes for frame in segment.frames])
    yield from track.follow(Path(terms, len(segment.frames), track.slots.layout.channels))


def _run(track: Track, segment: Segment, where: str) -> Iterator[None]:
    _check_length(segment, where)
    paths = segment.paths
    assert paths is not None
    terms = []
    if paths.words:
        try:
            terms = track.read_words(paths.words, len(segment.frames))
        except ValueError as error:
            raise CorruptFileError(where, "words", found=str(error)) from error
    terms += track.read_coefficients(paths.coefficients)
    path = Path(terms, len(segment.frames), track.slots.layout.channels)
    for frame, _ in zip(segment.frames, track.follow(path), strict=True):
        _correct(track, frame)
        yield


def _check_length(segment: Segment, where: str) -> None:
    if len(segment.frames) > MAX_LENGTH:
        raise CorruptFileError(
            where, "frames", found=len(segment.frames), expected=f"up to {MAX_LENGTH}"
        )
    for k, frame in enumerate(segment.frames):
        if frame.turnover is not None:
            raise CorruptFileError(where, f"frame {k} of the segment", found="births or deaths")


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


_DECODERS = {"residual": _residual, "trajectory": _trajectory, "run": _run}
