"""Clips: bytes, quality, drift, random access and times; and against another format.

    tools/bench stream sequence --frames frames/*.ply --cameras cameras.json --images images
    tools/bench stream motion scenes/demo.ply --cameras scenes/cameras.json
    tools/bench stream decode scenes/demo.ply --gaussians 100000 --share 0.15

``sequence`` encodes the frames of a real scene to a target PSNR and at a quality, and measures the
clips as ``gscompress stream eval --check-access`` does. ``motion`` moves parts of a static scene
over 30 frames and compares bytes at equal PSNR of the renders with the splats4d package (pip
install splats4d), which is left out with the reason where it is not installed. ``decode`` counts
frames per second of a clip in which a share of all Gaussians changes from frame to frame.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.motion import near, rotated
from benchmarks.output import print_table, say, write_json
from benchmarks.splats4d import compare_motion
from benchmarks.throughput import tiled
from gscompress.cameras import load_cameras, split
from gscompress.io import load
from gscompress.report import ClipReport, evaluate_clip
from gscompress.stream.clip import Clip
from gscompress.stream.encode import encode_clip
from gscompress.stream.settings import Settings, Trajectories

DEGREES = 2.0
"""That the moving part of ``decode`` turns from frame to frame."""

BOUNDS = {"scales": 0.02, "quats": 0.5, "opacities": 0.01, "sh0": 0.02, "shN": 0.02}
"""Of the errors in ``decode``; that of positions is a part of the motion."""


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    document = options.run(options)
    write_json(options.json, document)
    return 0


def _sequence(options: argparse.Namespace) -> dict[str, Any]:
    frames = [load(path) for path in options.frames]
    settings = {
        f"{options.psnr:g} dB": Settings(target_psnr=options.psnr),
        f"quality {options.quality:g}": Settings(quality=options.quality),
    }
    runs: Trajectories = options.trajectories
    settings = {
        f"{name}, {runs}": replace(one, preset=options.preset, trajectories=runs)
        for name, one in settings.items()
    }
    rows, found = [], {}
    train, test = split(load_cameras(options.cameras), options.cameras)
    with tempfile.TemporaryDirectory(dir=options.work) as temporary:
        for name, chosen in settings.items():
            folder = Path(temporary) / name.replace(" ", "-").replace(",", "")
            folder.mkdir()
            say(f"encode at {name}")
            _, reports = encode_clip(frames, folder, chosen, cameras=train, control=test)
            say("measure")
            report = evaluate_clip(
                folder,
                options.frames,
                options.cameras,
                split="test",
                images=options.images,
                check_access=True,
                pictures=0,
                encode_seconds=[one.seconds for one in reports],
            )
            rows.append(_sequence_row(name, report))
            found[name] = report.to_dict()
    columns = ["setting", "kB/frame of changes", "kB/frame/100k", "key kB", "PSNR (worst frame)"]
    columns += ["photos (originals)", "drift, dB", "by itself", "changed", "encode, s/frame"]
    columns += ["decode, ms: key", "changes"]
    views = f"{len(test)} test cameras"
    title = f"{len(frames)} frames of {len(frames[0]):,} Gaussians, {views}, {os.cpu_count()} cores"
    print_table(title, columns, rows)
    return {"sequence": found}


def _sequence_row(name: str, report: ClipReport) -> list[str]:
    one = report.summary()
    times = one["decode_ms"]
    return [
        name,
        f"{one['change_bytes_per_frame'] / 1e3:.2f}",
        f"{one['change_bytes_per_frame_per_100k'] / 1e3:.2f}",
        f"{one['key_bytes'] / 1e3:.1f}",
        f"{one['psnr']:.2f} ({one['worst_frame_psnr']:.2f})",
        "-"
        if one["photo_psnr"] is None
        else f"{one['photo_psnr']:.3f} ({one['original_photo_psnr']:.3f})",
        f"{one['drift']:+.3f}",
        f"{len(one['access_failures'])} differ" if one["access_failures"] else "same",
        f"{one['changed_share']:.1%}",
        f"{one['encode_seconds_per_frame']:.1f}",
        f"{times['key_median']:.1f}",
        f"{times['change_median']:.1f}",
    ]


def _motion(options: argparse.Namespace) -> dict[str, Any]:
    train, test = split(load_cameras(options.cameras), options.cameras)
    with tempfile.TemporaryDirectory(dir=options.work) as temporary:
        return compare_motion(
            load(options.scene),
            train,
            test[:: max(1, len(test) // options.views)][: options.views],
            Path(temporary),
            frames=options.count,
            qualities=options.qualities,
            preset=options.preset,
        )


def _decode(options: argparse.Namespace) -> dict[str, Any]:
    scene = tiled(load(options.scene), options.gaussians)
    part = near(scene, np.median(scene.means, axis=0), options.share)
    frames = [rotated(scene, part, number * DEGREES) for number in range(options.count)]
    bounds = dict(BOUNDS) | {"means": float(scene.means[part].std()) / 500}
    with tempfile.TemporaryDirectory(dir=options.work) as temporary:
        say(f"encode {len(frames)} frames of {len(scene):,} Gaussians")
        # With bounds all that moves is sent, whether it is seen or not.
        settings = Settings(preset=options.preset, max_error=bounds)
        _, reports = encode_clip(frames, temporary, settings)
        say("decode")
        passes = [evaluate_clip(temporary) for _ in range(options.repeats)]
        cpu = min(_cpu_ms(Path(temporary)) for _ in range(options.repeats))
    # The first change also corrects the key frame: it is none of these.
    best = np.min([[one.decode_ms for one in r.changes[1:]] for r in passes], axis=0)
    report = passes[0]
    changes = report.changes[1:]
    row = [
        f"{len(scene):,}",
        f"{np.mean([one.share() or 0.0 for one in changes]):.1%}",
        f"{np.mean([one.bytes for one in changes]) / 1e3:.1f}",
        f"{1e3 / best.mean():.1f}",
        f"{1e3 / best.max():.1f}",
        f"{cpu:.1f}",
        f"{min(one.frames[0].decode_ms for one in passes):.0f}",
        f"{np.mean([one.seconds for one in reports]):.1f}",
    ]
    columns = ["Gaussians", "changed", "kB/frame", "frames/s", "slowest frame, /s"]
    columns += ["CPU ms/frame", "key frame, ms", "encode, s/frame"]
    title = f"{options.scene}, tiled; {os.cpu_count()} cores; least of {2 * options.repeats} passes"
    print_table(title, columns, [row])
    return {"decode": report.to_dict(), "frames_per_second": 1e3 / float(best.mean())}


def _cpu_ms(folder: Path) -> float:
    """Milliseconds of all cores that each frame after the second takes; reading included."""
    with Clip.open(folder) as clip:
        frames = itertools.islice(clip.frames(), 1, None)
        next(frames)
        started = time.process_time()
        count = sum(1 for _ in frames)
        return 1e3 * (time.process_time() - started) / count


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py stream",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parts = parser.add_subparsers(required=True, metavar="sequence|motion|decode")
    sequence = parts.add_parser("sequence", help="a real sequence")
    sequence.add_argument("--frames", type=Path, nargs="+", required=True)
    sequence.add_argument("--cameras", type=Path, required=True)
    sequence.add_argument("--images", type=Path, help="photos of every frame")
    sequence.add_argument("--psnr", type=float, default=40.0)
    sequence.add_argument("--quality", type=float, default=60.0)
    sequence.add_argument("--trajectories", choices=get_args(Trajectories), default="auto")
    sequence.set_defaults(run=_sequence)
    motion = parts.add_parser("motion", help="a synthetic motion, against splats4d")
    motion.add_argument("scene", type=Path)
    motion.add_argument("--cameras", type=Path, required=True)
    motion.add_argument("--count", type=int, default=30, help="frames")
    motion.add_argument("--views", type=int, default=3, help="test views to measure at")
    motion.add_argument("--qualities", type=float, nargs="+", default=[30, 45, 60, 75, 90])
    motion.set_defaults(run=_motion)
    decode = parts.add_parser("decode", help="frames per second")
    decode.add_argument("scene", type=Path)
    decode.add_argument("--gaussians", type=int, default=100_000)
    decode.add_argument("--share", type=float, default=0.15, help="of Gaussians that move")
    decode.add_argument("--count", type=int, default=6, help="frames")
    decode.add_argument("--repeats", type=int, default=3)
    decode.set_defaults(run=_decode)
    for part, preset in ((sequence, "balanced"), (motion, "balanced"), (decode, "fast")):
        part.add_argument("--preset", default=preset, help=f"of key frames; default: {preset}")
        part.add_argument("--work", type=Path, help="where clips go; default: temporary")
        part.add_argument("--json", type=Path)
    return parser.parse_args(arguments)
