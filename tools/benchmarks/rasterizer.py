"""CPU time of the native rasterizer, as a ratio to the prototype's, in one run.

The prototype is a folder with a gsr_cpp module (and scene, which makes its synthetic scene); it is
built in a copy. The two take turns, so that what else the machine does hits them alike; the least
CPU time of all threads over the repeats counts. A ratio below 1 says that ours is faster; the one
in brackets is of the medians. "scores" is the prototype's work (weights, largest weight, hits) and
the sum of squared weights; "scores, all" has the removal effect too, which takes a second pass and
which the prototype lacks.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: its threads would starve ours

import numpy as np

from benchmarks.output import print_table, write_json

ROOT = Path(__file__).resolve().parents[2]

SIZES = ((640, 360), (1280, 720))
KEYS = ("means", "quats", "scales", "opac", "sh")
Task = Callable[[], Any]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="tools/bench.py rasterizer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shared = ROOT.parent / "shared"
    parser.add_argument("--prototype", type=Path, default=shared / "prototypes" / "rasterizer")
    parser.add_argument("--data", type=Path, default=shared / "data")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--simd", help="instruction set of ours; the best one if not given")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "rasterizer"
        shutil.copytree(options.prototype, copy)
        copy.chmod(0o755)
        sys.path.insert(0, str(copy))
        rows = list(measure(options))
        sys.path.remove(str(copy))
    print_table(
        f"Rasterizer, {options.threads} threads: CPU ms (ratio to the prototype; of medians)",
        ("scene", "size", *TASKS),
        [
            (
                row["scene"],
                f"{row['width']}x{row['height']}",
                *("{ours:.1f} ({ratio:.2f}; {median_ratio:.2f})".format(**row[t]) for t in TASKS),
            )
            for row in rows
        ],
    )
    write_json(options.json, {"rows": rows})


def measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    prototype = importlib.import_module("gsr_cpp")
    for name, parameters, camera_at in scenes(options.data):
        for width, height in SIZES:
            view = (*camera_at(width, height), width, height)
            row: dict[str, Any] = {"scene": name, "width": width, "height": height}
            for task, make in TASKS.items():
                ours, theirs = make(prototype, parameters, view, options)
                row[task] = compare(ours, theirs, options.repeats)
            yield row


def compare(ours: Task, theirs: Task, repeats: int) -> dict[str, float]:
    """CPU milliseconds of both, in turns; the first turn does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        for task, list_ in zip((ours, theirs), times, strict=True):
            started = time.process_time()
            task()
            if turn:
                list_.append((time.process_time() - started) * 1e3)
    least, middle = [min(t) for t in times], [statistics.median(t) for t in times]
    return {
        "ours": least[0],
        "prototype": least[1],
        "ratio": least[0] / least[1],
        "median_ratio": middle[0] / middle[1],
    }


def scenes(data: Path) -> Iterator[tuple[str, list[Any], Callable[[int, int], Any]]]:
    """Name, parameters as torch tensors, and the camera for an image size."""
    import torch

    scene = importlib.import_module("scene")
    made = scene.make_scene(100_000)
    yield (
        "synthetic",
        [made[key].contiguous() for key in KEYS],
        lambda w, h: scene.make_cam(w, h, 1),
    )
    if not (data / "bonsai").is_dir():
        print(f"(no bonsai in {data})", file=sys.stderr)
        return
    from gscompress.cameras import load_cameras
    from gscompress.io import load

    real = load(data / "bonsai" / "point_cloud.ply")
    camera = load_cameras(data / "bonsai" / "cameras.json")[16]

    def at(width: int, height: int) -> Any:
        focal = camera.fx * width / camera.width
        k = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        return torch.from_numpy(camera.viewmat).float().contiguous(), k

    arrays = (real.means, real.quats, real.scales, real.opacities, real.sh)
    yield "bonsai", [torch.from_numpy(a) for a in arrays], at


def native(parameters: list[Any], view: Any, options: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Our rasterizer, its inputs, and a function that makes new images."""
    from gscompress import _native

    viewmat, k, width, height = view
    focal = (k[0, 0].item(), k[1, 1].item(), k[0, 2].item(), k[1, 2].item())
    inputs = (*(p.numpy() for p in parameters), viewmat.double().numpy(), focal)

    def images() -> dict[str, Any]:
        return {
            "background": (0, 0, 0),
            "antialiased": False,
            "image": np.empty((height, width, 3), np.float32),
            "alpha": np.empty((height, width), np.float32),
        }

    return _native.Rasterizer(threads=options.threads, simd=options.simd), inputs, images


def forward(prototype: Any, parameters: list[Any], view: Any, options: Any) -> tuple[Task, Task]:
    ours, inputs, images = native(parameters, view, options)
    theirs = prototype.Ctx()
    return (
        lambda: ours.forward(*inputs, **images()),
        lambda: prototype.forward(theirs, *parameters, *view, 3, nt=options.threads),
    )


def backward(
    prototype: Any, parameters: list[Any], view: Any, options: Any, *, geometry: bool = True
) -> tuple[Task, Task]:
    import torch

    ours, inputs, images = native(parameters, view, options)
    arguments = images()
    ours.forward(*inputs, **arguments)
    theirs = prototype.Ctx()
    image, alpha, _ = prototype.forward(theirs, *parameters, *view, 3, nt=options.threads)
    by_image = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    by_alpha = torch.zeros_like(alpha)
    out = [torch.zeros_like(p) if geometry or p.ndim == 3 else None for p in parameters]
    names = ("by_means", "by_quats", "by_scales", "by_opacities", "by_sh")
    mine = {n: None if p is None else np.zeros_like(p) for n, p in zip(names, out, strict=True)}
    arrays = (*inputs[:5], arguments["image"], arguments["alpha"])
    return (
        lambda: ours.backward(*arrays, by_image.numpy(), by_alpha.numpy(), **mine, by_means2d=None),
        lambda: prototype.backward(
            theirs, *parameters, image, alpha, by_image, by_alpha, geometry, out
        ),
    )


def backward_sh(prototype: Any, parameters: list[Any], view: Any, options: Any) -> Any:
    return backward(prototype, parameters, view, options, geometry=False)


def scores(
    prototype: Any, parameters: list[Any], view: Any, options: Any, *, removal: bool = False
) -> tuple[Task, Task]:
    import torch

    ours, inputs, images = native(parameters, view, options)
    n = len(parameters[0])
    sums = {
        "weight_sum": np.zeros(n),
        "weight_sq_sum": np.zeros(n),
        "weight_max": np.zeros(n, np.float32),
        "hits": np.zeros(n, np.int64),
        "removal_effect": np.zeros(n) if removal else None,
    }
    theirs, out = prototype.Ctx(), [torch.zeros(n) for _ in range(3)]
    return (
        lambda: ours.scores(*inputs, **images(), **sums),
        lambda: prototype.forward(theirs, *parameters, *view, 3, nt=options.threads, scores=out),
    )


def scores_with_removal(prototype: Any, parameters: list[Any], view: Any, options: Any) -> Any:
    return scores(prototype, parameters, view, options, removal=True)


TASKS = {
    "forward": forward,
    "backward": backward,
    "backward, SH": backward_sh,
    "scores": scores,
    "scores, all": scores_with_removal,
}
