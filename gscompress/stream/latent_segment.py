"""Latent frames as bytes: the decoders as they are, the integers by the temporal coder.

A frame of a segment of the kind "latent" holds the step of the moves (float64), and for each group
of `LATENT_GROUPS` the number of its latent dimensions (a byte, 0: none), whether there is a decoder
(a byte; without one all latents are 0) and the decoder (float32, row by row). What follows is the
temporal coder's: three channels of moves, then the latents group by group. All little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.errors import CorruptFileError, InputError
from gscompress.gaussians import Array, Gaussians
from gscompress.stream.latent import LATENT_GROUPS, LatentFrame, apply, width_of
from gscompress.stream.layout import GROUPS, Steps, classes_of, octaves_of, references_of
from gscompress.stream.segment import Frame, Segment, Turnover

__all__ = ["LatentTrack", "write_segment"]

MAX_DIMS = 64
_MAX_WEIGHT = 2.0**20
_STEP_RANGE = (2.0**-60, 2.0**20)
_STEP = struct.Struct("<d")


class LatentTrack:
    """The Gaussians and the coder that goes along with them: the state that both sides share.

    Args:
        key: The decoded key frame, in slot order.
        visible: As in `gscompress.stream.layout.Steps`; says which Gaussians are alike. That of the
            first segment.

    Attributes:
        scene: The last frame, in slot order.
    """

    def __init__(self, key: Gaussians, visible: float) -> None:
        self.scene = key
        self._visible = visible
        self._dims: dict[str, int] | None = None
        self._coder: _native.TemporalCoder | None = None

    def encode(self, frame: LatentFrame) -> Frame:
        """Go on by a frame, and give its bytes.

        Raises:
            InputError: It does not fit the frames before it.
        """
        latents = dict(frame.latents)
        coder = self._coder_for({group: latents[group].shape[1] for group in latents})
        now = apply(self.scene, frame)
        turnover = None
        if frame.births:
            order = np.zeros(0, np.int64), frame.parents.astype(np.int64)
            turnover = Turnover(*order).to_bytes()
            self._append(frame.parents)
        planes = [_moves(frame, len(now))] + [latents[g] for g in LATENT_GROUPS if g in latents]
        values = np.concatenate(planes, axis=1).astype(np.float32)
        data, _, _ = coder.encode(values, np.ones_like(values), 0.0, 0)
        self.scene = now
        return Frame(_head(frame) + data, turnover)

    def decode(self, frame: Frame) -> LatentFrame:
        """Go on by a frame that `encode` made.

        Raises:
            ValueError: The bytes make no sense.
            InputError: Nor do the numbers in them.
        """
        step, dims, decoders, at = _read_head(frame.changes, self.scene)
        parents = np.zeros(0, np.int32)
        coder = self._coder_for(dims)
        if frame.turnover is not None:
            turnover = Turnover.from_bytes(frame.turnover, np.ones(len(self.scene), np.bool_))
            if len(turnover.deaths):
                raise ValueError("deaths among latent frames")
            parents = turnover.parents.astype(np.int32)
            self._append(parents)
        slots, values = coder.decode(frame.changes[at:], 0)
        moving = values[:, :3].any(axis=1)
        found = LatentFrame(
            latents=_spread(dims, decoders, slots, values, coder.slots),
            decoders=decoders,
            moved=slots[moving],
            moves=values[moving, :3],
            move_step=step,
            parents=parents,
        )
        self.scene = apply(self.scene, found)
        return found

    def advance(self, segment: Segment, where: str = "segment") -> Iterator[Gaussians]:
        """The frames of a segment one by one.

        Raises:
            CorruptFileError: The segment is damaged, or not the one that comes next.
        """
        if segment.slots != len(self.scene):
            raise CorruptFileError(
                where,
                "slots",
                found=segment.slots,
                expected=len(self.scene),
                remedy="It follows another key frame, or a segment before it is missing",
            )
        for number, frame in enumerate(segment.frames):
            try:
                self.decode(frame)
            except (ValueError, InputError, _native.BrokenStream) as error:
                raise CorruptFileError(where, f"frame {number}", found=str(error)) from error
            yield self.scene

    def _coder_for(self, dims: Mapping[str, int]) -> _native.TemporalCoder:
        if self._coder is None:
            self._dims = dict(dims)
            widths = [3] + [dims[group] for group in LATENT_GROUPS if group in dims]
            self._coder = _native.TemporalCoder(widths, list(range(sum(widths))))
            self._coder.append(references_of(self.scene.means), self._classes(self.scene))
        elif self._dims != dict(dims):
            raise InputError("latent frame", "dims", found=dims, expected=self._dims)
        return self._coder

    def _append(self, parents: NDArray[np.int32]) -> None:
        """Give the next slots to copies of what is in these."""
        assert self._coder is not None
        if not len(parents):
            return
        first = len(self.scene)
        before = np.arange(first - 1, first - 1 + len(parents))
        before[0] = parents[0]
        references = np.stack([parents, before], axis=1).astype(np.int32)
        self._coder.append(references, self._classes(self.scene.select(parents)))

    def _classes(self, scene: Gaussians) -> NDArray[np.uint8]:
        return classes_of(octaves_of(scene, self._visible))


def write_segment(track: LatentTrack, frame: LatentFrame, number: int, visible: float) -> bytes:
    """A segment of one frame, number ``number`` of the clip; ``track`` goes on by it."""
    slots, higher = len(track.scene), track.scene.sh_degree > 0
    # Moves and decoders bring steps of their own; these are not used.
    steps = tuple(1.0 if higher or name != "shN" else 0.0 for name in GROUPS)
    frames = (track.encode(frame),)
    return Segment("latent", number, slots, Steps(steps, visible), frames).to_bytes()


def _moves(frame: LatentFrame, count: int) -> NDArray[np.int32]:  # [N, 3]
    moves = np.zeros((count, 3), np.int32)
    moves[frame.moved] = frame.moves
    return moves


def _head(frame: LatentFrame) -> bytes:
    parts = [_STEP.pack(frame.move_step)]
    for group in LATENT_GROUPS:
        if group not in frame.latents:
            parts.append(bytes([0, 0]))
            continue
        used = bool(frame.latents[group].any())
        parts.append(bytes([frame.latents[group].shape[1], used]))
        if used:
            parts.append(frame.decoders[group].astype("<f4").tobytes())
    return b"".join(parts)


def _read_head(
    data: bytes, scene: Gaussians
) -> tuple[float, dict[str, int], dict[str, Array], int]:
    """The step, the dimensions, the decoders, and where they end."""
    if len(data) < _STEP.size + 2 * len(LATENT_GROUPS):
        raise ValueError(f"{len(data)} bytes")
    (step,) = _STEP.unpack_from(data)
    if not _STEP_RANGE[0] <= step <= _STEP_RANGE[1]:
        raise ValueError(f"moves in steps of {step}")
    at = _STEP.size
    dims: dict[str, int] = {}
    decoders: dict[str, Array] = {}
    for group in LATENT_GROUPS:
        if len(data) < at + 2:
            raise ValueError("decoders that are cut off")
        count, used = data[at : at + 2]
        at += 2
        if count == 0 and not used:
            continue
        width = width_of(scene, group)
        size = 4 * count * width * used
        if not 1 <= count <= MAX_DIMS or used > 1 or width == 0 or len(data) < at + size:
            raise ValueError(f"{count} dimensions of {group} in {len(data)} bytes")
        decoder = np.zeros((count, width), np.float32)
        if used:
            decoder[:] = np.frombuffer(data, "<f4", count * width, at).reshape(count, width)
            if not (np.abs(decoder) <= _MAX_WEIGHT).all():
                raise ValueError(f"a decoder of {group} that is too large")
        dims[group], decoders[group] = count, decoder
        at += size
    return step, dims, decoders, at


def _spread(
    dims: Mapping[str, int],
    decoders: Mapping[str, Array],
    slots: NDArray[np.int32],
    values: NDArray[np.int32],
    count: int,
) -> dict[str, NDArray[np.int32]]:
    """The latents of all slots, from those of the changed ones."""
    latents, first = {}, 3
    for group, width in dims.items():
        part = np.zeros((count, width), np.int32)
        part[slots] = values[:, first : first + width]
        if part.any() and not decoders[group].any():
            raise ValueError(f"latents of {group} without a decoder")
        latents[group] = part
        first += width
    return latents
