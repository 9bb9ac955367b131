"""Formats of others as we write them, against their own writers at equal settings.

Bytes, PSNR against renders of the input, and the CPU seconds of the writer, a process it starts
included. Every file is read by the decoder of the tool that wrote it. SPZ is written with the same
bits of harmonics, SOG with a palette of up to 65536. Ours are written for cameras other than those
of the measurement ("seen"), and for none ("blind").

    tools/bench.py exchange scene.ply --max-views 6 --scale 0.5 --npm /tmp/npm --json exchange.json

splat-transform and gaussforge take hours for a SOG of degree 3: --slow runs them, --only SPZ or
--only SOG leaves out the other format. A file that one of them wrote before is measured with
--made NAME=FILE.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.node_tools import NodeTools, Unavailable
from benchmarks.output import print_table, say, write_json
from benchmarks.peers import Gaussforge, Gsply, Peer, SplatTransform, Spz
from benchmarks.subject import Subject, add_view_options
from gscompress.codecs.guidance import Sightings
from gscompress.gaussians import Gaussians
from gscompress.importance import pick_views
from gscompress.importance.scores import sight
from gscompress.io import load, save
from gscompress.io.sog import SogFormat
from gscompress.io.spz import SpzFormat
from gscompress.metrics import psnr
from gscompress.render import get_renderer
from gscompress.virtual_cameras import virtual_cameras

SPZ_BITS = ((5, 4), (6, 6), (8, 8))
VIEWS = 32
VIEW_WIDTH = 400


@dataclass(frozen=True)
class Ours:
    """A format as we write it."""

    family: str
    setting: str
    ending: str
    format: SpzFormat | SogFormat
    slow: bool = False
    note: str = ""
    ours: bool = True
    subject: Subject | None = field(default=None, repr=False)
    """Whose cameras it is written for; None: for none."""

    def encode(self, ply: Path, scene: Gaussians, output: Path) -> None:
        chosen = self.format
        if self.subject is not None:
            chosen = replace(chosen, sightings=_sightings(scene, self.subject))
        chosen.save(scene, output)

    def decode(self, path: Path) -> Gaussians:
        return load(path, axes="RDF")


@dataclass(frozen=True)
class Made:
    """A file that lies there."""

    family: str
    path: Path
    setting: str = ""
    slow: bool = False
    note: str = ""
    ours: bool = False

    @property
    def ending(self) -> str:
        return self.path.suffix

    def encode(self, ply: Path, scene: Gaussians, output: Path) -> None:
        output.write_bytes(self.path.read_bytes())

    def decode(self, path: Path) -> Gaussians:
        return load(path, axes="RDF")


@dataclass(frozen=True)
class Row:
    """A file. ``skipped`` says why there are no numbers."""

    writer: str
    setting: str
    bytes: int = 0
    psnr: float = 0.0
    psnr_worst: float = 0.0
    cpu_seconds: float | None = None
    skipped: str = ""

    def cells(self) -> list[str]:
        if self.skipped:
            return [self.writer, self.setting, "-", "-", self.skipped]
        quality = f"{self.psnr:.2f} ({self.psnr_worst:.2f})"
        seconds = "" if self.cpu_seconds is None else f"{self.cpu_seconds:.1f}"
        return [self.writer, self.setting, f"{self.bytes:,}", quality, seconds]


def writers(node: NodeTools, subject: Subject) -> Iterator[Peer]:
    """Ours and theirs, those of equal settings together."""
    for bits in SPZ_BITS if subject.scene.sh_degree else SPZ_BITS[:1]:
        settings = SpzFormat(sh1_bits=bits[0], sh_rest_bits=bits[1], axes="RDF")
        name = f"SH {bits[0]}/{bits[1]} bits"
        yield Ours("SPZ v4 (gscompress)", f"{name}, seen", ".spz", settings, subject=subject)
        yield Ours("SPZ v4 (gscompress)", f"{name}, blind", ".spz", settings)
        yield Spz(node, *bits)
    yield Gsply(".spz", 4, setting="SH 8/8 bits")
    yield Gaussforge(".spz", 4, setting="SH 5/4 bits")
    yield SplatTransform(node, ".spz", 4, setting="SH 5/4 bits")
    yield Ours("SOG (gscompress)", "seen", ".sog", SogFormat(), subject=subject)
    yield Ours("SOG (gscompress)", "blind", ".sog", SogFormat())
    yield SplatTransform(node, ".sog", slow=subject.scene.sh_degree > 0)
    yield Gaussforge(".sog", slow=subject.scene.sh_degree > 0)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bench exchange",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scene", type=Path)
    add_view_options(parser)
    parser.add_argument("--only", metavar="TEXT", default="", help="writers with this in the name")
    parser.add_argument("--slow", action="store_true", help="also those that take hours")
    parser.add_argument("--made", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--npm", type=Path, default=Path("build/npm"), help="folder of npm tools")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    subject = Subject.load(options.scene, options)
    made = [Made(name, Path(path)) for name, _, path in (m.partition("=") for m in options.made)]
    asked = [
        writer
        for writer in writers(NodeTools(options.npm.absolute()), subject)
        if options.only.lower() in f"{writer.family} {writer.setting}".lower()
        and (options.slow or not writer.slow)
    ]
    with tempfile.TemporaryDirectory() as folder:
        ply = Path(folder) / "scene.ply"
        save(subject.scene, ply)
        both: list[Peer | Made] = [*asked, *made]
        rows = [measured(w, subject, ply, Path(folder), k) for k, w in enumerate(both)]
    print_table(
        f"{options.scene.name}: {len(subject.scene):,} Gaussians, {len(subject.test)} views",
        ["writer", "setting", "bytes", "PSNR, dB (worst view)", "CPU s"],
        [row.cells() for row in rows],
    )
    write_json(options.json, {"rows": [asdict(row) for row in rows]})
    return 0


def measured(writer: Peer, subject: Subject, ply: Path, folder: Path, number: int) -> Row:
    """The row of a writer."""
    path = folder / f"{number}{writer.ending}"
    try:
        before = _cpu_seconds()
        writer.encode(ply, subject.scene, path)
        seconds = None if isinstance(writer, Made) else _cpu_seconds() - before
        values = view_psnrs(subject, writer.decode(path))
    except Unavailable as error:
        return Row(writer.family, writer.setting, skipped=str(error))
    row = Row(
        writer.family,
        writer.setting,
        path.stat().st_size,
        float(np.mean(values)),
        min(values),
        seconds,
    )
    say(" ".join(row.cells()))
    return row


def view_psnrs(subject: Subject, decoded: Gaussians) -> list[float]:
    """PSNR in dB of each view."""

    def render(scene: Gaussians, number: int) -> np.ndarray:
        return subject.renderer.render(scene, subject.test[number]).image

    count = len(subject.test)
    return [float(psnr(render(decoded, k), render(subject.scene, k))) for k in range(count)]


def _sightings(scene: Gaussians, subject: Subject) -> Sightings:
    """From the training cameras, or else from virtual ones that are not measured at."""
    if subject.train is None:
        cameras = virtual_cameras(scene, VIEWS, width=VIEW_WIDTH, height=VIEW_WIDTH * 3 // 4)
        return sight(scene, cameras, get_renderer(subject.device))
    picked = pick_views(subject.train, VIEWS)
    shares = [min(1.0, VIEW_WIDTH / max(c.width, c.height)) for c in picked]
    small = [
        c.resized(round(c.width * share), round(c.height * share))
        for c, share in zip(picked, shares, strict=True)
    ]
    return sight(scene, small, get_renderer(subject.device))


def _cpu_seconds() -> float:
    """Of this process and of those that it has waited for."""
    return sum(os.times()[:4])
