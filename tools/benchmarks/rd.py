"""Rate-distortion of our presets against the peers that can be installed.

Every file is read by the decoder of the tool that wrote it, and rendered by our renderer at the
test cameras. PSNR is against renders of the input; with --images also against photos. Size is the
length of the file; bits are per Gaussian of the input. All tools get the scene in Morton order:
some peers quantize by chunks of consecutive Gaussians and are lost without.

    tools/bench.py rd scene.ply --cameras cameras.json --npm /tmp/npm --json rd.json
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.node_tools import NodeTools, Unavailable
from benchmarks.output import print_table, write_json
from benchmarks.peers import Peer, all_peers
from gscompress import _native
from gscompress.cameras import Camera, find_cameras, load_cameras, split
from gscompress.gaussians import Gaussians
from gscompress.io import load, save
from gscompress.pipeline import compress, decompress
from gscompress.render import get_renderer
from gscompress.render.base import Background, Render, Renderer
from gscompress.report import evaluate

PRESETS = "fast,balanced,quality,lossless"


@dataclass(frozen=True)
class Row:
    """One file; PSNR in dB. ``skipped`` says why there are no numbers."""

    tool: str
    bytes: int | None = None
    ratio: float | None = None
    bits_per_gaussian: float | None = None
    psnr: float | None = None
    psnr_worst: float | None = None
    ssim: float | None = None
    photo_psnr: float | None = None
    photo_drop: float | None = None
    note: str = ""
    skipped: str = ""


class Remembering:
    """A renderer that keeps its images of one scene, which every file is compared with."""

    def __init__(self, renderer: Renderer, scene: Gaussians) -> None:
        self.name, self.device = renderer.name, renderer.device
        self._renderer, self._scene = renderer, scene
        self._images: dict[str, Render] = {}

    def render(self, scene: Gaussians, camera: Camera, background: Background) -> Render:
        if scene is not self._scene:
            return self._renderer.render(scene, camera, background)
        if camera.name not in self._images:
            self._images[camera.name] = self._renderer.render(scene, camera, background)
        return self._images[camera.name]


@dataclass(frozen=True)
class Bench:
    """The scene and what it is measured with."""

    ply: Path
    scene: Gaussians
    train: list[Camera]
    test: list[Camera]
    images: Path | None
    renderer: Any
    work: Path

    def ours(self, preset: str) -> Row:
        """A preset of ours, encoded with the train cameras."""
        path = self.work / f"{preset}.gsz"
        compress(self.scene, preset, cameras=self.train).save(path, overwrite=True)
        return self._measure(f"gscompress {preset}", path, decompress(path))

    def peer(self, peer: Peer, number: int) -> Row:
        """A peer at one setting."""
        path = self.work / f"{number}{peer.ending}"
        try:
            peer.encode(self.ply, self.scene, path)
            return self._measure(peer.name, path, peer.decode(path), peer.note)
        except Unavailable as error:
            return Row(peer.name, skipped=str(error))

    def _measure(self, tool: str, path: Path, decoded: Gaussians, note: str = "") -> Row:
        report = evaluate(
            self.scene,
            decoded,
            self.test,
            images=self.images,
            renderer=self.renderer,
            pictures=False,
        )
        size = path.stat().st_size
        return Row(
            tool=tool,
            bytes=size,
            ratio=self.ply.stat().st_size / size,
            bits_per_gaussian=8 * size / len(self.scene),
            psnr=report.render_scores.psnr,
            psnr_worst=min(view.render.psnr for view in report.views),
            ssim=report.render_scores.ssim,
            photo_psnr=report.psnr if self.images else None,
            photo_drop=report.psnr_drop,
            note=note,
        )


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    source = options.cameras or find_cameras(options.scene)
    if source is None:
        raise SystemExit(f"no cameras beside {options.scene}; name them with --cameras")
    scene = load(options.scene)
    scene = scene.select(_morton_order(scene))
    train, test = split(load_cameras(source), source)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        renderer = Remembering(get_renderer(options.device), scene)
        save(scene, work / "input.ply", overwrite=True)
        bench = Bench(work / "input.ply", scene, train, test, options.images, renderer, work)
        rows = []
        for row in _rows(bench, options, NodeTools(options.npm or work / "npm")):
            rows.append(row)
            print("  ".join(_cells(row)), flush=True)
    title = f"{options.scene}: {len(scene)} Gaussians, {len(test)} test views, {renderer.device}"
    columns = ["tool", "bytes", "ratio", "bits/Gaussian", "PSNR (worst), dB", "SSIM"]
    columns += ["photos, dB (drop)", "note"]
    print_table(title, columns, map(_cells, rows))
    write_json(
        options.json,
        {
            "scene": str(options.scene),
            "gaussians": len(scene),
            "input_bytes": options.scene.stat().st_size,
            "test_views": [camera.name for camera in test],
            "device": renderer.device,
            "rows": [asdict(row) for row in rows],
        },
    )
    return 0


def _morton_order(scene: Gaussians) -> NDArray[np.intp]:  # [N]
    """Along a space-filling curve, which suits all tools and without which some do badly."""
    low, high = scene.means.min(0), scene.means.max(0)
    cells = (scene.means - low) / np.maximum(high - low, 1e-12) * ((1 << 21) - 1)
    return np.argsort(_native.morton_encode(cells.astype(np.uint32)), kind="stable")


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py rd", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scene", type=Path, help="a PLY")
    parser.add_argument("--cameras", type=Path, help="default: what lies beside the scene")
    parser.add_argument("--images", type=Path, help="folder of photos")
    parser.add_argument("--presets", default=PRESETS, help=f"default: {PRESETS}")
    parser.add_argument("--only", default="", help="peers whose name holds this; none for no peer")
    parser.add_argument("--slow", action="store_true", help="also peers that take minutes")
    parser.add_argument("--npm", type=Path, help="folder for npm packages; default: temporary")
    parser.add_argument("--work", type=Path, help="keep the files here; default: temporary")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def _rows(bench: Bench, options: argparse.Namespace, node: NodeTools) -> Iterator[Row]:
    for preset in filter(None, options.presets.split(",")):
        yield bench.ours(preset)
    for number, peer in enumerate(all_peers(node)):
        if options.only == "none" or options.only not in peer.name:
            continue
        if peer.slow and not options.slow:
            yield Row(peer.name, note=peer.note, skipped="slow; ask for it with --slow")
        else:
            yield bench.peer(peer, number)


def _cells(row: Row) -> list[str]:
    if row.bytes is None:
        return [row.tool, f"skipped: {row.skipped}", "", "", "", "", "", row.note]
    photos = "" if row.photo_psnr is None else f"{row.photo_psnr:.2f} ({row.photo_drop:z.2f})"
    return [
        row.tool,
        f"{row.bytes:,}",
        f"{row.ratio:.1f}x",
        f"{row.bits_per_gaussian:.1f}",
        f"{row.psnr:.2f} ({row.psnr_worst:.2f})",
        f"{row.ssim:.4f}",
        photos,
        row.note,
    ]
