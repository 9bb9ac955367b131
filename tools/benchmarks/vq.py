"""Vector quantization against equal steps, one attribute at a time, at equal quality.

All attributes but one are coded as a preset codes them; that one by codecs with codebooks, and by
the preset's own codec in several steps. For each codebook the last column is what the preset's
codec takes at the same PSNR (between its measured points, straight lines). PSNR is against renders
of the input at test cameras. Bits are per Gaussian of the attribute, codebooks included. No stages.

    tools/bench vq scene.ply --cameras cameras.json --views 8 --scale 0.5
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import print_table, write_json
from gscompress.cameras import Camera, find_cameras, load_cameras, split
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.octree import Octree
from gscompress.codecs.rvq import RVQ
from gscompress.codecs.scene import GROUPS, arrange, decode_scene, encode_scene
from gscompress.codecs.svq import SVQ
from gscompress.codecs.vectree import VecTree
from gscompress.config import load_config
from gscompress.gaussians import Gaussians
from gscompress.importance.scores import look
from gscompress.io import load
from gscompress.metrics import psnr
from gscompress.stages.base import Context

FACTORS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Steps of the preset's codec, in terms of its own."""


@dataclass(frozen=True)
class Row:
    """One codec of one attribute; ``scalar_bits`` is the preset's codec at the same PSNR."""

    group: str
    codec: str
    bits: float
    psnr: float
    seconds: float
    scalar_bits: float | None = None


def rivals(group: str, scalar: Any) -> dict[str, Any]:
    """Codecs with codebooks, by name; those of the papers first."""
    if group == "means":
        return {"octree": Octree(scalar.bits, scalar.quantile)}
    if group == "scales":
        return {
            "svq 3x64 (OMG)": SVQ(1, 64),
            "rvq 6x64 (Compact 3DGS)": RVQ(6, 64),
            "svq 3x256": SVQ(1, 256),
            "rvq 2x1024": RVQ(2, 1024),
            "svq 1x8192": SVQ(3, 8192),
        }
    if group == "quats":
        return {
            "svq 2x512 (OMG)": SVQ(2, 512, canonical=True),
            "rvq 6x64 (Compact 3DGS)": RVQ(6, 64, canonical=True),
            "svq 2x2048": SVQ(2, 2048, canonical=True),
            "rvq 2x1024": RVQ(2, 1024, canonical=True),
        }
    own = {name: getattr(scalar, name) for name in ("step", "sh_step", "chroma", "adapt", "views")}
    words = {**own, "word_step": scalar.sh_step / 2}
    return {
        "vectree 8192, 40 % exact (LightGaussian)": VecTree(),
        "vectree 8192, 40 % as the preset": VecTree(**words),
        "vectree 8192, 70 % as the preset": VecTree(**words, keep_exact=0.7),
        "vectree 2048, 20 % as the preset": VecTree(codebook=2048, keep_exact=0.2, **words),
        "vectree 8192, constant apart": VecTree(**words, joint=False),
        "svq 8x1024, klt": SVQ(6, 1024, klt=True, word_step=1 / 64),
        "rvq 4x1024": RVQ(4, 1024, word_step=1 / 64),
    }


class Bench:
    """A scene under a preset, of which one attribute at a time is coded otherwise."""

    def __init__(
        self, scene: Gaussians, config: Any, ctx: Context, views: Sequence[Camera]
    ) -> None:
        self.codecs: Mapping[str, Any] = config.attributes
        self._coder = config.entropy
        self._views = views
        self._renderer = ctx.renderer
        self._truth = [ctx.renderer.render(scene, view).image for view in views]
        guidance = look(scene, self.codecs, ctx)
        self._scene, self._guidance, self._levels = arrange(
            scene, guidance, self.codecs, config.levels
        )
        streams = StreamWriter(self._coder, self._levels)
        encode_scene(self._scene, self._guidance, self.codecs, streams)
        self._chunks = streams.chunks
        decoded = Decoded(len(scene), scene.sh_degree, scene.mode, levels=self._levels)
        self._base = decode_scene(decoded, self.codecs, self._reader(self._chunks))

    def measure(self, group: str, name: str, codec: Any) -> Row:
        """Code ``group`` with ``codec`` and everything else as the preset does."""
        decoded = self._context()
        streams = StreamWriter(self._coder, self._levels)
        streams.group = group
        source = getattr(self._scene, GROUPS[group])
        begun = time.perf_counter()
        if hasattr(codec, "encode_guided"):
            codec.encode_guided(source, decoded, streams, self._guidance)
        else:
            codec.encode(source, decoded, streams)
        seconds = time.perf_counter() - begun
        values = codec.decode(decoded, self._reader(streams.chunks).of(group))
        changed = self._base.replace(**{GROUPS[group]: values})
        bits = 8 * sum(map(len, streams.chunks.values())) / len(self._scene)
        return Row(group, name, bits, self._psnr(changed), seconds)

    def _context(self) -> Decoded:
        """What both sides know when everything else is decoded."""
        scene = self._scene
        decoded = Decoded(len(scene), scene.sh_degree, scene.mode, levels=self._levels)
        reader = self._reader(self._chunks)
        self.codecs["means"].decode(decoded, reader.of("means"))
        classes = self.codecs["importance"]
        decoded.classes = classes.decode(decoded, reader)
        for name in GROUPS.values():
            decoded.attributes[name] = getattr(self._base, name)
        decoded.classes = classes.decode(decoded, reader)
        decoded.octaves = classes.octaves
        return decoded

    def _reader(self, chunks: Mapping[str, bytes]) -> StreamReader:
        return StreamReader(self._coder, chunks, "bench", self._levels)

    def _psnr(self, scene: Gaussians) -> float:
        images = (self._renderer.render(scene, view).image for view in self._views)
        return float(np.mean([psnr(a, b) for a, b in zip(images, self._truth, strict=True)]))


