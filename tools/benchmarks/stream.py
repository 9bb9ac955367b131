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
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.motion import faded, near, rotated
from benchmarks.output import print_table, say, write_json
from benchmarks.splats4d import compare_motion
from benchmarks.throughput import tiled
from gscompress.cameras import load_cameras, split
from gscompress.io import load
from gscompress.report import ClipReport, evaluate_clip
from gscompress.stream.encode import encode_clip
from gscompress.stream.settings import FrameReport, Settings

DEGREES = 2.0
"""That the moving part of ``decode`` turns from frame to frame."""


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    document = options.run(options)
    write_json(options.json, document)
    return 0


def _sequence(options: argparse.Namespace) -> dict[str, Any]:
    frames = [load(path) for path in options.frames]
    settings = {
        f"{options.psnr:g} dB": Settings(preset=options.preset, target_psnr=options.psnr),
        f"quality {options.quality:g}": Settings(preset=options.preset, quality=options.quality),
    }
    rows, found = [], {}
    train, test = split(load_cameras(options.cameras), options.cameras)
    with tempfile.TemporaryDirectory(dir=options.work) as temporary:
        for name, chosen in settings.items():
            folder = Path(temporary) / name.replace(" ", "-")
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
    fading = near(scene, np.quantile(scene.means, 0.8, axis=0), options.share / 5)
    frames = [scene]
    for number in range(1, options.count):
        moved = rotated(scene, part, number * DEGREES)
        frames.append(faded(moved, fading, number / options.count))
    with tempfile.TemporaryDirectory(dir=options.work) as temporary:
        say(f"encode {len(frames)} frames of {len(scene):,} Gaussians")
        settings = Settings(preset=options.preset, constant=False)
        _, reports = encode_clip(frames, temporary, settings)
        say("decode")
        best = _fastest(Path(temporary), options.repeats)
    changes = [one for one in best.frames if one.kind != "key"]
    ms = np.array([one.decode_ms for one in changes])
    row = [
        f"{len(scene):,}",
        f"{_mean_share(changes):.1%}",
        f"{np.mean([one.bytes for one in changes]) / 1e3:.1f}",
        f"{1e3 / ms.mean():.1f}",
        f"{1e3 / ms.max():.1f}",
        f"{best.frames[0].decode_ms:.0f}",
        f"{_encode_seconds(reports):.1f}",
    ]
    columns = ["Gaussians", "changed", "kB/frame", "frames/s", "slowest frame, /s"]
    columns += ["key frame, ms", "encode, s/frame"]
    title = f"{options.scene}, tiled; {os.cpu_count()} cores; least of {2 * options.repeats} passes"
    print_table(title, columns, [row])
    return {"decode": best.to_dict(), "frames_per_second": 1e3 / float(ms.mean())}


def _fastest(folder: Path, repeats: int) -> ClipReport:
    """The report of the pass in which the changes took the least time."""
    found = [evaluate_clip(folder) for _ in range(repeats)]
    return min(found, key=lambda one: sum(frame.decode_ms for frame in one.changes))


def _mean_share(changes: Sequence[Any]) -> float:
    return float(np.mean([one.share() or 0.0 for one in changes]))


def _encode_seconds(reports: Sequence[FrameReport]) -> float:
    return float(np.mean([one.seconds for one in reports]))


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
