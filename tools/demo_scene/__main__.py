"""Make scenes/demo.ply and what belongs to it. Run as ``tools/make_demo_scene``."""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from gscompress import io
from gscompress.render.base import Renderer

from . import rig
from .pictures import render_pictures, save_picture, to_bytes
from .seeds import sparse_points
from .trainer import Config, View, mean_psnr, train

ROOT = Path(__file__).parents[2]
log = logging.getLogger("make_demo_scene")


@dataclass(frozen=True)
class Figures:
    """What a run came to."""

    views: tuple[int, int]  # train, test
    seconds: tuple[float, float]  # ray tracing (what was missing), optimisation
    psnr: tuple[float, float]  # train, test
    gaussians: int
    size: int


def main() -> None:
    """Make the scene with the package's renderer for CPUs."""
    from gscompress.render.cpu import CpuRenderer

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    make(parse(), CpuRenderer())


def make(options: argparse.Namespace, renderer: Renderer) -> None:
    """Ray-trace, optimise, write."""
    torch.set_num_threads(options.threads)
    config = Config(steps=options.steps, budget=options.budget, seed=options.seed)
    cameras = rig.camera_rig(options.size[0], options.size[1], options.seed)
    train_cameras, test_cameras = rig.split(cameras)

    started = time.monotonic()
    pictures = render_pictures(cameras, options.pictures, options.samples, options.jobs)
    traced = time.monotonic() - started
    views = {c.name: View(c, p) for c, p in zip(cameras, pictures, strict=True)}
    train_views = [views[c.name] for c in train_cameras]
    test_views = [views[c.name] for c in test_cameras]

    started = time.monotonic()
    points, colours = sparse_points(train_cameras, options.points, options.noise, options.seed)
    model, _ = train(train_views, points, colours, renderer, config)
    optimised = time.monotonic() - started
    psnr = [mean_psnr(model, v, renderer, config.sh_degree) for v in (train_views, test_views)]

    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    scene = model.gaussians()
    io.save(scene, out / "demo.ply", overwrite=True)
    rig.write_cameras(out / "cameras.json", cameras)
    rig.write_split(out / "split.json", train_cameras, test_cameras)
    save_picture(out / "demo.png", to_bytes(renderer.render(scene, rig.portrait_camera()).image))
    figures = Figures(
        views=(len(train_views), len(test_views)),
        seconds=(traced, optimised),
        psnr=(psnr[0], psnr[1]),
        gaussians=len(scene),
        size=(out / "demo.ply").stat().st_size,
    )
    (out / "SOURCE.md").write_text(source_text(options, config, figures))
    log.info("%s", figures)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="tools/make_demo_scene", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "scenes", help="folder to write to")
    parser.add_argument(
        "--pictures",
        type=Path,
        default=ROOT / "build" / "demo_pictures",
        help="folder of the ray-traced pictures; those that are there are used as they are",
    )
    parser.add_argument("--size", type=size, default=(480, 360), help="of the pictures, WxH")
    parser.add_argument("--samples", type=int, default=2, help="rays per pixel, along each axis")
    parser.add_argument("--steps", type=int, default=Config.steps, help="optimisation steps")
    parser.add_argument("--budget", type=int, default=Config.budget, help="most Gaussians")
    parser.add_argument("--points", type=int, default=10_000, help="points to start from")
    parser.add_argument("--noise", type=float, default=0.01, help="their error / their distance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes that trace rays")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    return parser.parse_args(arguments)


def size(text: str) -> tuple[int, int]:
    """Parse WxH."""
    width, height = text.split("x")
    return int(width), int(height)


def source_text(options: argparse.Namespace, config: Config, figures: Figures) -> str:
    """SOURCE.md: how the scene was made and what it measures."""
    width, height = options.size
    return f"""# The demo scene

A still life that exists only as formulas: solids given by distance functions, procedural textures,
glossy materials under a low sun. Nothing in it was fetched, scanned or photographed.
`demo.ply` is a real optimisation result, as a trainer leaves it: raw parameters,
nothing cleaned up.

| | |
|---|---|
| made by | `tools/make_demo_scene --steps {config.steps} --budget {config.budget} \
--points {options.points} --size {width}x{height} --seed {config.seed}` |
| pictures | {sum(figures.views)} ray-traced views of {width}x{height}, 8 bits; one ray per pixel, \
{options.samples**2} more where neighbours differ; {figures.views[0]} train, \
{figures.views[1]} held out (`split.json`) |
| start | {options.points} points seen by the train cameras, with an error of \
{100 * options.noise:g} % of their distance; opacity 0.5, round |
| optimisation | {config.steps} steps of one view, the first {config.coarse_share:.0%} at half \
resolution; 0.8 L1 + 0.2 (1 - SSIM); Adam; densification by relocation (arXiv:2404.09591); \
spherical harmonics raised to degree {config.sh_degree}; background black |
| time | {figures.seconds[1]:.0f} s of optimisation on a shared 2-core CPU with the package's own \
rasterizer, the ray tracing not counted |
| Gaussians | {figures.gaussians}, {figures.size} bytes |
| PSNR against the ray-traced pictures | {figures.psnr[0]:.2f} dB on the train views, \
**{figures.psnr[1]:.2f} dB on the held-out views** |
| licence | as the rest of this repository |

Another compiler or processor gives a scene that differs in its details: rounding grows over
thousands of steps. `demo.png` shows the scene (not the ray tracing) from a camera of its own.
"""


if __name__ == "__main__":
    main()
