"""Decoding a clip, in order with times, and each frame by itself."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.render.base import Progress
from gscompress.stream.changes import ChangeCounter, Changes
from gscompress.stream.clip import Clip, SegmentDecoder
from gscompress.stream.manifest import Segment

__all__ = ["DecodedFrame", "decode_by_itself", "decode_in_order", "scene_sha256"]

PASSES = 2
"""In which decoding is timed; the faster one counts, and the first one also warms up."""


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A frame that was decoded in order.

    Attributes:
        frame: Its number.
        group: The index of its group.
        segment: What holds it.
        gaussians: How many it has.
        changes: What it changes; None of a key frame.
        ms: Milliseconds that decoding it took after the frame before.
        sha256: Of its arrays.
    """

    frame: int
    group: int
    segment: Segment
    gaussians: int
    changes: Changes | None
    ms: float
    sha256: str


def decode_in_order(clip: Clip, progress: Progress | None = None) -> list[DecodedFrame]:
    """Decode all frames, one after the other, and let go of each.

    Raises:
        InputError: A segment cannot be read.
        CorruptFileError: A segment is damaged; names it.
    """
    count = clip.manifest.frames
    found = []
    for one in _pass(clip):
        found.append(one)
        if progress is not None:
            progress(len(found), PASSES * count)
    for number in range(1, PASSES):
        for k, ms in enumerate(_times(clip)):
            found[k] = replace(found[k], ms=min(ms, found[k].ms))
            if progress is not None:
                progress(number * count + k + 1, PASSES * count)
    return found


def decode_by_itself(clip: Clip, frame: int) -> str:
    """The SHA-256 of a frame that is decoded from its group's key on, and from nothing else.

    Raises:
        InputError, CorruptFileError: As `decode_in_order`.
    """
    return scene_sha256(clip.frame(frame))


def scene_sha256(scene: Gaussians) -> str:
    """Of the arrays of a scene: equal only if they are, bit for bit."""
    digest = hashlib.sha256()
    for name in ATTRIBUTES:
        values = np.ascontiguousarray(getattr(scene, name))
        digest.update(f"{name} {values.dtype.str} {values.shape};".encode())
        digest.update(values.data)
    return digest.hexdigest()


def _timed(clip: Clip) -> Iterator[tuple[int, Segment, int, Gaussians, float, SegmentDecoder]]:
    """Group, segment, number, frame, milliseconds and decoder of each frame."""
    decoder, number = SegmentDecoder(), 0
    for group, _, segment in clip.manifest.segments_from(0):
        data = clip.segment(segment)
        name = clip.transfer.source.name(segment.url)
        frames = decoder.decode(segment, data, clip.manifest, name)
        while True:
            started = time.perf_counter()
            frame = next(frames, None)
            ms = 1e3 * (time.perf_counter() - started)
            if frame is None:
                break
            yield group, segment, number, frame, ms, decoder
            number += 1


def _times(clip: Clip) -> Iterator[float]:
    for _, _, _, _, ms, _ in _timed(clip):
        yield ms


def _pass(clip: Clip) -> Iterator[DecodedFrame]:
    counter = None
    for group, segment, number, frame, ms, decoder in _timed(clip):
        slots = decoder.slots
        if segment.kind == "key":
            counter = ChangeCounter(frame)
        changes = None if slots is None or counter is None else counter.count(slots)
        yield DecodedFrame(number, group, segment, len(frame), changes, ms, scene_sha256(frame))
