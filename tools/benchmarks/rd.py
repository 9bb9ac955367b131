"""Rate-distortion of ours against the peers that can be installed.

Every file is read by the decoder of the tool that wrote it, and rendered by our renderer at cameras
that no encoder has used. PSNR is against renders of the input, the mean over the views of each
view's; with --images also against photos. Size is the length of the file; bits are per Gaussian of
the input. The curve of ours is one preset without its stages (every Gaussian is kept) at several
qualities; other presets are points. Then follow the differences at equal quality: BD-rate, and the
bits saved at fixed PSNRs.

    tools/bench.py rd scene.ply --npm /tmp/npm --cache rd-cache.json --svg rd.svg --json rd.json

With --cache, what was measured before is not measured again: of peers as long as scene and views
are the same, of ours as long as the code is the same too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.comparison import compare, print_comparison
from benchmarks.node_tools import NodeTools, Unavailable
from benchmarks.output import print_table, say, write_json
from benchmarks.peers import Peer, all_peers
from benchmarks.plot import rd_plot
from benchmarks.store import Store, code_digest
from benchmarks.subject import Subject, add_view_options
from gscompress.config import load_config
from gscompress.gaussians import Gaussians
from gscompress.io import save
from gscompress.pipeline import compress, decompress
from gscompress.report import evaluate

PRESETS = "fast,balanced,quality,lossless"
LIGHT = 20_000
QUALITIES = (25, 30, 35, 40, 50, 60, 70, 80, 90, 100)


@dataclass(frozen=True)
class Row:
    """One file; PSNR in dB. ``skipped`` says why there are no numbers."""

    family: str
    setting: str = ""
    bytes: int | None = None
    ratio: float | None = None
    bits_per_gaussian: float | None = None
    psnr: float | None = None
    psnr_worst: float | None = None
    ssim: float | None = None
    photo_psnr: float | None = None
    photo_drop: float | None = None
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    note: str = ""
    skipped: str = ""

    @property
    def tool(self) -> str:
        return f"{self.family}, {self.setting}" if self.setting else self.family


@dataclass(frozen=True)
class Bench:
    """The scene, where its PLY is, and where files go."""

    subject: Subject
    ply: Path
    images: Path | None
    work: Path
    store: Store

    def ours(self, preset: str, quality: float | None) -> Row:
        """A preset of ours as it is, or without its stages at a quality."""
        config = load_config(preset, stages=None if quality is None else "none")
        if quality is None:
            row = Row(f"gscompress {preset}", "preset")
        else:
            row = Row(f"gscompress {preset}", f"quality {quality:g}")
        cameras = self.subject.train
        key = {
            "config": config.to_dict(),
            "quality": quality,
            "train": self.subject.train_digest,
            "code": code_digest(),
        }

        def measure() -> Row:
            path = self.work / f"{preset}-{quality}.gsz"
            started = time.perf_counter()
            result = compress(
                self.subject.scene,
                config,
                cameras=cameras,
                device=self.subject.device,
                quality=quality,
            )
            result.save(path, overwrite=True)
            encoded = time.perf_counter()
            decoded = decompress(path)
            seconds = encoded - started, time.perf_counter() - encoded
            return self._measure(row, path, decoded, seconds)

        return self._known(row, key, measure)

    def peer(self, peer: Peer, number: int) -> Row:
        """A peer at one setting."""
        row = Row(peer.family, peer.setting, note=peer.note)
        key = {"code": code_digest("io")} if peer.ours else {}

        def measure() -> Row:
            path = self.work / f"{number}{peer.ending}"
            started = time.perf_counter()
            peer.encode(self.ply, self.subject.scene, path)
            encoded = time.perf_counter()
            decoded = peer.decode(path)
            seconds = encoded - started, time.perf_counter() - encoded
            return self._measure(row, path, decoded, seconds)

        try:
            return self._known(row, key, measure)
        except Unavailable as error:
            return replace(row, skipped=str(error))

    def _known(self, row: Row, key: dict[str, Any], measure: Any) -> Row:
        full = {
            "question": "rd",
            "subject": self.subject.digest,
            "images": None if self.images is None else str(self.images),
            "tool": row.tool,
            **key,
        }
        known = self.store.knows(full)
        found = Row(**self.store.get(full, lambda: asdict(measure())))
        say(f"{found.tool}: {' '.join(_cells(found)[1:5])}{' (known)' if known else ''}")
        return found

    def _measure(
        self, row: Row, path: Path, decoded: Gaussians, seconds: tuple[float, float]
    ) -> Row:
        report = evaluate(
            self.subject.scene,
            decoded,
            self.subject.test,
            images=self.images,
            renderer=self.subject.renderer,
            pictures=False,
        )
        size = path.stat().st_size
        path.unlink()
        return replace(
            row,
            bytes=size,
            ratio=self.ply.stat().st_size / size,
            bits_per_gaussian=8 * size / len(self.subject.scene),
            psnr=report.render_scores.psnr,
            psnr_worst=min(view.render.psnr for view in report.views),
            ssim=report.render_scores.ssim,
            photo_psnr=report.psnr if self.images else None,
            photo_drop=report.psnr_drop,
            encode_seconds=seconds[0],
            decode_seconds=seconds[1],
        )


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    subject = Subject.load(options.scene, options)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        ply = work / "input.ply"
        save(subject.scene, ply, overwrite=True)
        bench = Bench(subject, ply, options.images, work, Store(options.cache))
        rows = list(_rows(bench, options, NodeTools(options.npm or work / "npm")))
        input_bytes = ply.stat().st_size
    _print(rows, subject, options.scene)
    measured = _by_family([row for row in rows if row.bytes is not None])
    own = {peer.family for peer in all_peers(NodeTools(Path()), subject.scene) if peer.ours}
    comparison = compare(
        measured.get(f"gscompress {options.curve}", []),
        {n: p for n, p in measured.items() if not n.startswith("gscompress ") and n not in own},
        {name: points for name, points in measured.items() if name in own},
    )
    print_comparison(comparison)
    if options.svg is not None:
        title = f"{options.scene.name}: PSNR against the input's renders"
        options.svg.write_text(rd_plot(title, measured))
    write_json(
        options.json,
        {
            "scene": str(options.scene),
            "gaussians": len(subject.scene),
            "input_bytes": input_bytes,
            "views": [f"{c.name} {c.width}x{c.height}" for c in subject.test],
            "device": subject.renderer.device,
            "rows": [asdict(row) for row in rows],
            "comparison": asdict(comparison),
        },
    )
    return 0


def _rows(bench: Bench, options: argparse.Namespace, node: NodeTools) -> Iterator[Row]:
    for quality in options.qualities:
        yield bench.ours(options.curve, quality)
    for preset in filter(None, options.presets.split(",")):
        yield bench.ours(preset, None)
    for number, peer in enumerate(all_peers(node, bench.subject.scene)):
        if options.only == "none" or options.only not in peer.family:
            continue
        if peer.slow and not (options.slow or _is_light(bench.subject.scene)):
            reason = "slow; ask for it with --slow"
            yield Row(peer.family, peer.setting, note=peer.note, skipped=reason)
        else:
            yield bench.peer(peer, number)


def _is_light(scene: Gaussians) -> bool:
    """Whether what is slow takes seconds only."""
    return scene.sh_degree == 0 or len(scene) <= LIGHT


def _point(row: Row) -> tuple[float, float]:
    assert row.bits_per_gaussian is not None
    assert row.psnr is not None
    return row.bits_per_gaussian, row.psnr


def _by_family(rows: Sequence[Row]) -> dict[str, list[tuple[float, float]]]:
    families: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        families.setdefault(row.family, []).append(_point(row))
    return families


def _print(rows: Sequence[Row], subject: Subject, path: Path) -> None:
    views, device = len(subject.test), subject.renderer.device
    title = f"{path}: {len(subject.scene)} Gaussians, {views} views, {device}"
    columns = ["tool", "bytes", "ratio", "bits/Gaussian", "PSNR (worst), dB", "SSIM"]
    print_table(title, [*columns, "photos, dB (drop)", "seconds", "note"], map(_cells, rows))


def _cells(row: Row) -> list[str]:
    if row.bytes is None:
        return [row.tool, f"skipped: {row.skipped}", "", "", "", "", "", "", row.note]
    photos = "" if row.photo_psnr is None else f"{row.photo_psnr:.2f} ({row.photo_drop:z.2f})"
    return [
        row.tool,
        f"{row.bytes:,}",
        f"{row.ratio:.1f}x",
        f"{row.bits_per_gaussian:.1f}",
        f"{row.psnr:.2f} ({row.psnr_worst:.2f})",
        f"{row.ssim:.4f}",
        photos,
        f"{row.encode_seconds:.1f} / {row.decode_seconds:.1f}",
        row.note,
    ]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py rd", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scene", type=Path, help="a PLY, or any other format that can be read")
    add_view_options(parser)
    parser.add_argument("--images", type=Path, help="folder of photos")
    parser.add_argument(
        "--curve", default="balanced", help="preset that makes our curve; default: balanced"
    )
    parser.add_argument(
        "--qualities",
        type=lambda text: [float(part) for part in text.split(",") if part],
        default=QUALITIES,
        help=f"its points; default: {','.join(map(str, QUALITIES))}",
    )
    parser.add_argument("--presets", default=PRESETS, help=f"other points; default: {PRESETS}")
    parser.add_argument("--only", default="", help="peers whose name holds this; none for no peer")
    parser.add_argument("--slow", action="store_true", help="also peers that take minutes")
    parser.add_argument("--npm", type=Path, help="folder for npm packages; default: temporary")
    parser.add_argument("--work", type=Path, help="folder for files in between")
    parser.add_argument("--cache", type=Path, help="JSON of what earlier runs have measured")
    parser.add_argument("--svg", type=Path, help="draw the curves")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)
