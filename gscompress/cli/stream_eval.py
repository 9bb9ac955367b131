"""``gscompress stream eval``: a clip in numbers, frame by frame."""

from __future__ import annotations

import functools
import json
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gscompress.cli.examples import Verb
from gscompress.cli.measuring import (
    check_report_name,
    check_targets,
    select_views,
    view_options,
    write_csv,
    write_report,
)
from gscompress.cli.session import (
    Session,
    common_options,
    device_option,
    overwrite_option,
    pass_session,
    seed_option,
    with_views,
)
from gscompress.errors import InputError, QualityGateError, UsageError

if TYPE_CHECKING:
    from gscompress.report import ClipReport, Selection

MAX_ENCODED_BYTES = 1 << 28


_EXAMPLES = (
    (
        "gscompress stream eval clip/ frames/*.ply --report report.html",
        "Against the frames that it was made from.",
    ),
    (
        "gscompress stream eval clip/ frames/*.ply --min-psnr 38 --max-kbps 4000 -q",
        "A gate for scripts: exit code 3 if it is missed.",
    ),
)


@click.command(
    "eval",
    cls=Verb,
    short_help="Measure a clip, frame by frame.",
    examples=_EXAMPLES,
)
@click.argument("clip", metavar="CLIP")
@click.argument("frames", nargs=-1, metavar="[FRAME...]", type=click.Path(path_type=Path))
@view_options(
    "Photos of every frame: a folder for each camera, with its photos in the order of their "
    "numbers. They are told beside the renders of FRAMEs; without FRAMEs they are the truth.",
    "By default those beside the first FRAME; virtual ones where there are none.",
)
@click.option(
    "--photo-pattern",
    metavar="PATTERN",
    help="How the photos are named instead, for example {camera}/{frame:06d}.jpg; {folder} is what "
    "the camera's name has before its last slash.",
)
@click.option(
    "--check-access", is_flag=True, help="Decode each frame by itself too; exit with 3 if it is not"
    " the same, bit for bit."
)  # fmt: skip
@click.option(
    "--encode-json",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What 'stream encode --json' printed: it knows the encode seconds.",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="FILE",
    help="Write the result to FILE (.html or .json). Repeatable.",
)
@click.option("--csv", "csv_name", metavar="FILE", help="Write a row for each frame to FILE.")
@click.option(
    "--pictures",
    type=click.IntRange(0, 64),
    default=3,
    show_default=True,
    metavar="N",
    help="Show so many frames in the page.",
)
@click.option(
    "--min-psnr",
    type=float,
    metavar="DB",
    help="Exit with 3 if the PSNR of a frame is below: against the frames' renders; without FRAMEs "
    "against the photos.",
)
@click.option(
    "--max-kbps",
    type=float,
    metavar="N",
    help="Exit with 3 if the clip has more bits a second, in thousands.",
)
@device_option
@seed_option
@overwrite_option
@common_options
@pass_session
def verb(
    session: Session,
    /,
    clip: str,
    frames: tuple[Path, ...],
    min_psnr: float | None,
    max_kbps: float | None,
    **options: Any,
) -> None:
    """Measure a clip: bytes, what changes, decode times, and the quality of each frame.

    CLIP is a folder, its manifest.json, or an http or https URL of either. FRAMEs are the files
    that it was made from, all of them in order: their renders are the truth.
    """
    if min_psnr is not None and not (frames or options["images"]):
        raise UsageError("--min-psnr needs FRAMEs or --images to compare with")
    found, where = _evaluate(session, clip, frames, **options)
    session.result(found.to_dict(), functools.partial(_show, session, found, where))
    missed = _missed_gates(found, min_psnr, max_kbps)
    if missed:
        raise QualityGateError("; ".join(missed))


def _evaluate(
    session: Session,
    clip: str,
    frames: tuple[Path, ...],
    *,
    cameras: Path | None,
    images: Path | None,
    split: Any,
    photo_pattern: str | None,
    check_access: bool,
    encode_json: Path | None,
    reports: tuple[str, ...],
    csv_name: str | None,
    pictures: int,
    device: str,
    seed: int,
    overwrite: bool,
) -> tuple[ClipReport, str]:
    from gscompress.render import get_renderer
    from gscompress.report import evaluate_clip

    if photo_pattern is not None and images is None:
        raise UsageError("--photo-pattern needs --images")
    targets = [path for name in reports if (path := check_report_name(name))]
    table = None if csv_name is None else Path(csv_name)
    check_targets([*targets, *([table] if table else [])], overwrite=overwrite)
    seconds = None if encode_json is None else _encode_seconds(encode_json)
    selection, camera_file, where = _views(frames, cameras, images, split, seed)
    with session.progress() as progress:
        found = evaluate_clip(
            clip,
            frames,
            selection,
            images=images,
            photo_pattern=photo_pattern,
            renderer=get_renderer(device) if selection else None,
            check_access=check_access,
            pictures=pictures if any(path.suffix == ".html" for path in targets) else 0,
            encode_seconds=seconds,
            camera_file=camera_file,
            command=shlex.join(["gscompress", *sys.argv[1:]]),
            progress=with_views(progress, "measure"),
        )
    for path in targets:
        write_report(found, path, overwrite=overwrite)
    if table is not None:
        write_csv(found, table, overwrite=overwrite)
    return found, where


