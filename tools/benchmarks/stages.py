"""What each stage of a preset is worth: size, loss, Gaussians and frames per second after each.

The scene is coded as the preset codes it, first without stages, then after the first, after the
first two, and so on; each time decoded and measured at held-out cameras, against the input's
renders and, with --images, against photos. What a stage has learned is kept, not learned again;
with --resume DIR also from one run to the next (seconds are then of what was left to do).
--codec NAME codes all rows as another preset does.

    tools/bench.py stages scenes/demo.ply --preset small --cameras scenes/cameras.json
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.output import print_table, say, write_json
from gscompress.cameras import Camera, find_cameras, load_cameras, split
from gscompress.config import Config, load_config
from gscompress.gaussians import Gaussians
from gscompress.io import load
from gscompress.photos import Photos, find_images
from gscompress.pipeline import compress
from gscompress.render import get_renderer
from gscompress.report import evaluate
from gscompress.stages import STAGES

COLUMNS = (
    "stages",
    "Gaussians",
    "bytes",
    "ratio",
    "PSNR (worst)",
    "photos (drop)",
    "FPS after / before",
    "stages, s",
    "all, s",
)


@dataclass(frozen=True)
class Row:
    """The scene after some stages, coded and decoded.

    Attributes:
        stages: Ids of the stages.
        gaussians: How many are left.
        bytes: Of the file.
        ratio: Input bytes to those.
        psnr: Mean over the views against the input's renders, in dB.
        worst: Of the worst view.
        photos: PSNR against photos; None without.
        drop: What the input has more there.
        fps: Frames per second of the decoded scene.
        reference_fps: Of the input, measured in turns with it.
        seconds: Of the stages; of those that were kept from the row before, next to nothing.
        whole: Of all of compress.
    """

    stages: tuple[str, ...]
    gaussians: int
    bytes: int
    ratio: float
    psnr: float
    worst: float
    photos: float | None
    drop: float | None
    fps: float
    reference_fps: float
    seconds: float
    whole: float

    def cells(self) -> list[str]:
        """The row as text, in the order of ``COLUMNS``."""
        photos = "-" if self.photos is None else f"{self.photos:.2f} ({self.drop:.3f})"
        return [
            ", ".join(self.stages) or "none",
            f"{self.gaussians:,}",
            f"{self.bytes:,}",
            f"{self.ratio:.1f}x",
            f"{self.psnr:.2f} ({self.worst:.2f})",
            photos,
            f"{self.fps:.1f} / {self.reference_fps:.1f}",
            f"{self.seconds:.0f}",
            f"{self.whole:.0f}",
        ]


@dataclass(frozen=True, eq=False)
class Bench:
    """The scene and what it is measured with."""

    path: Path
    scene: Gaussians
    train: list[Camera]
    test: list[Camera]
    images: Path | None
    device: str
    folder: Path

    def row(self, config: Config) -> Row:
        """Compress under ``config`` and measure what comes back."""
        started = time.perf_counter()
        photos = None if self.images is None else Photos(find_images(self.train, self.images))
        result = compress(
            self.scene,
            config,
            cameras=self.train,
            images=photos,
            device=self.device,
            checkpoints=self.folder,
        )
        whole = time.perf_counter() - started
        report = evaluate(
            self.scene,
            result.decoded(),
            self.test,
            images=self.images,
            split="all",
            renderer=get_renderer(self.device),
            measure_fps=True,
            pictures=False,
        )
        size = len(result.to_bytes())
        return Row(
            tuple(STAGES.id_of(stage) for stage in config.stages),
            result.summary["gaussians_out"],
            size,
            self.path.stat().st_size / size,
            report.render_scores.psnr,
            min(view.render.psnr for view in report.views),
            None if self.images is None else report.psnr,
            report.psnr_drop,
            report.fps if report.fps is not None else math.nan,
            report.reference_fps if report.reference_fps is not None else math.nan,
            sum(stage["seconds"] for stage in result.summary["stages"]),
            whole,
        )


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    source = options.cameras or find_cameras(options.scene)
    if source is None:
        raise SystemExit(f"no cameras beside {options.scene}; name them with --cameras")
    train, test = split(load_cameras(source), source)
    config = load_config(options.preset, options.overrides)
    if options.codec:
        config = replace(load_config(options.codec), stages=config.stages)
    rows = []
    with TemporaryDirectory() as temporary:
        bench = Bench(
            options.scene,
            load(options.scene),
            train,
            test[:: options.every],
            options.images,
            options.device,
            options.resume or Path(temporary),
        )
        first = len(config.stages) if options.last else 0
        for count in range(first, len(config.stages) + 1):
            rows.append(bench.row(replace(config, stages=config.stages[:count])))
            say("  ".join(rows[-1].cells()))
    title = f"{options.scene.name}, preset {options.preset}, {len(bench.test)} held-out views"
    print_table(title, COLUMNS, [row.cells() for row in rows])
    write_json(options.json, {"rows": [asdict(row) for row in rows]})
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.py stages", description=__doc__.partition("\n")[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("--preset", default="balanced", metavar="NAME")
    parser.add_argument("--codec", metavar="NAME", help="code all rows as this preset does")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="PATH=VALUE"
    )
    parser.add_argument("--cameras", type=Path, help="by default those beside the scene")
    parser.add_argument(
        "--images", type=Path, help="photos: for stages that use them, and to judge"
    )
    parser.add_argument("--every", type=int, default=1, help="only every n-th held-out view")
    parser.add_argument("--last", action="store_true", help="only after all stages")
    parser.add_argument(
        "--resume", type=Path, metavar="DIR", help="keep fine-tuning's state in DIR"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)
