"""Encode and decode seconds and peak memory as a scene grows.

Scenes of the sizes asked for are made by tiling the given one in a grid, with small noise on every
attribute so that no tile repeats another. Each encode and each decode runs in a process of its own,
whose peak resident memory is read at its end (the scene in memory included); seconds are of the
call alone, without start-up and without reading the PLY. CPU seconds are those of all threads.
The last table tells how each figure grows from size to size: with the size to the power of that.

    tools/bench.py throughput scene.ply --sizes 100000 1000000 --presets fast balanced

Stages are left out. Settings after a preset's name, behind colons, change it:
``balanced:allocate=0:attributes.sh.views=0``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.output import print_table, write_json
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.io import load, save

NOISE = 1e-3
"""Deviation of the noise, relative to that of the attribute."""


@dataclass(frozen=True)
class Row:
    """One size at one preset. Seconds: the least of the repeats; memory: MB of 10^6 bytes."""

    preset: str
    gaussians: int
    input_bytes: int
    bytes: int
    encode_seconds: float
    encode_cpu_seconds: float
    decode_seconds: float
    decode_cpu_seconds: float
    load_peak_mb: float
    encode_peak_mb: float
    decode_peak_mb: float


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--child"]:
        return _child(*arguments[1:])
    options = _parse(arguments)
    rows = []
    with tempfile.TemporaryDirectory(dir=options.work) as temporary:
        scene = load(options.scene)
        for size in options.sizes:
            ply = Path(temporary) / f"{size}.ply"
            save(tiled(scene, size), ply)
            rows += [_measure(ply, size, preset, options.repeats) for preset in options.presets]
            ply.unlink()
    columns = ["preset", "Gaussians", "bytes", "encode, s (CPU)", "decode, s (CPU)"]
    columns += ["decode, M/s", "peak MB (of the PLY): load", "encode", "decode"]
    title = f"{options.scene}, tiled; {os.cpu_count()} cores; least of {options.repeats}"
    print_table(title, columns, map(_cells, rows))
    columns = ["preset", "Gaussians", "bytes", "encode, s", "decode, s", "encode, MB", "decode, MB"]
    print_table("Powers of the size", columns, _powers(rows))
    write_json(options.json, {"scene": str(options.scene), "rows": [asdict(row) for row in rows]})
    return 0


def tiled(scene: Gaussians, size: int, seed: int = 0) -> Gaussians:
    """``size`` Gaussians: copies of ``scene`` side by side, each a little different."""
    rng = np.random.default_rng(seed)
    if size < len(scene):
        return scene.select(np.sort(rng.choice(len(scene), size, replace=False)))
    copies = -(-size // len(scene))
    side = int(np.ceil(copies ** (1 / 3)))
    low, high = np.quantile(scene.means, [0.01, 0.99], axis=0)
    parts = []
    for k in range(copies):
        cell = np.array([k % side, k // side % side, k // side**2])
        changed = {}
        for name in ATTRIBUTES:
            value = getattr(scene, name)
            noise = rng.standard_normal(value.shape, dtype=np.float32)
            changed[name] = value + NOISE * value.std() * noise
        changed["means"] += cell * (high - low)
        parts.append(scene.replace(**changed))
    return Gaussians.concat(parts).select(np.arange(size))


def _measure(ply: Path, size: int, preset: str, repeats: int) -> Row:
    compressed = ply.with_suffix(".gsz")
    loaded = _run("load", ply, compressed, preset)
    encoded = [_run("encode", ply, compressed, preset) for _ in range(repeats)]
    decoded = [_run("decode", ply, compressed, preset) for _ in range(repeats)]
    return Row(
        preset=preset,
        gaussians=size,
        input_bytes=ply.stat().st_size,
        bytes=compressed.stat().st_size,
        encode_seconds=min(run["seconds"] for run in encoded),
        encode_cpu_seconds=min(run["cpu_seconds"] for run in encoded),
        decode_seconds=min(run["seconds"] for run in decoded),
        decode_cpu_seconds=min(run["cpu_seconds"] for run in decoded),
        load_peak_mb=loaded["peak_mb"],
        encode_peak_mb=min(run["peak_mb"] for run in encoded),
        decode_peak_mb=min(run["peak_mb"] for run in decoded),
    )


def _powers(rows: Sequence[Row]) -> Iterator[list[str]]:
    """How the figures of each preset grow from one size to the next: 1 is in proportion."""
    fields = ("bytes", "encode_seconds", "decode_seconds", "encode_peak_mb", "decode_peak_mb")
    for preset in dict.fromkeys(row.preset for row in rows):
        own = sorted((row for row in rows if row.preset == preset), key=lambda row: row.gaussians)
        for small, large in itertools.pairwise(own):
            size = math.log(large.gaussians / small.gaussians)
            ratios = (getattr(large, name) / getattr(small, name) for name in fields)
            powers = [f"{math.log(ratio) / size:.2f}" for ratio in ratios if size > 0]
            yield [preset, f"{small.gaussians:,} to {large.gaussians:,}", *powers]


def _run(verb: str, ply: Path, compressed: Path, preset: str) -> dict[str, float]:
    bench = Path(__file__).resolve().parents[1] / "bench.py"
    files = str(ply), str(compressed)
    command = [sys.executable, str(bench), "throughput", "--child", verb, *files, preset]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{verb} of {ply.name} with {preset} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _child(verb: str, ply: str, compressed: str, preset: str) -> int:
    """Do one thing and print its seconds and this process's peak memory."""
    from gscompress.config import load_config
    from gscompress.pipeline import compress, decompress

    scene = None if verb == "decode" else load(ply)
    started, started_cpu = time.perf_counter(), time.process_time()
    if verb == "decode":
        decompress(compressed)
    elif scene is not None and verb == "encode":
        name, *changes = preset.split(":")
        Path(compressed).write_bytes(
            compress(scene, load_config(name, changes, stages="none")).to_bytes()
        )
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mb": _peak_mb()}))
    return 0


def _peak_mb() -> float:
    """This process's peak resident memory in MB of 10^6 bytes.

    Linux counts the parent's memory in getrusage's figure, so its own is read from /proc.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py throughput",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("scene", type=Path, help="a PLY")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument(
        "--presets", nargs="+", default=["fast"], help="default: fast, which renders nothing"
    )
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--work", type=Path, help="where the tiled scenes go; default: temporary")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def _cells(row: Row) -> list[str]:
    return [
        row.preset,
        f"{row.gaussians:,}",
        f"{row.bytes:,}",
        f"{row.encode_seconds:.2f} ({row.encode_cpu_seconds:.2f})",
        f"{row.decode_seconds:.2f} ({row.decode_cpu_seconds:.2f})",
        f"{row.gaussians / row.decode_seconds / 1e6:.2f}",
        f"{row.load_peak_mb:.0f}",
        f"{row.encode_peak_mb:.0f} ({row.encode_peak_mb * 1e6 / row.input_bytes:.2f}x)",
        f"{row.decode_peak_mb:.0f} ({row.decode_peak_mb * 1e6 / row.input_bytes:.2f}x)",
    ]