def _views(
    frames: Sequence[Path], cameras: Path | None, images: Path | None, split: Any, seed: int
) -> tuple[Selection | None, Path | None, str]:
    """The views, the file they are from, and what they are, for people."""
    from gscompress.cli.views import Views
    from gscompress.files import open_input

    for path in frames:
        open_input(path).close()
    if frames:
        chosen, where = select_views(frames[:1], cameras, images, split, seed)
        found = Views.find(cameras, frames[0])
        return chosen, None if found is None else found.source, where
    if images is None:
        return None, None, ""
    found = Views.find(cameras)
    if found is None:
        raise UsageError("--images needs cameras: give --cameras")
    chosen = found.select(split or "test")
    return chosen, found.source, found.describe(split or "test", len(chosen.cameras))


def _encode_seconds(path: Path) -> list[float]:
    """The seconds that ``stream encode --json`` told of each frame."""
    from gscompress.files import read_input

    try:
        document = json.loads(read_input(path, MAX_ENCODED_BYTES))
        seconds = [float(one["seconds"]) for one in document["per_frame"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            path,
            found=f"{type(error).__name__}: {error}",
            expected="output of stream encode --json",
        ) from error
    if not all(map(math.isfinite, seconds)):
        raise InputError(path, "seconds", found="no finite number", expected="seconds")
    return seconds


def _missed_gates(found: ClipReport, min_psnr: float | None, max_kbps: float | None) -> list[str]:
    """What is to be told of the gates that were missed."""
    missed = []
    worst = found.worst
    psnr = None if worst is None else found.quality(worst)
    if min_psnr is not None and worst is not None and psnr is not None and psnr < min_psnr:
        missed.append(
            f"the PSNR of frame {worst.frame} is {psnr:.3f} dB, below --min-psnr {min_psnr:g}"
        )
    if max_kbps is not None and found.kbps > max_kbps:
        missed.append(f"{found.kbps:,.0f} kbit/s are above --max-kbps {max_kbps:g}")
    if found.inaccessible:
        missed.append(
            f"frames {', '.join(map(str, found.inaccessible[:10]))} differ when decoded alone"
        )
    return missed


def _show(session: Session, found: ClipReport, where: str) -> None:
    from rich import box
    from rich.table import Table

    columns = {
        "frame": ("frame", "d"),
        "kind": ("kind", ""),
        "bytes": ("bytes", ",.0f"),
        "changed": ("changed_share", ".1%"),
        "born": ("births", ",d"),
        "died": ("deaths", ",d"),
        "PSNR": ("psnr", ".2f"),
        "photo": ("photo_psnr", ".2f"),
        "ms": ("decode_ms", ".1f"),
        "enc s": ("encode_seconds", ".1f"),
    }
    rows = [one.to_dict() for one in found.frames]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    optional = {"births", "deaths"}  # whose zeros say nothing
    known = {
        name: (key, form)
        for name, (key, form) in columns.items()
        if any(row[key] is not None and (row[key] or key not in optional) for row in rows)
    }
    for name in known:
        table.add_column(name, justify="left" if name == "kind" else "right", no_wrap=True)
    for row in rows:
        cells = [(row[key], form) for key, form in known.values()]
        table.add_row(*("" if value is None else format(value, form) for value, form in cells))
    session.table(table)
    _show_summary(session, found, found.summary())
    if where and found.protocol is not None:
        session.say(f"measured at {where}")


def _show_summary(session: Session, found: ClipReport, summary: dict[str, Any]) -> None:
    session.say(
        f"size       {found.manifest.bytes:,} bytes, {summary['bytes_per_frame']:,.0f} per frame, "
        f"{found.kbps:,.0f} kbit/s"
    )
    if summary["change_bytes_per_frame_per_100k"] is not None:
        session.say(
            f"changes    {summary['change_bytes_per_frame']:,.0f} bytes per frame, "
            f"{summary['change_bytes_per_frame_per_100k']:,.0f} per 100,000 Gaussians"
        )
    for name, key in (("PSNR", "psnr"), ("photo PSNR", "photo_psnr")):
        if summary[key] is not None:
            truth = "the frames' renders" if key == "psnr" else "photos"
            ssim = summary[key.replace("psnr", "ssim")]
            session.say(f"{name:<11}{summary[key]:.2f} dB, SSIM {ssim:.4f}, against {truth}")
    if summary["original_photo_psnr"] is not None:
        session.say(f"originals  {summary['original_photo_psnr']:.2f} dB against photos")
    if summary["worst_frame"] is not None:
        session.say(
            f"worst      {summary['worst_frame_psnr']:.2f} dB, frame {summary['worst_frame']}"
        )
    if summary["drift"] is not None:
        session.say(f"drift      {summary['drift']:+.3f} dB, {summary['slope']:+.4f} dB per frame")
    times = summary["decode_ms"]
    session.say(f"decode     {times['median']:.1f} ms per frame, longest {times['max']:.1f}")
    if summary["encode_seconds_per_frame"] is not None:
        session.say(f"encode     {summary['encode_seconds_per_frame']:.1f} s per frame")
    if summary["access_checked"]:
        differ = len(summary["access_failures"])
        text = f"{differ} frames differ" if differ else "every frame is the same"
        session.say(f"by itself  {text}, bit for bit")
