#!/usr/bin/env python3
"""Write a golden file for each preset that has none; existing ones are frozen and stay.

    python tools/make_golden.py

A golden file is a small scene as this version compresses it, without stages;
tests/golden/digests.txt says what it decodes to. tests/golden/run_clip is a clip of runs,
latent_clip one as training writes it, and clip one with changes, births and deaths, and the kind
of trajectories that version 0.1 wrote, which is only read now. Later versions must decode them to
the same bits (tests/test_pipeline.py, tests/stream/test_golden.py).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import gscompress as gs
from gscompress.config import load_config, preset_names
from gscompress.render import get_renderer
from gscompress.stream.clip import Clip
from gscompress.stream.decoder import decode_key
from gscompress.stream.group import GroupEncoder
from gscompress.stream.latent_segment import LatentTrack, write_segment
from gscompress.stream.manifest import Group, Kind, Manifest, Segment
from gscompress.stream.run import Place, Run
from gscompress.stream.views import Views
from tests.checks import digest, make_scene
from tests.stream.motions import moments, swarms
from tests.stream.test_latent import make_frame

ROOT = Path(__file__).resolve().parents[1]
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
    if not (GOLDEN / "run_clip").exists():
        write_run_clip(GOLDEN / "run_clip")
    if not (GOLDEN / "latent_clip").exists():
        write_latent_clip(GOLDEN / "latent_clip")


def write_run_clip(folder: Path) -> None:
    """A key frame, a run with words and corrections, one with the same words, one without any."""
    data = gs.compress(make_scene(300, 1, seed=8), "fast", device="cpu").to_bytes()
    frames = swarms(decode_key(data), 16, bend=0.0)
    views = Views(gs.virtual_cameras(frames[0], 4, width=64, height=48), get_renderer("cpu"))
    encoder = GroupEncoder(frames[0], np.arange(300), views)
    files = [data]
    segments: list[tuple[Kind, int]] = [("key", 1)]

    def correct(place: Place) -> tuple[bytes, np.ndarray]:
        return encoder.correct(place.track, place.moment, place.state, 1e-14)

    coming = moments(frames)
    for first, last, words in ((1, 6, True), (6, 11, True), (11, 16, False)):
        run = Run(encoder, coming[first - 1 : last - 1], 1e-12, words=words)
        attempt = run.attempt(first, correct if first == 1 else None)
        assert bool(run.paths.words) == words
        assert first != 6 or run.paths.words[0] == 1  # books that are kept
        encoder.accept(attempt)
        files.append(attempt.segment.to_bytes())
        segments.append(("run", last - first))
    finish_clip(folder, files, segments)


def write_latent_clip(folder: Path) -> None:
    """A key frame and two latent frames, the second with births."""
    key = gs.compress(make_scene(300, 1, seed=8), "fast", device="cpu").to_bytes()
    track, files = LatentTrack(decode_key(key), -3.0), [key]
    for number, births in ((1, 0), (2, 6)):
        frame = make_frame(track.scene, seed=number, births=births)
        files.append(write_segment(track, frame, number, -3.0))
    finish_clip(folder, files, [("key", 1), ("latent", 1), ("latent", 1)])


def finish_clip(folder: Path, files: list[bytes], segments: list[tuple[Kind, int]]) -> None:
    """Write a clip and what it decodes to."""
    folder.mkdir()
    entries, first = [], 0
    for data, (kind, count) in zip(files, segments, strict=True):
        url = f"{first:06d}.{'gsz' if kind == 'key' else 'gsr'}"
        (folder / url).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        entries.append(Segment(url, kind, first, count, len(data), sha256))
        first += count
    group = Group(first=0, frames=first, segments=tuple(entries))
    Manifest(fps=30.0, sh_degree=1, gaussians=400, groups=(group,)).write(folder)
    lines = [f"{k} {digest(frame)}" for k, frame in enumerate(Clip.open(folder).frames())]
    (folder / "digests.txt").write_text("\n".join(lines) + "\n")
    print(f"{folder.relative_to(ROOT)}: {sum(map(len, files))} bytes")


if __name__ == "__main__":
    main()
