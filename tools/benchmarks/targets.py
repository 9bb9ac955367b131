"""Ten sizes and ten PSNRs asked for per scene, and what came.

A size is hit by a file that is at most 1 % smaller and not larger; a PSNR by one that is at most
0.1 dB better and not worse, as measured anew on the decoded file, at the scene's held-out cameras
(virtual ones, where it has none), which are the control views of the rate control. With --hold-out
the encoder is told nothing of them: some of its own cameras stand for them, and what it reached
there is told beside.

The targets lie between what the preset gives at two qualities. Stages are left out. What renders
say of the scene is asked once for all targets, and its seconds are told once.

    tools/bench.py targets bonsai.ply scenes/demo.ply statue/meta.json --cache targets.json
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import print_table, say, write_json
from benchmarks.store import Store, code_digest
from benchmarks.subject import Subject, add_view_options
from gscompress.codecs.guidance import Guidance
from gscompress.config import Config, load_config
from gscompress.errors import InputError
from gscompress.importance.scores import look
from gscompress.pipeline import decompress
from gscompress.rate import Encoder, make_goal, octaves_of_quality, scaled
from gscompress.rate.goals import PSNR_TOLERANCE, SIZE_TOLERANCE
from gscompress.stages.base import Context

COUNT = 10
QUALITIES = 35.0, 85.0


@dataclass(frozen=True)
class Row:
    """One target: bytes or dB.

    Attributes:
        scene: Name of the scene.
        kind: "size" or "psnr".
        target: What was asked for.
        reached: What the decoded file has; None where the encoder refused.
        promised: What the encoder said that it reached.
        hit: Whether it is within the tolerance.
        encodes: How often the scene was encoded.
        seconds: Until the file was there.
        error: Why the encoder refused.
    """

    scene: str
    kind: str
    target: float
    reached: float | None
    promised: float | None
    hit: bool
    encodes: int
    seconds: float
    error: str = ""


class Range:
    """A scene, a configuration, and what they can reach."""

    def __init__(self, subject: Subject, config: Config, *, hold_out: bool) -> None:
        self.subject = subject
        self.config = config
        self._hold_out = hold_out

    @cached_property
    def _context(self) -> Context:
        control = () if self._hold_out else self.subject.test
        subject = self.subject
        ctx = Context(subject.scene, subject.train, device=subject.device, control=control)
        return make_goal(target_psnr=1).prepare(ctx)

    @cached_property
    def _guidance(self) -> Guidance:
        started = time.perf_counter()
        found = look(self.subject.scene, self.config.attributes, self._context)
        say(f"looked at the scene in {time.perf_counter() - started:.1f} s")
        vars(self._context)["renderer"] = self.subject.renderer  # which remembers the truth
        return found

    def ends(self, kind: str, qualities: tuple[float, float]) -> tuple[float, float]:
        """Size or PSNR at two qualities."""
        found = []
        for quality in qualities:
            config = scaled(self.config, octaves_of_quality(quality))
            encoded = self._encoder().encode(config)
            size = kind == "size"
            found.append(float(encoded.size) if size else self.subject.psnr(encoded.decoded))
        return found[0], found[1]

    def reach(self, kind: str, target: float) -> Row:
        """Ask for one target, and measure the file that comes."""
        size = kind == "size"
        goal = make_goal(target_size=int(target)) if size else make_goal(target_psnr=target)
        encoder = self._encoder()
        started = time.perf_counter()
        path = self.subject.path.resolve()
        name = f"{path.parent.name}/{path.name}"  # many are called point_cloud.ply
        try:
            encoded, rate = goal.reach(self.config, encoder, self._context)
        except InputError as error:
            seconds = time.perf_counter() - started
            return Row(name, kind, target, None, None, False, encoder.count, seconds, str(error))
        seconds = time.perf_counter() - started
        assert rate is not None
        data = encoded.container.to_bytes()
        reached = float(len(data)) if size else self.subject.psnr(decompress(data))
        hit = _hits(kind, target, reached)
        return Row(name, kind, target, reached, rate["reached"], hit, encoder.count, seconds)

    def _encoder(self) -> Encoder:
        scene = self.subject.scene
        return Encoder(scene, scene, self._guidance)


def targets_between(kind: str, low: float, high: float, count: int) -> list[float]:
    """Round numbers from ``low`` to ``high``: bytes in equal ratios, dB in equal steps."""
    if kind == "psnr":
        return [round(float(target), 1) for target in np.linspace(low, high, count)]
    return [float(f"{target:.3g}") for target in np.geomspace(low, high, count)]


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    store, rows = Store(options.cache), []
    config = load_config(options.preset, stages="none")
    for path in options.scenes:
        subject = Subject.load(path, options)
        span = Range(subject, config, hold_out=options.hold_out)
        rows += list(_rows(span, options, store))
    columns = ["scene", "target", "reached", "off by", "hit", "encodings", "seconds", "note"]
    print_table(f"Targets, preset {options.preset}", columns, map(_cells, rows))
    _summarize(rows)
    write_json(options.json, {"preset": options.preset, "rows": [asdict(row) for row in rows]})
    return 0


def _rows(span: Range, options: argparse.Namespace, store: Store) -> Iterator[Row]:
    base = {
        "question": "targets",
        "subject": span.subject.digest,
        "train": span.subject.train_digest,
        "config": span.config.to_dict(),
        "code": code_digest(),
    }
    qualities = options.qualities
    for kind in ("size", "psnr"):
        key = {**base, "ends": kind, "qualities": qualities}
        low, high = store.get(key, partial(span.ends, kind, qualities))
        for target in targets_between(kind, low, high, options.count):
            key = {**base, "kind": kind, "target": target, "hold_out": options.hold_out}
            row = Row(**store.get(key, partial(_reached, span, kind, target)))
            say("  ".join(_cells(row)))
            yield row


def _reached(span: Range, kind: str, target: float) -> dict[str, Any]:
    return asdict(span.reach(kind, target))


def _hits(kind: str, target: float, reached: float) -> bool:
    if kind == "size":
        return target * (1 - SIZE_TOLERANCE) <= reached <= target
    return target <= reached <= target + PSNR_TOLERANCE


def _summarize(rows: list[Row]) -> None:
    print()
    for scene in dict.fromkeys(row.scene for row in rows):
        for kind in ("size", "psnr"):
            own = [row for row in rows if (row.scene, row.kind) == (scene, kind)]
            hits, seconds = sum(row.hit for row in own), [row.seconds for row in own]
            encodes = np.mean([row.encodes for row in own])
            print(
                f"{scene}, {kind}: {hits} of {len(own)} hit, after {encodes:.1f} encodings; "
                f"{np.mean(seconds):.1f} s each, {max(seconds):.1f} s at most"
            )


def _cells(row: Row) -> list[str]:
    size = row.kind == "size"
    target = f"{row.target:,.0f} bytes" if size else f"{row.target:.1f} dB"
    if row.reached is None:
        reached, off = "refused", ""
    elif size:
        reached, off = f"{row.reached:,.0f}", f"{100 * (row.reached / row.target - 1):+.2f} %"
    else:
        reached, off = f"{row.reached:.3f}", f"{row.reached - row.target:+.3f} dB"
    note = row.error
    if not size and row.promised is not None and abs(row.promised - (row.reached or 0)) > 1e-3:
        note = f"{row.promised:.3f} dB at the encoder's own control views"
    hit = "hit" if row.hit else "MISS"
    return [row.scene, target, reached, off, hit, str(row.encodes), f"{row.seconds:.1f}", note]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py targets", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scenes", type=Path, nargs="+", help="scenes in any format")
    add_view_options(parser)
    parser.add_argument("--preset", default="balanced", help="default: balanced")
    parser.add_argument("--count", type=int, default=COUNT, help=f"of each; default: {COUNT}")
    parser.add_argument(
        "--qualities",
        type=float,
        nargs=2,
        default=QUALITIES,
        help=f"the targets lie between them; default: {QUALITIES[0]:g} {QUALITIES[1]:g}",
    )
    parser.add_argument(
        "--hold-out", action="store_true", help="do not tell the encoder where it is measured"
    )
    parser.add_argument("--cache", type=Path, help="JSON of what earlier runs have measured")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)
