"""Importance scores compared: PSNR after removing the least important Gaussians, no recovery.

Scores are measured at the train cameras, PSNR at the test cameras: against renders of the input
and, with --images, against photos. Every score removes the same numbers in one go, or in --rounds
with scores measured anew. --size scales all cameras, so that large scenes stay affordable.

    tools/bench.py scores --scene scenes/demo.ply --size 0.5 --rounds 4
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.output import print_table, write_json
from benchmarks.views import load_photos, scaled
from gscompress.cameras import Camera, find_cameras, load_cameras, split
from gscompress.gaussians import Array, Gaussians
from gscompress.importance import SCORES, pick_views, score
from gscompress.io import load
from gscompress.metrics import psnr
from gscompress.render import get_renderer
from gscompress.render.base import Renderer

REMOVED = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Row:
    """One score; PSNR in dB by share removed, against renders and against photos."""

    score: str
    seconds_per_view: float
    renders: list[float]
    photos: list[float] | None


@dataclass(frozen=True, eq=False)
class Bench:
    """The scene and what it is measured with."""

    scene: Gaussians
    train: Sequence[Camera]
    test: Sequence[Camera]
    truth: list[Array]
    photos: list[Array] | None
    renderer: Renderer
    rounds: int

    def row(self, name: str) -> Row:
        """One score at all shares."""
        started = time.perf_counter()
        values = score(self.scene, self.train, self.renderer, name)
        seconds = (time.perf_counter() - started) / len(self.train)
        found = [self.psnr(self._without(name, share, values)) for share in REMOVED]
        photos = None if self.photos is None else [pair[1] for pair in found]
        return Row(name, seconds, [pair[0] for pair in found], photos)

    def psnr(self, scene: Gaussians) -> tuple[float, float]:
        """Mean over the test views, against renders and against photos (nan without)."""
        found = []
        for i, camera in enumerate(self.test):
            image = self.renderer.render(scene, camera).image
            photo = np.nan if self.photos is None else psnr(image, self.photos[i])
            found.append((psnr(image, self.truth[i]), photo))
        renders, photos = np.mean(found, axis=0)
        return float(renders), float(photos)

    def _without(self, name: str, share: float, values: np.ndarray) -> Gaussians:
        left = self.scene
        for number in range(1, self.rounds + 1):
            if number > 1:
                values = score(left, self.train, self.renderer, name)
            stay = round(len(self.scene) * (1 - share) ** (number / self.rounds))
            order = np.argsort(values, kind="stable")
            left = left.select(np.sort(order[len(left) - stay :]))
        return left


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    source = options.cameras or find_cameras(options.scene)
    if source is None:
        raise SystemExit(f"no cameras beside {options.scene}; name them with --cameras")
    train, test = (
        [scaled(camera, options.size) for camera in cameras[:: options.every]]
        for cameras in split(load_cameras(source), source)
    )
    train = list(pick_views(train, options.views)) if options.views else train
    scene, renderer = load(options.scene), get_renderer(options.device)
    truth = [renderer.render(scene, camera).image for camera in test]
    photos = load_photos(test, options.images) if options.images else None
    bench = Bench(scene, train, test, truth, photos, renderer, options.rounds)
    names = options.only.split(",") if options.only else SCORES.names()
    rows = []
    for name in names:
        rows.append(bench.row(name))
        print("  ".join(_cells(rows[-1])), flush=True)
    before = None if photos is None else bench.psnr(scene)[1]
    title = (
        f"{options.scene}: {len(scene)} Gaussians, {len(train)} train and {len(test)} test views "
        f"of {test[0].width}x{test[0].height}, {options.rounds} round(s), {renderer.device}; dB"
    )
    if before is not None:
        title += f" against renders / photos (all Gaussians: {before:.2f} on photos)"
    print_table(
        title, ["score", *(f"{s:.0%} removed" for s in REMOVED), "s/view"], map(_cells, rows)
    )
    write_json(
        options.json,
        {
            "scene": str(options.scene),
            "gaussians": len(scene),
            "removed": REMOVED,
            "train_views": len(train),
            "test_views": len(test),
            "size": [test[0].width, test[0].height],
            "rounds": options.rounds,
            "photo_psnr_before": before,
            "device": renderer.device,
            "rows": [asdict(row) for row in rows],
        },
    )
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py scores", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--scene", type=Path, required=True)
    parser.add_argument("--cameras", type=Path, help="default: what lies beside the scene")
    parser.add_argument("--images", type=Path, help="folder of photos")
    parser.add_argument("--size", type=float, default=1.0, help="scale of all images; default 1")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th view")
    parser.add_argument("--views", type=int, default=0, help="at most so many train views")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="", help="scores, separated by commas; default: all")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.size <= 0 or min(options.every, options.rounds) < 1 or options.views < 0:
        parser.error("--size, --every and --rounds must be positive")
    return options


def _cells(row: Row) -> list[str]:
    cells = [f"{value:.2f}" for value in row.renders]
    if row.photos is not None:
        cells = [f"{a} / {b:.2f}" for a, b in zip(cells, row.photos, strict=True)]
    return [row.score, *cells, f"{row.seconds_per_view:.3f}"]
