"""A synthetic motion as a clip of ours and as a file of the splats4d package, at equal PSNR.

splats4d reads and writes .splat frames: constant colours of 8 bits, rotations of 8 bits. So both
are given the same .splat frames, and the truth is their renders. It promises bounds on errors and
is asked for several; of its settings only those count that no other of them beats.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison import compare, print_comparison
from benchmarks.motion import moving_scene
from benchmarks.output import print_table, say
from gscompress.cameras import Camera
from gscompress.gaussians import SH_C0, Array, Gaussians
from gscompress.io import load
from gscompress.metrics import psnr
from gscompress.render import get_renderer
from gscompress.stream.clip import Clip
from gscompress.stream.encode import encode_clip
from gscompress.stream.settings import Settings

__all__ = ["compare_motion"]

PROGRAM = "splat4d"

BOUNDS = (
    (24, 32, 12, 32), (16, 16, 8, 24), (8, 16, 6, 16), (8, 8, 4, 8), (4, 8, 4, 8), (4, 8, 2, 4),
    (4, 4, 2, 4), (2, 4, 2, 2), (2, 4, 1, 2), (2, 4, 0, 2), (1, 2, 1, 1), (1, 2, 0, 1),
    (0.5, 1, 0, 0.5), (0.25, 0, 0, 0.25),
)  # fmt: skip
"""mm, levels of colour and opacity, 1/128 of a quaternion's component, % of scale."""

_ROW = np.dtype([("means", "<f4", 3), ("scales", "<f4", 3), ("rgba", "u1", 4), ("quats", "u1", 4)])


@dataclass(frozen=True)
class Point:
    """One encoding. Bytes: of all files that a receiver needs."""

    tool: str
    setting: str
    bytes: int
    psnr: float
    psnr_worst: float
    encode_seconds: float


class Truth:
    """The renders of the frames, which all encodings are measured against."""

    def __init__(self, frames: Sequence[Gaussians], cameras: Sequence[Camera]) -> None:
        self._renderer, self._cameras = get_renderer("auto"), cameras
        self._images = [self._look(frame) for frame in frames]

    def psnrs(self, frames: Iterable[Gaussians]) -> list[float]:
        """Of each frame, the mean over the views."""
        found = []
        for images, frame in zip(self._images, frames, strict=True):
            pairs = zip(self._look(frame), images, strict=True)
            found.append(float(np.mean([psnr(image, truth) for image, truth in pairs])))
        return found

    def _look(self, frame: Gaussians) -> list[Array]:
        return [self._renderer.render(frame, camera).image for camera in self._cameras]


def compare_motion(
    scene: Gaussians,
    train: Sequence[Camera],
    test: Sequence[Camera],
    folder: Path,
    *,
    frames: int,
    qualities: Sequence[float],
    preset: str,
) -> dict[str, Any]:
    """Encode a motion with both at several settings, and print the tables."""
    sources = folder / "frames"
    sources.mkdir()
    for k, frame in enumerate(moving_scene(scene, frames)):
        _write_splat(frame, sources / f"frame_{k:04d}.splat")
    scenes = [load(path) for path in sorted(sources.iterdir())]
    truth = Truth(scenes, test)
    points = list(_ours(scenes, truth, train, folder, qualities, preset))
    if shutil.which(PROGRAM) is None:
        print(f"\nsplats4d left out: no program {PROGRAM}; pip install splats4d")
    else:
        points += _theirs(sources, truth, folder, frames)
    _print(points, len(scene), frames, len(test))
    values = {
        tool: [(8 * p.bytes / len(scene) / frames, p.psnr) for p in points if p.tool == tool]
        for tool in ("ours", PROGRAM)
    }
    found: dict[str, Any] = {"points": [asdict(point) for point in points]}
    if values[PROGRAM]:
        comparison = compare(values["ours"], {PROGRAM: values[PROGRAM]})
        print_comparison(comparison)
        found["comparison"] = asdict(comparison)
    return {"motion": found}


def _ours(
    scenes: Sequence[Gaussians],
    truth: Truth,
    train: Sequence[Camera],
    folder: Path,
    qualities: Sequence[float],
    preset: str,
) -> Iterator[Point]:
    for quality in qualities:
        say(f"ours at quality {quality:g}")
        target = folder / f"ours-{quality:g}"
        target.mkdir()
        started = time.perf_counter()
        encode_clip(scenes, target, Settings(preset=preset, quality=quality), cameras=train)
        seconds = time.perf_counter() - started
        with Clip.open(target) as clip:
            psnrs = truth.psnrs(clip.frames())
        size = sum(path.stat().st_size for path in target.iterdir())
        yield Point(
            "ours", f"quality {quality:g}", size, float(np.mean(psnrs)), min(psnrs), seconds
        )


def _theirs(sources: Path, truth: Truth, folder: Path, frames: int) -> Iterator[Point]:
    for position, colour, rotation, scale in BOUNDS:
        setting = f"{position:g} mm, {colour} levels, {rotation} steps, {scale:g} %"
        say(f"{PROGRAM} at {setting}")
        file = folder / "theirs.splat4d"
        started = time.perf_counter()
        _run("encode", "-i", sources, "-o", file, "--pos-mm", position, "--color-levels", colour,
             "--rot-steps", rotation, "--scale-pct", scale, "--gop", 30, "--zstd-level", 0,
             "--fps", 30, "--no-verify")  # fmt: skip
        seconds = time.perf_counter() - started
        psnrs = truth.psnrs(_decoded(file, frames, folder / "decoded.splat"))
        size = file.stat().st_size
        yield Point(PROGRAM, setting, size, float(np.mean(psnrs)), min(psnrs), seconds)


def _decoded(file: Path, frames: int, target: Path) -> Iterator[Gaussians]:
    for k in range(frames):
        _run("decode", file, "--frame", k, "-o", target)
        yield load(target)


def _run(*arguments: object) -> None:
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{PROGRAM} {arguments[0]} failed:\n{done.stderr}")


def _write_splat(scene: Gaussians, path: Path) -> None:
    """Write a frame with its Gaussians in their order, which our own writer sorts."""
    rows = np.empty(len(scene), _ROW)
    rows["means"], rows["scales"] = scene.means, scene.scales
    colours = scene.sh[:, 0] * SH_C0 + 0.5
    rows["rgba"] = _bytes(np.column_stack([colours, scene.opacities]) * 255)
    rows["quats"] = _bytes(scene.unit_quats * 128 + 128)
    path.write_bytes(rows.tobytes())


def _bytes(values: Array) -> Array:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _print(points: Sequence[Point], gaussians: int, frames: int, views: int) -> None:
    rows = [
        [
            point.tool,
            point.setting,
            f"{point.bytes:,}",
            f"{point.bytes / frames / 1e3:.2f}",
            f"{8 * point.bytes / gaussians / frames:.2f}",
            f"{point.psnr:.2f}",
            f"{point.psnr_worst:.2f}",
            f"{point.encode_seconds:.1f}",
        ]
        for point in points
    ]
    columns = ["tool", "setting", "bytes", "kB/frame", "bits/Gaussian/frame", "PSNR"]
    columns += ["worst frame", "encode, s"]
    title = f"{frames} frames of {gaussians:,} Gaussians, degree 0; PSNR at {views} test views"
    print_table(title, columns, rows)
