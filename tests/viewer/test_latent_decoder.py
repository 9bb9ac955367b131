"""The browser's decoder of latent segments gives the bits of the native one."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

import gscompress as gs
from gscompress.errors import GscompressError
from gscompress.stream.clip import Clip
from gscompress.stream.decoder import decode_key
from gscompress.stream.latent_segment import LatentTrack, write_segment
from gscompress.stream.manifest import Group, Manifest
from gscompress.stream.manifest import Segment as Listed
from gscompress.stream.segment import Frame, Segment
from tests.checks import digest, make_scene
from tests.stream.test_latent import make_frame

VISIBLE = -3.0


def made_latents(folder, degree, births):
    """Paths of a key frame and of segments of latents, and the digests of the frames."""
    folder.mkdir()
    scene = make_scene(150, degree, 7)
    scene = scene.replace(sh=np.where(np.abs(scene.sh) < 0.02, np.float32(-0.0), scene.sh))
    data = gs.compress(scene, "lossless", device="cpu").to_bytes()
    (folder / "key.gsz").write_bytes(data)
    key = decode_key(data)
    track, paths, digests = LatentTrack(key, VISIBLE), [], [digest(key)]
    for number, count in enumerate(births, start=1):
        frame = make_frame(track.scene, seed=number, births=count)
        paths.append(folder / f"{number}.gsr")
        paths[-1].write_bytes(write_segment(track, frame, number, VISIBLE))
        digests.append(digest(track.scene))
    paths = [str(path) for path in paths]
    return {"key": str(folder / "key.gsz"), "segments": paths}, digests


def test_latents(node, tmp_path):
    made = [made_latents(tmp_path / str(k), k, [0, 5, 0, 2, 0]) for k in (0, 1, 3)]
    answers = node([case for case, _ in made])
    assert [answer.get("digests") for answer in answers] == [digests for _, digests in made]
    assert len({digest for _, digests in made for digest in digests}) == 18


def test_a_clip_of_latents_with_two_key_frames(node, tmp_path):
    """Births in both groups; from any frame on, and round and round."""
    folder, groups, frames = tmp_path / "clip", [], []
    folder.mkdir()

    def add(kind, data):
        number = len(frames)
        url = f"{number:06d}.{'gsz' if kind == 'key' else 'gsr'}"
        (folder / url).write_bytes(data)
        return Listed(url, kind, number, 1, len(data), hashlib.sha256(data).hexdigest())

    for births in ([0, 3, 2], [4, 0]):
        first = len(frames)
        scene = make_scene(120, 1, first) if first == 0 else frames[-1]
        data = gs.compress(scene, "fast", device="cpu").to_bytes()
        segments = [add("key", data)]
        track = LatentTrack(decode_key(data), VISIBLE)
        frames.append(track.scene)
        for count in births:
            number = len(frames)
            frame = make_frame(track.scene, seed=number, births=count)
            segments.append(add("latent", write_segment(track, frame, number, VISIBLE)))
            frames.append(track.scene)
        groups.append(Group(first, len(segments), tuple(segments)))
    Manifest(30.0, 1, max(map(len, frames)), tuple(groups)).write(folder)
    assert [len(frame) for frame in frames] == [120, 120, 123, 125, 125, 129, 129]
    expected = [digest(frame) for frame in frames]
    starts = range(len(frames))
    answers = node([{"play": str(folder), "from": k, "rounds": 2} for k in starts])
    for k, answer in zip(starts, answers, strict=True):
        assert [one["digest"] for one in answer["told"]] == (expected + expected)[k:]
    with Clip.open(folder) as clip:
        assert [digest(clip.frame(k)) for k in reversed(starts)] == expected[::-1]


def test_damaged_latents(node, tmp_path):
    """What gets past the CRC is refused as the native decoder refuses it."""
    case, _ = made_latents(tmp_path / "made", 1, [2])
    segment = Segment.from_bytes(Path(case["segments"][0]).read_bytes())
    (frame,) = segment.frames
    rng = np.random.default_rng(0)
    cases, expected = [], []
    for trial in range(60):
        changes = bytearray(frame.changes)
        at = int(rng.integers(len(changes) if trial % 3 else 30))
        if trial % 5:
            changes[at] ^= int(rng.integers(1, 256))
        else:
            del changes[at:]
        changed = dataclasses.replace(segment, frames=(Frame(bytes(changes), frame.turnover),))
        path = tmp_path / f"{trial}.gsr"
        path.write_bytes(changed.to_bytes())
        cases.append({"key": case["key"], "segments": [str(path)]})
        track = LatentTrack(decode_key(Path(case["key"]).read_bytes()), VISIBLE)
        try:
            expected.append([digest(scene) for scene in track.advance(changed)])
        except GscompressError:
            expected.append([])
    answers = node(cases)
    assert [answer.get("digests", answer)[1:] for answer in answers] == expected
    assert [bool(answer.get("error")) for answer in answers] == [not one for one in expected]
    assert 15 < expected.count([]) < 60