def compared(bench: Bench, group: str) -> Iterator[Row]:
    """The preset's codec in several steps, then its rivals next to it."""
    scalar = bench.codecs[group]
    curve = []
    for factor in (1.0,) if group == "means" else FACTORS:  # others would need another order
        row = bench.measure(group, f"preset, steps x {factor:g}", scalar.scaled(factor))
        curve.append(row)
        yield row
    for name, codec in rivals(group, scalar).items():
        row = bench.measure(group, name, codec)
        yield replace(row, scalar_bits=bits_at(row.psnr, curve))


def bits_at(wanted: float, curve: Sequence[Row]) -> float | None:
    """Bits of a codec at a PSNR, between its measured points; None outside."""
    points = sorted((row.psnr, row.bits) for row in curve)
    if not points[0][0] - 0.005 <= wanted <= points[-1][0] + 0.005:
        return None
    return float(np.interp(wanted, *zip(*points, strict=True)))


def smaller(camera: Camera, scale: float) -> Camera:
    """The same camera with fewer pixels."""
    width, height = round(camera.width * scale), round(camera.height * scale)
    across, down = width / camera.width, height / camera.height
    return replace(
        camera,
        width=width,
        height=height,
        fx=camera.fx * across,
        fy=camera.fy * down,
        cx=camera.cx * across,
        cy=camera.cy * down,
    )


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    source = options.cameras or find_cameras(options.scene)
    if source is None:
        raise SystemExit(f"no cameras beside {options.scene}; name them with --cameras")
    scene = load(options.scene)
    train, test = split(load_cameras(source), source)
    picked = np.linspace(0, len(test) - 1, min(options.views, len(test))).round().astype(int)
    views = [smaller(test[k], options.scale) for k in picked]
    config = load_config(options.preset)
    bench = Bench(scene, config, Context(scene, train, device=options.device), views)
    rows = []
    for group in options.groups.split(","):
        for row in compared(bench, group):
            rows.append(row)
            print("  ".join(_cells(row)), flush=True)
    size = f"{views[0].width}x{views[0].height}" if views else "no views"
    title = f"{options.scene}: {len(scene)} Gaussians, {len(views)} test views at {size}, "
    columns = ["attribute", "codec", "bits/Gaussian", "PSNR, dB", "seconds", "preset's codec"]
    print_table(title + options.preset, columns, map(_cells, rows))
    document = {
        "scene": str(options.scene),
        "gaussians": len(scene),
        "preset": options.preset,
        "views": [view.name for view in views],
        "scale": options.scale,
        "rows": [asdict(row) for row in rows],
    }
    write_json(options.json, document)
    return 0


def _cells(row: Row) -> list[str]:
    against = ""
    if row.scalar_bits is not None:
        against = f"{row.scalar_bits:.2f} ({row.bits / row.scalar_bits - 1:+.0%})"
    cells = [f"{row.bits:.2f}", f"{row.psnr:.2f}", f"{row.seconds:.1f}"]
    return [row.group, row.codec, *cells, against]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py vq", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scene", type=Path, help="a PLY")
    parser.add_argument("--cameras", type=Path, help="default: what lies beside the scene")
    parser.add_argument("--preset", default="balanced", help="default: balanced")
    parser.add_argument("--groups", default="means,scales,quats,sh", help="attributes, by commas")
    parser.add_argument("--views", type=int, default=8, help="test views; default: 8")
    parser.add_argument("--scale", type=float, default=0.5, help="of the views; default: 0.5")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)
