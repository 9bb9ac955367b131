"""The published protocol: a row for the papers' tables, with one command.

DIR holds scenes in the usual layout (DIR/bicycle/images_4, DIR/bicycle/sparse/0), one level deeper,
or is a scene itself. The trained Gaussians are DIR/bicycle/point_cloud/iteration_N/point_cloud.ply
(the last N), DIR/bicycle/point_cloud.ply, or such below --models. Scenes of Mip-NeRF 360, Tanks and
Temples, and Deep Blending are known by name (scenes/*.toml) and measured at the papers' resolution;
others as they are.

Every 8th photo by name is held out, unless a split.json says otherwise. Encoders see the other
cameras, and the other photos with --photos only. PSNR, SSIM and LPIPS are against the held-out
photos, the mean over the views; MB are 10^6 bytes; FPS are of this renderer on this device. The
mean of a dataset is over its scenes that are there.

    tools/bench.py paper --data 360_v2 --models models --presets balanced --cache paper.json
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import Place, View, find_places, load_datasets, views_of
from benchmarks.output import print_table, say, write_json
from benchmarks.store import Store, code_digest
from benchmarks.subject import digest_of
from gscompress.config import load_config
from gscompress.gaussians import Gaussians
from gscompress.io import load
from gscompress.photos import Photos, find_images
from gscompress.pipeline import compress, decompress
from gscompress.render import get_renderer
from gscompress.report import Report, evaluate

DESCRIPTIONS = Path(__file__).resolve().parents[2] / "scenes"
MEAN = "mean"
INPUT = "input"


@dataclass(frozen=True)
class Row:
    """A scene as it came, or through a preset; or the mean of a dataset.

    Attributes:
        dataset: Name of the dataset.
        scene: Name of the scene, or "mean".
        what: "input", or the preset.
        views: Number of held-out views.
        size: Their width and height in pixels.
        psnr: In dB against the photos.
        drop: What the preset lost of it, in dB.
        ssim: Against the photos.
        lpips: Against the photos; None: not measured.
        render_psnr: In dB against the input's renders.
        mb: Megabytes of the file (10^6 bytes).
        gaussians: Their number.
        fps: Frames per second; None: not measured.
        seconds: Of encoding.
        decode_seconds: Of decoding.
        note: What a reader must know.
    """

    dataset: str
    scene: str
    what: str
    views: int = 0
    size: str = ""
    psnr: float | None = None
    drop: float | None = None
    ssim: float | None = None
    lpips: float | None = None
    render_psnr: float | None = None
    mb: float | None = None
    gaussians: float | None = None
    fps: float | None = None
    seconds: float | None = None
    decode_seconds: float | None = None
    note: str = ""


NUMBERS = (
    "psnr", "drop", "ssim", "lpips", "render_psnr", "mb", "gaussians", "fps",
    "seconds", "decode_seconds",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    store = Store(options.cache)
    rows, skipped = [], []
    for place in find_places(options.data, load_datasets(DESCRIPTIONS), options.models):
        if options.scenes and place.scene not in options.scenes.split(","):
            continue
        if place.missing:
            skipped.append(f"{place.dataset.name}, {place.scene}: {place.missing}")
            say(f"skipped {skipped[-1]}")
            continue
        rows += _scene(place, options, store)
    if not rows:
        raise SystemExit(f"{options.data}: no scene with photos, cameras and a trained PLY")
    table = [row for part in _by_dataset(rows) for row in (*part, *means(part))]
    device = get_renderer(options.device).device
    columns = ["dataset", "scene", "what", "PSNR, dB (drop)", "SSIM", f"LPIPS ({options.lpips})"]
    columns += ["MB (ratio)", "Gaussians", "FPS", "encode / decode, s", "note"]
    print_table(f"{options.data} on {device}", columns, [_cells(row, table) for row in table])
    for text in skipped:
        print(f"\nskipped: {text}")
    write_json(
        options.json,
        {
            "data": str(options.data),
            "device": device,
            "lpips": options.lpips,
            "photos_given_to_encoders": options.photos,
            "rows": [asdict(row) for row in table],
            "skipped": skipped,
        },
    )
    return 0


def means(rows: Sequence[Row]) -> list[Row]:
    """The mean over the scenes of a dataset, of each thing that was measured."""
    found = []
    for what in dict.fromkeys(row.what for row in rows):
        own = [row for row in rows if row.what == what]
        values: dict[str, Any] = {}
        for name in NUMBERS:
            numbers = [getattr(row, name) for row in own]
            values[name] = None if None in numbers else float(np.mean(numbers))
        note = f"{len(own)} scene{'' if len(own) == 1 else 's'}"
        if any("off protocol" in row.note for row in own):
            note += ", some off protocol"
        views = sum(row.views for row in own)
        found.append(Row(own[0].dataset, MEAN, what, views, note=note, **values))
    return found


def _scene(place: Place, options: argparse.Namespace, store: Store) -> list[Row]:
    """The input and every preset at one scene."""
    assert place.ply is not None
    with tempfile.TemporaryDirectory(dir=options.work) as temporary:
        train, test = views_of(place, Path(temporary))
        if options.max_views is not None:
            step = -(-len(test) // options.max_views)
            test = test[::step]
        rows = []
        for preset in options.presets.split(","):
            key = {
                "question": "paper",
                "ply": [str(place.ply.absolute()), place.ply.stat().st_size],
                "views": _digest(train, test),
                "options": [options.lpips, options.photos, options.fps, options.device],
                "preset": load_config(preset).to_dict(),
                "code": code_digest(),
            }
            say(f"{place.dataset.name}, {place.scene}, {preset}: {len(test)} views")
            job = _Job(place, train, test, preset, Path(temporary))
            rows.append([Row(**row) for row in store.get(key, partial(job.run, options))])
            say("  ".join(_cells(rows[-1][1], rows[-1])))
    return [rows[0][0], *(pair[1] for pair in rows)]


@dataclass(frozen=True)
class _Job:
    """A preset at a scene."""

    place: Place
    train: list[View]
    test: list[View]
    preset: str
    work: Path

    def run(self, options: argparse.Namespace) -> list[dict[str, Any]]:
        """Compress, decode and measure; the rows of the input and of the preset."""
        assert self.place.ply is not None
        scene = load(self.place.ply)
        path = self.work / "scene.gsz"
        started = time.perf_counter()
        result = compress(
            scene,
            self.preset,
            cameras=[view.camera for view in self.train],
            images=_photos(self.train) if options.photos else None,
            device=options.device,
        )
        result.save(path, overwrite=True)
        encoded = time.perf_counter()
        decoded = decompress(path)
        seconds = encoded - started, time.perf_counter() - encoded
        report = self._evaluate(scene, decoded, options)
        return [asdict(row) for row in self._rows(report, path.stat().st_size, seconds)]

    def _evaluate(
        self, scene: Gaussians, decoded: Gaussians, options: argparse.Namespace
    ) -> Report:
        """Against the photos of the test views, which lie in one folder."""
        folder = self.work / "test"
        folder.mkdir(exist_ok=True)
        cameras = []
        for k, view in enumerate(self.test):
            link = folder / f"{k:05d}{view.photo.suffix}"
            if not link.exists():
                link.symlink_to(view.photo.absolute())
            cameras.append(replace(view.camera, name=link.name))
        return evaluate(
            scene,
            decoded,
            cameras,
            images=folder,
            renderer=get_renderer(options.device),
            lpips=None if options.lpips == "none" else options.lpips,
            measure_fps=options.fps,
            pictures=False,
            progress=lambda done, total: say(f"view {done} of {total}") if done % 10 == 0 else None,
        )

    def _rows(self, report: Report, size: int, seconds: tuple[float, float]) -> tuple[Row, Row]:
        assert self.place.ply is not None
        before, after = report.reference_scores, report.scores
        assert before is not None
        sizes = sorted({f"{view.camera.width}x{view.camera.height}" for view in self.test})
        note = "; ".join(filter(None, [self.place.note, _lpips_note(report)]))
        common: dict[str, Any] = {
            "dataset": self.place.dataset.name,
            "scene": self.place.scene,
            "views": len(self.test),
            "size": sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes",
            "note": note,
        }
        return (
            Row(
                **common,
                what=INPUT,
                psnr=before.psnr,
                drop=0.0,
                ssim=before.ssim,
                lpips=before.lpips,
                mb=self.place.ply.stat().st_size / 1e6,
                gaussians=report.reference.gaussians,
                fps=report.reference_fps,
            ),
            Row(
                **common,
                what=self.preset,
                psnr=after.psnr,
                drop=report.psnr_drop,
                ssim=after.ssim,
                lpips=after.lpips,
                render_psnr=report.render_scores.psnr,
                mb=size / 1e6,
                gaussians=report.gaussians,
                fps=report.fps,
                seconds=seconds[0],
                decode_seconds=seconds[1],
            ),
        )


def _lpips_note(report: Report) -> str:
    text = report.protocol.lpips
    return text if report.lpips is None and "not asked" not in text else ""


def _photos(views: Sequence[View]) -> Photos:
    """The photos of views, each read when it is looked at."""
    folders = {view.photo.parent for view in views}
    assert len(folders) == 1, "photos of one scene lie in one folder"
    named = [replace(view.camera, name=view.photo.name) for view in views]
    return Photos(find_images(named, folders.pop()))


def _digest(train: Sequence[View], test: Sequence[View]) -> str:
    texts = []
    for view in (*train, *test):
        camera = view.camera
        numbers = np.array([camera.fx, camera.fy, camera.cx, camera.cy, *camera.viewmat.ravel()])
        texts += [f"{camera.name} {camera.width}x{camera.height}".encode(), numbers.tobytes()]
    return digest_of(str(len(train)).encode(), *texts)


def _by_dataset(rows: Sequence[Row]) -> list[list[Row]]:
    names = dict.fromkeys(row.dataset for row in rows)
    return [[row for row in rows if row.dataset == name] for name in names]


def _cells(row: Row, rows: Sequence[Row]) -> list[str]:
    same = [r for r in rows if (r.dataset, r.scene, r.what) == (row.dataset, row.scene, INPUT)]
    ratio = ""
    if same and row.what != INPUT and same[0].mb and row.mb:
        ratio = f" ({same[0].mb / row.mb:.1f}x)"
    seconds = ""
    if row.seconds is not None and row.decode_seconds is not None:
        seconds = f"{row.seconds:.1f} / {row.decode_seconds:.1f}"
    scene = f"{row.scene}, {row.size}" if row.size else row.scene
    drop = "" if row.what == INPUT else f" ({row.drop:.2f})"
    return [
        row.dataset,
        scene,
        row.what,
        f"{row.psnr:.2f}{drop}",
        f"{row.ssim:.4f}",
        "-" if row.lpips is None else f"{row.lpips:.4f}",
        f"{row.mb:.2f}{ratio}",
        f"{row.gaussians:,.0f}",
        "-" if row.fps is None else f"{row.fps:.1f}",
        seconds,
        row.note,
    ]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py paper", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--models", type=Path, metavar="DIR", help="trained scenes, by name")
    parser.add_argument("--scenes", default="", help="only these, such as bicycle,garden")
    parser.add_argument("--presets", default="balanced", help="default: balanced")
    parser.add_argument(
        "--photos", action="store_true", help="give the training photos to the encoder"
    )
    parser.add_argument(
        "--lpips",
        choices=["vgg", "alex", "none"],
        default="vgg",
        help="network; default: vgg, which the papers use, and in their convention",
    )
    parser.add_argument("--no-fps", dest="fps", action="store_false", help="measure no FPS")
    parser.add_argument("--max-views", type=int, metavar="N", help="at most N held-out views")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--work", type=Path, help="folder for files in between")
    parser.add_argument("--cache", type=Path, help="JSON of what earlier runs have measured")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)
