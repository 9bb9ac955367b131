"""What each part of the codec is worth: bits and dB as it is switched off or replaced.

Two figures per row: the change at equal settings, in bits and in dB; and, since a part may change
both, the change of bits at equal quality: against the bits that the whole codec needs for the same
PSNR, from its own curve around the preset. Every variant is decoded; where that gives what the
whole codec gives, the PSNR is the same and is not measured anew.

    tools/bench.py ablation bonsai/point_cloud.ply --cache ablation.json --json out.json
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.ablation_parts import Variant, variants
from benchmarks.curves import Curve
from benchmarks.output import print_table, say, write_json
from benchmarks.store import Store, code_digest
from benchmarks.subject import Subject, add_view_options
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.scene import arrange, decode_scene, encode_scene
from gscompress.config import Config, load_config
from gscompress.container import Container
from gscompress.errors import MissingDependencyError
from gscompress.format import make_header
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.importance.scores import look
from gscompress.rate import scaled
from gscompress.stages.base import Context

OCTAVES = (-1.5, -0.75, 0.75, 1.5)
"""Around the preset, for the curve of the whole codec."""


@dataclass(frozen=True)
class Row:
    """One variant.

    Attributes:
        part: What is ablated; empty for the whole codec.
        name: What is there instead.
        bits: Bits per Gaussian.
        psnr: In dB against the input's renders.
        seconds: Of encoding, without renders.
        skipped: Why there are no numbers.
    """

    part: str
    name: str
    bits: float | None = None
    psnr: float | None = None
    seconds: float | None = None
    skipped: str = ""


class Bench:
    """Encodes a scene in variants and measures them."""

    def __init__(self, subject: Subject, base: Config) -> None:
        self._subject = subject
        self._base = base
        self._looks: dict[str, Guidance] = {}
        self._whole: tuple[Gaussians, float] | None = None

    def measure(self, variant: Variant) -> Row:
        """Bits and PSNR of a variant."""
        assert variant.config is not None
        guidance = self._look(variant.config)
        size, decoded, seconds = self._code(variant.config, guidance)
        bits = 8 * size / len(self._subject.scene)
        return Row(variant.part, variant.name, bits, self._psnr(decoded), seconds)

    def _code(self, config: Config, guidance: Guidance) -> tuple[int, Gaussians, float]:
        """Size, what decoding gives, and the seconds of encoding."""
        scene = self._subject.scene
        started = time.perf_counter()
        arranged, guidance, levels = arrange(scene, guidance, config.attributes, config.levels)
        streams = StreamWriter(config.entropy, levels)
        encode_scene(arranged, guidance, config.attributes, streams)
        seconds = time.perf_counter() - started
        # A variant need not have a name: the header is the whole codec's.
        header = make_header(scene, arranged, levels, self._base)
        size = len(Container(header, streams.chunks).to_bytes())
        decoded = Decoded(len(scene), scene.sh_degree, scene.mode, levels=levels)
        reader = StreamReader(config.entropy, streams.chunks, "variant", levels)
        return size, decode_scene(decoded, config.attributes, reader), seconds

    def _look(self, config: Config) -> Guidance:
        classes, sh = config.attributes.get("importance"), config.attributes["sh"]
        wanted = [getattr(classes, name, None) for name in ("views", "score")]
        key = repr([*wanted, getattr(sh, "views", 0)])
        if key not in self._looks:
            self._looks.clear()  # they are large
            subject = self._subject
            ctx = Context(subject.scene, subject.train, device=subject.device)
            self._looks[key] = look(subject.scene, config.attributes, ctx)
        return self._looks[key]

    def _psnr(self, decoded: Gaussians) -> float:
        if self._whole is not None:
            whole, psnr = self._whole
            if all(np.array_equal(getattr(whole, a), getattr(decoded, a)) for a in ATTRIBUTES):
                return psnr
        psnr = self._subject.psnr(decoded)
        if self._whole is None:
            self._whole = decoded, psnr
        return psnr


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    subject = Subject.load(options.scene, options)
    base = load_config(options.preset, stages="none")
    bench, store = Bench(subject, base), Store(options.cache)

    def row(variant: Variant) -> Row:
        if variant.config is None:
            return Row(variant.part, variant.name, skipped=variant.skipped)
        key = {
            "question": "ablation",
            "subject": subject.digest,
            "train": subject.train_digest,
            "variant": repr(variant),
            "code": code_digest(),
        }
        try:
            found = Row(**store.get(key, lambda: asdict(bench.measure(variant))))
        except MissingDependencyError as error:
            found = Row(variant.part, variant.name, skipped=str(error))
        say(f"{found.part}: {found.name}: {found.bits} bits, {found.psnr} dB {found.skipped}")
        return found

    whole = row(Variant("", f"preset {options.preset}", base))
    around = [row(Variant("", f"{o:+g} octaves", scaled(base, o))) for o in OCTAVES]
    rows = [row(variant) for variant in variants(base) if options.only in variant.part]
    curve = Curve.through([(r.bits, r.psnr) for r in (whole, *around)])  # type: ignore[misc]
    title = f"{options.scene}: {len(subject.scene)} Gaussians, {len(subject.test)} views"
    columns = ["part", "instead", "bits/Gaussian", "PSNR, dB"]
    columns += ["bits at equal quality", "encoding, s"]
    print_table(title, columns, [_cells(row, whole, curve) for row in (whole, *around, *rows)])
    document = {
        "scene": str(options.scene),
        "preset": options.preset,
        "views": len(subject.test),
        "rows": [
            asdict(row) | {"equal_quality": equal_quality(row, curve)}
            for row in (whole, *around, *rows)
        ],
    }
    write_json(options.json, document)
    return 0


def equal_quality(row: Row, curve: Curve) -> float | None:
    """Relative change of bits against the whole codec at the row's PSNR.

    Beyond the ends of the curve its last slope goes on.
    """
    if row.bits is None or row.psnr is None or len(curve) < 2:
        return None
    nearest = float(np.clip(row.psnr, curve.psnr[0], curve.psnr[-1]))
    at = float(curve.interpolator(nearest))
    slope = float(curve.interpolator.derivative()(nearest))
    if slope <= 0 and nearest != row.psnr:
        slope = float(np.log(curve.bits[-1] / curve.bits[0]) / (curve.psnr[-1] - curve.psnr[0]))
    return float(row.bits / np.exp(at + slope * (row.psnr - nearest)) - 1)


def _cells(row: Row, whole: Row, curve: Curve) -> list[str]:
    if row.bits is None or row.psnr is None or whole.bits is None or whole.psnr is None:
        return [row.part, row.name, f"skipped: {row.skipped}", "", "", ""]
    change = equal_quality(row, curve)
    if row is whole:
        return ["", row.name, f"{row.bits:.2f}", f"{row.psnr:.2f}", "", _seconds(row)]
    return [
        row.part,
        row.name,
        f"{row.bits:.2f} ({100 * (row.bits / whole.bits - 1):+.1f} %)",
        f"{row.psnr:.2f} ({row.psnr - whole.psnr:+.2f})",
        "" if change is None or not row.part else f"{100 * change:+.1f} %",
        _seconds(row),
    ]


def _seconds(row: Row) -> str:
    return "" if row.seconds is None else f"{row.seconds:.1f}"


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py ablation",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("scene", type=Path, help="a scene in any format")
    add_view_options(parser)
    parser.add_argument("--preset", default="balanced", help="the whole codec; default: balanced")
    parser.add_argument("--only", default="", help="parts whose name holds this")
    parser.add_argument("--cache", type=Path, help="JSON of what earlier runs have measured")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)
