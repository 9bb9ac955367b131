"""Quantizers compared at equal quality: codebooks (VecTree, SVQ, RVQ) and equal steps.

"scene" codes all attributes: equal steps are the preset's codecs; VecTree has words for part of the
harmonics (8,192, at most one for 20 Gaussians) and the preset's codecs for the rest; SVQ and RVQ
have words for scales, rotations and harmonics. For a single attribute everything else stays as it
came. Each is measured at several settings: equal steps and VecTree with errors --factors times as
large, SVQ and RVQ with the words of OMG and Compact 3DGS for geometry, more and fewer.

PSNR is against renders of the input at test cameras; with --images also what is lost on photos.
Bytes include codebooks, bases and flags, with the preset's entropy coder; those at a PSNR lie on
straight lines between measured settings. No stages.

    tools/bench.py vq scene.ply --cameras cameras.json --images images
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import print_table, say, write_json
from benchmarks.views import load_photos, scaled, spread
from gscompress.cameras import Camera, find_cameras, load_cameras, split
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.rvq import RVQ
from gscompress.codecs.scene import GROUPS, arrange, decode_scene, encode_group, encode_scene
from gscompress.codecs.svq import SVQ
from gscompress.codecs.vectree import VecTree
from gscompress.config import load_config
from gscompress.gaussians import Array, Gaussians
from gscompress.importance.scores import look
from gscompress.io import load
from gscompress.metrics import psnr
from gscompress.stages.base import Context

SCENE = "scene"
STEPS, TREE = "equal steps", "VecTree"
WORDS = ((32, 128, 2, 128), (64, 512, 3, 1024), (128, 2048, 6, 4096))
"""Settings of SVQ and RVQ: words for scales, for rotations, stages of 64 words for both, words for
harmonics. OMG has 64 and 512, Compact 3DGS 6 stages."""

BETWEEN = (0.35, 0.7, 1.4, 2.8)
"""Settings that equal steps are measured at besides those of all quantizers."""


@dataclass(frozen=True)
class Point:
    """A quantizer at one setting.

    Attributes:
        group: The attribute that it codes, or "scene".
        quantizer: Its name.
        setting: Which of its settings.
        bytes: What it takes.
        bits: The same per Gaussian.
        psnr: Against the input's renders, in dB.
        drop: What is lost on photos, in dB; None: not measured.
        seconds: Of encoding.
    """

    group: str
    quantizer: str
    setting: str
    bytes: int
    bits: float
    psnr: float
    drop: float | None
    seconds: float


def quantizers(
    preset: Mapping[str, Any], count: int, factors: Sequence[float]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Quantizers of all attributes of so many Gaussians: name, setting, codecs by attribute."""
    for factor in sorted({*factors, *BETWEEN}):
        yield STEPS, f"x {factor:g}", _scaled(preset, factor)
    sh = preset["sh"]
    own = {name: getattr(sh, name) for name in ("step", "sh_step", "chroma", "adapt", "views")}
    tree = VecTree(codebook=min(8192, max(1, count // 20)), **own, word_step=sh.sh_step / 2)
    for factor in factors:
        yield TREE, f"x {factor:g}", {**_scaled(preset, factor), "sh": tree.scaled(factor)}
    seen = {"word_step": 1 / 64, "views": sh.views}
    for scales, quats, stages, colours in WORDS:
        yield (
            "SVQ",
            f"3x{scales}, 2x{quats}, 8x{colours}",
            {
                **preset,
                "scales": SVQ(1, scales),
                "quats": SVQ(2, quats, canonical=True),
                "sh": SVQ(6, colours, klt=True, **seen),
            },
        )
        yield (
            "RVQ",
            f"{stages}x64, {stages}x64, 4x{colours}",
            {
                **preset,
                "scales": RVQ(stages, 64),
                "quats": RVQ(stages, 64, canonical=True),
                "sh": RVQ(4, colours, beam=2, **seen),
            },
        )


def _scaled(codecs: Mapping[str, Any], factor: float) -> dict[str, Any]:
    return {
        key: codec.scaled(factor) if hasattr(codec, "scaled") else codec
        for key, codec in codecs.items()
    }


class Bench:
    """A scene under a preset, of which all or one attribute is coded otherwise."""

    def __init__(
        self,
        scene: Gaussians,
        config: Any,
        ctx: Context,
        views: Sequence[Camera],
        photos: Sequence[Array] | None,
    ) -> None:
        self.codecs: Mapping[str, Any] = config.attributes
        self._coder, self._shares = config.entropy, config.levels
        self._input, self._views, self._photos = scene, views, photos
        self._renderer = ctx.renderer
        self._truth = [ctx.renderer.render(scene, view).image for view in views]
        self._looked = look(scene, self.codecs, ctx)
        self._scene, self._guidance, self._levels = arrange(
            scene, self._looked, self.codecs, self._shares
        )
        streams = StreamWriter(self._coder, self._levels)
        encode_scene(self._scene, self._guidance, self.codecs, streams)
        self._chunks = streams.chunks

    def measure(self, group: str, name: str, setting: str, codecs: Mapping[str, Any]) -> Point:
        """The codecs, of all attributes or of one: then the others are as they came."""
        begun = time.perf_counter()
        if group == SCENE:
            size, seconds, back = self._whole(codecs, begun)
        else:
            size, seconds, back = self._one(group, codecs[group], begun)
        found, drop = self._quality(back)
        return Point(group, name, setting, size, 8 * size / len(back), found, drop, seconds)

    def _whole(self, codecs: Mapping[str, Any], begun: float) -> tuple[int, float, Gaussians]:
        scene, guidance, levels = arrange(self._input, self._looked, codecs, self._shares)
        streams = StreamWriter(self._coder, levels)
        encode_scene(scene, guidance, codecs, streams)
        seconds = time.perf_counter() - begun
        reader = StreamReader(self._coder, streams.chunks, "bench", levels)
        back = decode_scene(self._nothing(levels), codecs, reader)
        return _size(streams), seconds, back

    def _one(self, group: str, codec: Any, begun: float) -> tuple[int, float, Gaussians]:
        decoded = self._known()
        streams = StreamWriter(self._coder, self._levels)
        encode_group(group, self._scene, self._guidance, codec, decoded, streams)
        seconds = time.perf_counter() - begun
        values = codec.decode(decoded, self._reader(streams.chunks).of(group))
        return _size(streams), seconds, self._scene.replace(**{GROUPS[group]: values})

    def _nothing(self, levels: tuple[int, ...]) -> Decoded:
        scene = self._input
        return Decoded(len(scene), scene.sh_degree, scene.mode, levels=levels)

    def _known(self) -> Decoded:
        """What both sides know when everything else is decoded, as the preset codes it."""
        reader, decoded = self._reader(self._chunks), self._nothing(self._levels)
        decode_scene(decoded, self.codecs, reader)
        return decoded

    def _reader(self, chunks: Mapping[str, bytes]) -> StreamReader:
        return StreamReader(self._coder, chunks, "bench", self._levels)

    def _quality(self, scene: Gaussians) -> tuple[float, float | None]:
        images = [self._renderer.render(scene, view).image for view in self._views]
        found = [psnr(*pair) for pair in zip(images, self._truth, strict=True)]
        if self._photos is None:
            return float(np.mean(found)), None
        pairs = zip(self._truth, images, self._photos, strict=True)
        return float(np.mean(found)), float(
            np.mean([psnr(before, photo) - psnr(after, photo) for before, after, photo in pairs])
        )


def bytes_at(wanted: float, curve: Sequence[Point]) -> float | None:
    """Bytes of a quantizer at a PSNR, between its measured points; None outside."""
    points = sorted((point.psnr, point.bytes) for point in curve)
    if not points or not points[0][0] - 0.005 <= wanted <= points[-1][0] + 0.005:
        return None
    psnrs, sizes = zip(*points, strict=True)
    return float(np.interp(wanted, psnrs, sizes))


def at_equal_quality(points: Sequence[Point], wanted: Sequence[float]) -> list[list[str]]:
    """For each attribute and quantizer its bytes at some PSNRs, and by how much they are more."""
    rows = []
    for group, name in dict.fromkeys((point.group, point.quantizer) for point in points):
        curves = {
            other: [p for p in points if (p.group, p.quantizer) == (group, other)]
            for other in (name, STEPS)
        }
        row = [group, name]
        for level in wanted:
            own, steps = (bytes_at(level, curves[other]) for other in (name, STEPS))
            text = "-" if own is None else f"{own:,.0f}"
            if own is not None and steps is not None and name != STEPS:
                text += f" ({own / steps - 1:+.0%})"
            row.append(text)
        rows.append(row)
    return rows


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    source = options.cameras or find_cameras(options.scene)
    if source is None:
        raise SystemExit(f"no cameras beside {options.scene}; name them with --cameras")
    scene = load(options.scene)
    train, test = split(load_cameras(source), source)
    views = [scaled(view, options.scale) for view in spread(test, options.views)]
    photos = load_photos(views, options.images) if options.images else None
    config = load_config(options.preset)
    bench = Bench(scene, config, Context(scene, train, device=options.device), views, photos)
    points = []
    for group in options.groups.split(","):
        for name, setting, codecs in quantizers(bench.codecs, len(scene), options.factors):
            unasked = options.only and name not in options.only.split(",")
            if unasked or (name == TREE and group not in (SCENE, "sh")):
                continue
            points.append(bench.measure(group, name, setting, codecs))
            say("  ".join(_cells(points[-1])))
    size = f"{views[0].width}x{views[0].height}" if views else "no views"
    title = f"{options.scene}: {len(scene)} Gaussians, {len(views)} test views at {size}, "
    title += options.preset
    columns = ["attribute", "quantizer", "setting", "bytes", "bits/Gaussian", "PSNR, dB"]
    columns += ["lost on photos, dB", "seconds"]
    print_table(title, columns, map(_cells, points))
    columns = ["attribute", "quantizer", *(f"bytes at {level:g} dB" for level in options.levels)]
    print_table(f"{title}, at equal PSNR", columns, at_equal_quality(points, options.levels))
    document = {
        "scene": str(options.scene),
        "gaussians": len(scene),
        "preset": options.preset,
        "views": [view.name for view in views],
        "scale": options.scale,
        "points": [asdict(point) for point in points],
    }
    write_json(options.json, document)
    return 0


def _size(streams: StreamWriter) -> int:
    return sum(map(len, streams.chunks.values()))


def _cells(point: Point) -> list[str]:
    return [
        point.group,
        point.quantizer,
        point.setting,
        f"{point.bytes:,}",
        f"{point.bits:.2f}",
        f"{point.psnr:.2f}",
        "" if point.drop is None else f"{point.drop:.3f}",
        f"{point.seconds:.1f}",
    ]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py vq", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scene", type=Path, help="a PLY")
    parser.add_argument("--cameras", type=Path, help="default: what lies beside the scene")
    parser.add_argument("--images", type=Path, help="folder of photos")
    parser.add_argument("--preset", default="balanced", help="default: balanced")
    parser.add_argument(
        "--groups", default="scene,scales,quats,sh", help="attributes or scene, by commas"
    )
    parser.add_argument("--only", default="", help="quantizers, by commas; default: all")
    parser.add_argument("--factors", type=float, nargs="+", default=[0.5, 1.0, 2.0, 4.0])
    parser.add_argument("--levels", type=float, nargs="+", default=[40.0, 42.0, 45.0, 50.0])
    parser.add_argument("--views", type=int, default=0, help="test views; default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="of the views; default: 1")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)
