"""What each part of QUEEN training is worth: photos, bytes and seconds of each next frame.

Frames are learned one after the other from the photos of the training cameras, each from the
decoded one before, all rows with the same steps, rates, views and seed. PSNR is against the photos
at their full size, of the test cameras and of the training cameras, mean over frames 1 and later.
"Near 0.2" leaves out what is up to 0.2 world units before the image plane, as the rasterizer of
3DGS and QUEEN does: ours sees from 0.01 on, and a single Gaussian that happens to come before a
lens costs that view decibels. KB (1000 bytes) are segments as written; "entropy" is what QUEEN
reports: the empirical entropy of each dimension. Uncompressed frames are float32.

    tools/bench queen --init frames/frame_0000.ply --cameras cameras.json --images images --frames 4
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import print_table, say, write_json
from gscompress.cameras import find_cameras, load_cameras, split
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.io import load
from gscompress.pseudo_views import camera_extent
from gscompress.render import get_renderer
from gscompress.render.base import Renderer
from gscompress.stages.parameters import one_torch_thread
from gscompress.stream.latent import LatentFrame, apply
from gscompress.stream.latent_segment import LatentTrack, write_segment
from gscompress.stream.layout import morton_order
from gscompress.stream.training.footage import Footage, find_footage, with_masks
from gscompress.stream.training.frame import learn
from gscompress.stream.training.model import LatentModel
from gscompress.stream.training.motion import find_motion
from gscompress.stream.training.pictures import footage_targets, foreground, photo_psnr
from gscompress.stream.training.settings import BirthSettings, LatentSettings, QueenSettings

VISIBLE = -3.0
NEAR = 0.2
PUBLISHED = {"sh0": 8, "shN": 4, "quats": 6, "log_scales": 8, "opacity_logits": 3}


class PlainModel(LatentModel):
    """Residuals of every number by itself, in units of the steps, not rounded while learned."""

    def rounded(self, latents: Any) -> Any:
        return latents

    def first_decoder(self, latents: LatentSettings, width: int, rng: Any) -> Any:
        return latents.step * np.eye(width, dtype=np.float32)

    def scene(self, previous: Gaussians) -> Gaussians:
        """As learned, not rounded at all."""
        values = self.values()
        return previous.replace(
            **{name: values[name].detach().cpu().numpy() for name in ATTRIBUTES}
        )


@dataclass(frozen=True)
class Variant:
    """A row: how frames are learned, and whether they are compressed."""

    name: str
    settings: QueenSettings
    model: type[LatentModel] = LatentModel
    compressed: bool = True
    masked: bool = False


@dataclass(frozen=True)
class Row:
    """What came of it; PSNR in dB, means over the frames that were learned."""

    name: str
    test_psnr: float
    test_psnr_near: float
    train_psnr: float
    kilobytes: float
    entropy_kilobytes: float
    moved: float
    gaussians: float
    seconds: float


def variants(settings: QueenSettings, degree: int) -> list[Variant]:
    """The rows, of a scene of some degree of harmonics."""
    widths = {"sh0": 3, "shN": 3 * (degree + 1) ** 2 - 3, "quats": 4, "log_scales": 3}
    plain = {
        group: LatentSettings(widths.get(group, 1) or 1, latents.step)
        for group, latents in settings.latents.items()
    }
    published = {
        group: LatentSettings(PUBLISHED[group], latents.step)
        for group, latents in settings.latents.items()
    }
    unpriced = settings.replace(sparsity=0.0)
    everywhere = dataclasses.replace(settings.motion, still=0.0)
    return [
        Variant(
            "uncompressed per-frame optimisation",
            unpriced.replace(latents=plain, decoder_rate=0.0, gate=None, motion=everywhere),
            PlainModel,
            compressed=False,
        ),
        Variant("QUEEN", settings),
        Variant("without gates", settings.replace(gate=None, motion=everywhere)),
        Variant(
            "without latents: plain residuals, rounded",
            unpriced.replace(latents=plain, decoder_rate=0.0),
            PlainModel,
        ),
        Variant("without price of latents", unpriced),
        Variant("dimensions as published", settings.replace(latents=published)),
        Variant("as published: those, and no price", unpriced.replace(latents=published)),
        Variant("with births", settings.replace(births=BirthSettings())),
        Variant("with masks", settings, masked=True),
        Variant("with masks and births", settings.replace(births=BirthSettings()), masked=True),
    ]


@dataclass(frozen=True, eq=False)
class Bench:
    """What all rows share."""

    scene: Gaussians
    train: Footage
    test: Footage
    renderer: Renderer
    frames: int

    def row(self, variant: Variant) -> Row:
        """Learn all frames one way."""
        scene, track = self.scene, LatentTrack(self.scene, VISIBLE)
        found = []
        for number in range(1, self.frames):
            started = time.perf_counter()
            model = self._learn(variant, scene, number)
            sizes: tuple[float, float, float]
            if variant.compressed:
                frame = model.frame()
                data = write_segment(track, frame, number, VISIBLE)
                scene = apply(scene, frame)
                sizes = len(data), entropy_bytes(frame), len(frame.moved)
            else:
                scene = model.scene(scene)  # type: ignore[attr-defined]
                size = sum(getattr(scene, name).nbytes for name in ATTRIBUTES)
                sizes = size, size, len(scene)
            seconds = time.perf_counter() - started
            views = (self.test, 0.0), (self.test, NEAR), (self.train, NEAR)
            psnrs = [photo_psnr(scene, f, number, self.renderer, near) for f, near in views]
            kilobytes = sizes[0] / 1000, sizes[1] / 1000
            found.append((*psnrs, *kilobytes, sizes[2], len(scene), seconds))
            say(f"{variant.name}, frame {number}: " + "  ".join(f"{x:.2f}" for x in found[-1]))
        return Row(variant.name, *map(float, np.mean(found, axis=0)))

    def _learn(self, variant: Variant, scene: Gaussians, number: int) -> LatentModel:
        settings, renderer = variant.settings, self.renderer
        before, now = (
            footage_targets(self.train, t, scene, renderer, settings.scale)
            for t in (number - 1, number)
        )
        with one_torch_thread(renderer):
            given = foreground(self.train, number, now.cameras) if variant.masked else None
            motion = find_motion(scene, before, now, renderer, settings.motion, foreground=given)
            extent, threads = camera_extent(now.cameras), getattr(renderer, "threads", 1)
            model = variant.model(scene, motion, settings, extent, threads)
            learn(model, scene, now, motion, renderer, settings)
        return model


def entropy_bytes(frame: LatentFrame) -> float:
    """Empirical entropy of every dimension and of who moves, and the decoders."""
    count = max([len(part) for part in frame.latents.values()], default=0)
    flags = np.zeros(max(count, int(frame.moved.max(initial=-1)) + 1), np.int32)
    flags[frame.moved] = 1
    columns = [column for part in frame.latents.values() for column in part.T]
    bits = sum(len(column) * _entropy(column) for column in [*columns, flags, *frame.moves.T])
    return bits / 8 + sum(decoder.nbytes for decoder in frame.decoders.values())


def _entropy(values: np.ndarray) -> float:
    if not len(values):
        return 0.0
    share = np.unique(values, return_counts=True)[1] / len(values)
    return float(-(share * np.log2(share)).sum())


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    source = options.cameras or find_cameras(options.init)
    if source is None:
        raise SystemExit(f"no cameras beside {options.init}; name them with --cameras")
    train, test = split(load_cameras(source), source)
    scene = load(options.init)
    scene = scene.select(morton_order(scene.means))
    scene = scene.replace(quats=scene.unit_quats)
    renderer = get_renderer(options.device)
    footage = find_footage(train, options.images)
    bench = Bench(
        scene,
        footage if options.masks is None else with_masks(footage, options.masks),
        find_footage(test, options.images),
        renderer,
        options.frames,
    )
    settings = QueenSettings(steps=options.steps, scale=1 / options.downscale, seed=options.seed)
    for name in ("sparsity", "damping", "move_step"):
        if getattr(options, name) is not None:
            settings = settings.replace(**{name: getattr(options, name)})
    rows = [bench.row(variant) for variant in _chosen(options, settings, scene.sh_degree)]
    camera = train[0].resized(
        round(train[0].width * settings.scale), round(train[0].height * settings.scale)
    )
    title = (
        f"{options.init}: {len(scene):,} Gaussians, frames 1 to {options.frames - 1}, "
        f"{len(train)} training cameras at {camera.width}x{camera.height}, {options.steps} steps "
        f"per frame, {len(test)} test cameras; {renderer.device}"
    )
    columns = [
        "",
        "test PSNR",
        "test, near 0.2",
        "train, near 0.2",
        "KB/frame",
        "entropy KB",
        "moved",
        "Gaussians",
        "s/frame",
    ]
    print_table(title, columns, map(_cells, rows))
    document = {"title": title, "settings": dataclasses.asdict(settings)}
    write_json(options.json, document | {"rows": [dataclasses.asdict(row) for row in rows]})
    return 0


def _chosen(options: argparse.Namespace, settings: QueenSettings, degree: int) -> Sequence[Variant]:
    every = variants(settings, degree)
    if options.masks is None:
        every = [variant for variant in every if not variant.masked]
    if not options.only:
        return every
    return [every[int(number) - 1] for number in options.only.split(",")]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py queen", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--init", type=Path, required=True, help="frame 0")
    parser.add_argument("--cameras", type=Path, help="default: what lies beside it")
    parser.add_argument("--images", type=Path, required=True, help="DIR/<camera>/<frame>.jpg")
    parser.add_argument("--masks", type=Path, help="DIR/<camera>/<frame>.png, for rows with masks")
    parser.add_argument("--frames", type=int, default=4, help="frame 0 included; default 4")
    parser.add_argument("--steps", type=int, default=270, help="per frame; default 270")
    parser.add_argument("--downscale", type=float, default=2.0, help="of the sides; default 2")
    parser.add_argument("--sparsity", type=float, help="price of latents")
    parser.add_argument("--damping", type=float, help="of Adam")
    parser.add_argument("--move-step", type=float, help="share of the cameras' extent")
    parser.add_argument("--only", default="", help="rows by number from 1, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.frames < 2 or options.steps < 0 or options.downscale < 1:
        parser.error("--frames must be at least 2, --steps 0, --downscale 1")
    return options


def _cells(row: Row) -> list[str]:
    return [
        row.name,
        f"{row.test_psnr:.2f}",
        f"{row.test_psnr_near:.2f}",
        f"{row.train_psnr:.2f}",
        f"{row.kilobytes:,.1f}",
        f"{row.entropy_kilobytes:,.1f}",
        f"{row.moved:,.0f}",
        f"{row.gaussians:,.0f}",
        f"{row.seconds:.1f}",
    ]
