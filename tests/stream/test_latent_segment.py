"""Latent frames as segments: there and back, in order, and damaged."""

from __future__ import annotations

import numpy as np
import pytest

import gscompress as gs
from gscompress.errors import CorruptFileError, InputError
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.stream.decoder import GroupDecoder, decode_key
from gscompress.stream.latent import LatentFrame
from gscompress.stream.latent_segment import LatentTrack, write_segment
from gscompress.stream.layout import Steps, morton_order
from gscompress.stream.segment import Frame, Segment
from tests.render.scenes import make_scene
from tests.stream.test_latent import make_frame

VISIBLE = -3.0


def make_key(count: int = 300, degree: int = 1) -> Gaussians:
    scene = make_scene(count, degree=degree)
    return scene.select(morton_order(scene.means))


def same(a: Gaussians, b: Gaussians) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ATTRIBUTES)


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_frames_come_back_bit_for_bit(degree: int) -> None:
    key = make_key(degree=degree)
    writer, reader = LatentTrack(key, VISIBLE), LatentTrack(key, VISIBLE)
    for number, births in enumerate([0, 5, 0, 2, 0], start=1):
        frame = make_frame(writer.scene, seed=number, births=births)
        data = write_segment(writer, frame, number, VISIBLE)
        segment = Segment.from_bytes(data)
        assert (segment.kind, segment.first, len(segment.frames)) == ("latent", number, 1)
        assert segment.slots == len(reader.scene)
        (decoded,) = reader.advance(segment)
        assert same(decoded, writer.scene)
    assert len(reader.scene) == 307


def test_the_integers_come_back() -> None:
    key = make_key()
    writer, reader = LatentTrack(key, VISIBLE), LatentTrack(key, VISIBLE)
    frame = make_frame(key)
    found = reader.decode(writer.encode(frame))
    assert np.array_equal(found.moved, frame.moved)
    assert np.array_equal(found.moves, frame.moves)
    assert found.move_step == frame.move_step
    for group, latents in frame.latents.items():
        assert np.array_equal(found.latents[group], latents)
        assert np.array_equal(found.decoders[group], frame.decoders[group])


def test_still_groups_cost_no_decoder() -> None:
    key = make_key()
    busy = make_frame(key)
    still = make_frame(key, latents={g: 0 * part for g, part in busy.latents.items()})
    weights = sum(4 * decoder.size for decoder in busy.decoders.values())
    a = write_segment(LatentTrack(key, VISIBLE), busy, 1, VISIBLE)
    b = write_segment(LatentTrack(key, VISIBLE), still, 1, VISIBLE)
    assert len(b) < len(a) - weights
    none = np.zeros(0, np.int32)
    empty = LatentFrame(still.latents, still.decoders, none, np.zeros((0, 3)), 1.0, none)
    assert len(write_segment(LatentTrack(key, VISIBLE), empty, 1, VISIBLE)) < 100


def test_sparse_frames_cost_less_than_their_entropy_and_positions() -> None:
    """The coder learns from frame to frame: the same frame again is smaller."""
    key = make_key(2000)
    track, frame = LatentTrack(key, VISIBLE), make_frame(key)
    sizes = [len(write_segment(track, frame, number, VISIBLE)) for number in range(1, 4)]
    assert sizes[1] < 0.7 * sizes[0]
    assert sizes[2] < sizes[1]


def test_other_dimensions_are_refused() -> None:
    key = make_key()
    track = LatentTrack(key, VISIBLE)
    track.encode(make_frame(key))
    with pytest.raises(InputError, match="dims"):
        track.encode(make_frame(key, latents={}, decoders={}))


def test_damage_is_an_error_and_nothing_else() -> None:
    """The CRC stands before; here every byte gets past it."""
    key = make_key(60)
    good = LatentTrack(key, VISIBLE).encode(make_frame(key, births=2))
    rng = np.random.default_rng(0)
    errors = 0
    for trial in range(400):
        parts = [bytearray(good.changes), bytearray(good.turnover or b"")]
        part = parts[0] if trial % 8 else parts[1]
        at = int(rng.integers(len(part) if trial % 3 else min(40, len(part))))
        if trial % 5:
            part[at] ^= int(rng.integers(1, 256))
        else:
            del part[at:]
        frame = type(good)(bytes(parts[0]), bytes(parts[1]))
        segment = Segment("latent", 1, 60, Steps((1.0,) * 6, VISIBLE), (frame,))
        try:
            list(LatentTrack(key, VISIBLE).advance(segment, "x.gsr"))
        except CorruptFileError:
            errors += 1
    assert errors > 150


def test_a_group_of_latent_frames() -> None:
    """By the decoder of clips, which takes no other kind in between."""
    data = gs.compress(make_scene(200, degree=1), "fast", device="cpu").to_bytes()
    writer = LatentTrack(decode_key(data), VISIBLE)
    decoder = GroupDecoder(data)
    for number in (1, 2):
        segment = write_segment(writer, make_frame(writer.scene, seed=number), number, VISIBLE)
        (found,) = decoder.advance(segment)
        assert same(found, writer.scene)
        assert same(decoder.current, writer.scene)
    other = Segment("residual", 3, 200, Steps((1.0,) * 6, VISIBLE), (Frame(b""),)).to_bytes()
    with pytest.raises(CorruptFileError, match="kind: found residual"):
        list(decoder.advance(other))
    mixed = GroupDecoder(data)
    list(mixed.advance(other))
    with pytest.raises(CorruptFileError, match="kind: found latent"):
        list(mixed.advance(segment))
