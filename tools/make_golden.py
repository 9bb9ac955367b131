#!/usr/bin/env python3
"""Write a golden file for each preset that has none; existing ones are frozen and stay.

    python tools/make_golden.py

A golden file is a small scene as this version compresses it, without stages;
tests/golden/digests.txt says what it decodes to. tests/golden/clip is a clip with segments of
each kind that the encoder of frames writes, latent_clip one as training writes it. Later versions
must decode them to the same bits (tests/test_pipeline.py, tests/stream/test_golden.py).
"""

from __future__ import annotations

import hashlib
import itertools
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

import gscompress as gs  # noqa: E402
from gscompress.config import load_config, preset_names  # noqa: E402
from gscompress.gaussians import ATTRIBUTES  # noqa: E402
from gscompress.render import get_renderer  # noqa: E402
from gscompress.stages.base import Context  # noqa: E402
from gscompress.stream.clip import Clip  # noqa: E402
from gscompress.stream.decoder import decode_key  # noqa: E402
from gscompress.stream.group import GroupEncoder, Moment  # noqa: E402
from gscompress.stream.keyframe import encode_key  # noqa: E402
from gscompress.stream.latent_segment import LatentTrack, write_segment  # noqa: E402
from gscompress.stream.manifest import Group, Manifest, Segment  # noqa: E402
from gscompress.stream.settings import Settings  # noqa: E402
from gscompress.stream.tracking import match  # noqa: E402
from gscompress.stream.views import Views  # noqa: E402
from tests.checks import digest, make_scene  # noqa: E402
from tests.stream.test_latent import make_frame  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"


def main() -> None:
    scene = make_scene(400, 2, seed=7)
    for preset in preset_names():
        path = GOLDEN / f"{preset}.gsz"
        if path.exists():
            continue
        gs.compress(scene, load_config(preset, stages="none"), device="cpu").save(path)
        with (GOLDEN / "digests.txt").open("a") as file:
            file.write(f"{path.name} {digest(gs.decompress(path))}\n")
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")
    if not (GOLDEN / "clip").exists():
        write_clip(GOLDEN / "clip")
    if not (GOLDEN / "latent_clip").exists():
        write_latent_clip(GOLDEN / "latent_clip")


def write_clip(folder: Path) -> None:
    """A key frame, a change, one with births and deaths, a trajectory; digests.txt beside them."""
    frames = [make_scene(300, 1, seed=8)]
    rng = np.random.default_rng(8)
    speed = rng.normal(0, 0.01, (300, 3)) * (rng.random((300, 1)) < 0.5)
    for _ in range(5):
        frames.append(frames[-1].replace(means=frames[-1].means + speed))
    kept = rng.random(300) < 0.95
    for k in range(2, 6):  # some die, and others start as what they were in another place
        gone = frames[k].select(np.flatnonzero(~kept))
        born = gone.replace(means=gone.means + np.float32(0.5))
        left = frames[k].select(np.flatnonzero(kept))
        frames[k] = left.replace(
            **{n: np.concatenate([getattr(left, n), getattr(born, n)]) for n in ATTRIBUTES}
        )
    cameras = gs.virtual_cameras(frames[0], 4, width=64, height=48)
    ctx = Context(frames[0], cameras, None, "cpu")
    key = encode_key(frames[0], load_config("fast"), Settings(), ctx)
    encoder = GroupEncoder(key.scene, key.rows, Views(cameras, get_renderer("cpu")))
    moments = [Moment(b, match(a, b)) for a, b in itertools.pairwise(frames)]
    files, segments = [key.data], [("key", 1)]
    for first, run in ((1, moments[:1]), (2, moments[1:2]), (3, moments[2:])):
        several = len(run) > 1
        attempt = (encoder.attempt_run(run, 1e-12, first) if several
                   else encoder.attempt(run[0], 1e-12, first))  # fmt: skip
        encoder.accept(attempt)
        files.append(attempt.segment.to_bytes())
        segments.append((attempt.segment.kind, len(run)))
    finish_clip(folder, files, segments)


def write_latent_clip(folder: Path) -> None:
    """A key frame and two latent frames, the second with births."""
    key = gs.compress(make_scene(300, 1, seed=8), "fast", device="cpu").to_bytes()
    track, files = LatentTrack(decode_key(key), -3.0), [key]
    for number, births in ((1, 0), (2, 6)):
        frame = make_frame(track.scene, seed=number, births=births)
        files.append(write_segment(track, frame, number, -3.0))
    finish_clip(folder, files, [("key", 1), ("latent", 1), ("latent", 1)])


def finish_clip(folder: Path, files: list[bytes], segments: list[tuple[str, int]]) -> None:
    """Write a clip and what it decodes to."""
    folder.mkdir()
    entries, first = [], 0
    for data, (kind, count) in zip(files, segments, strict=True):
        url = f"{first:06d}.{'gsz' if kind == 'key' else 'gsr'}"
        (folder / url).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        entries.append(Segment(url, kind, first, count, len(data), sha256))  # type: ignore[arg-type]
        first += count
    group = Group(first=0, frames=first, segments=tuple(entries))
    Manifest(fps=30.0, sh_degree=1, gaussians=400, groups=(group,)).write(folder)
    lines = [f"{k} {digest(frame)}" for k, frame in enumerate(Clip.open(folder).frames())]
    (folder / "digests.txt").write_text("\n".join(lines) + "\n")
    print(f"{folder.relative_to(ROOT)}: {sum(map(len, files))} bytes")


if __name__ == "__main__":
    main()
