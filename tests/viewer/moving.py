"""A small clip in which things move, are born and die, for tests of the browser's player."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import gscompress as gs
from gscompress.gaussians import Gaussians
from gscompress.render import get_renderer
from gscompress.stream.attempt import Attempt, Moment
from gscompress.stream.decoder import decode_key
from gscompress.stream.group import GroupEncoder
from gscompress.stream.manifest import MANIFEST, Group, Kind, Manifest, Segment
from gscompress.stream.pricing import nominal_price
from gscompress.stream.run import Run
from gscompress.stream.tracking import match
from gscompress.stream.views import Views

FRAMES = 10
TURNOVER = 3
"""The frame with births and deaths."""
SECOND_KEY = 7
CHANGED = 0.4
"""Share of the Gaussians that move."""


def make_frames(scene: Gaussians) -> list[Gaussians]:
    """The middle of a scene rises; then some of it is gone, and some of it is there twice."""
    centre = np.median(scene.means, axis=0)
    distance = np.linalg.norm(scene.means - centre, axis=1)
    part = distance < np.quantile(distance, CHANGED)
    step = np.float32(0.02 * np.median(distance))
    frames = []
    for k in range(FRAMES):
        means, sh = scene.means.copy(), scene.sh.copy()
        means[part, 1] -= step * k
        sh[part, 0] += np.float32(0.02 * k)
        moved = scene.replace(means=means, sh=sh)
        if k >= TURNOVER:
            left, twins = np.arange(40, len(scene)), np.arange(0, len(scene), 97)
            moved = moved.select(np.concatenate([left, twins]))
            moved = moved.replace(
                means=moved.means + step * (np.arange(len(moved)) >= len(left))[:, None]
            )
        frames.append(moved)
    return frames


def write_moving_clip(
    folder: Path, scene: Gaussians, cameras: Sequence[gs.Camera], fps: float = 30.0
) -> Manifest:
    """Ten frames in two groups: residuals, births and deaths, a run; another key frame."""
    folder.mkdir(parents=True)
    views, frames = Views(cameras, get_renderer("cpu")), make_frames(scene)
    price = nominal_price(60, len(scene))
    groups = []
    for first, runs in ((0, [[1], [2], [3], [4, 5, 6]]), (SECOND_KEY, [[8], [9]])):
        data = gs.compress(frames[first], "fast", device="cpu").to_bytes()
        segments = [_write(folder, "key", first, 1, data)]
        key = decode_key(data)
        encoder, before = GroupEncoder(key, np.arange(len(key)), views), key
        for run in runs:
            moments = []
            for k in run:
                moments.append(Moment(frames[k], match(before, frames[k])))
                before = frames[k]
            one: Attempt = (
                encoder.attempt(moments[0], price, run[0])
                if len(run) == 1
                else Run(encoder, moments, price, words=True).attempt(run[0])
            )
            encoder.accept(one)
            segment = one.segment
            kind = segment.kind
            segments.append(_write(folder, kind, run[0], len(run), segment.to_bytes()))
        groups.append(Group(first, sum(part.frames for part in segments), tuple(segments)))
    most = max(map(len, frames))
    manifest = Manifest(fps, scene.sh_degree, most, tuple(groups), mode=scene.mode)
    manifest.write(folder)
    return manifest


def damage(folder: Path, manifest: Manifest, number: int, *, hidden: bool = False) -> str:
    """Change a byte of a segment, and if ``hidden`` its checksum in the manifest; gives its url."""
    segments = list(manifest.segments())
    url = segments[number].url
    data = bytearray((folder / url).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / url).write_bytes(data)
    if hidden:
        path = folder / MANIFEST
        digest = hashlib.sha256(data).hexdigest()
        path.write_text(path.read_text().replace(segments[number].sha256, digest))
    return url


def _write(folder: Path, kind: Kind, first: int, frames: int, data: bytes) -> Segment:
    url = f"{first:06d}.{'gsz' if kind == 'key' else 'gsr'}"
    (folder / url).write_bytes(data)
    return Segment(url, kind, first, frames, len(data), hashlib.sha256(data).hexdigest())
