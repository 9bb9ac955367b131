"""``gscompress compare``: several files against the scene they were made from, on one page."""

from __future__ import annotations

import functools
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gscompress.cli.examples import Verb
from gscompress.cli.measuring import (
    check_report_name,
    check_targets,
    measuring_options,
    select_views,
    write_csv,
    write_report,
)
from gscompress.cli.render import Size
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
    from gscompress.report import Comparison, Report

MAX_SUMMARY_BYTES = 1 << 26


_EXAMPLES = (
    (
        "gscompress compare scene.ply a.gsz b.spz c.sog -o report.html",
        "One page that needs no network.",
    ),
    (
        "gscompress compare scene.ply *.gsz --every 4 --csv table.csv",
        "At every fourth view, as a table.",
    ),
    (
        "gscompress compare scene.ply scene.gsz --min-psnr 35 --max-size 5MB -q",
        "A gate for scripts: exit code 3 if it is missed.",
    ),
)


@click.command(
    "compare",
    cls=Verb,
    short_help="Compare several files with the scene they were made from.",
    examples=_EXAMPLES,
)
@click.argument("reference", metavar="REF", type=click.Path(path_type=Path))
@click.argument(
    "tests", nargs=-1, required=True, metavar="TEST...", type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Write the report to FILE (.html or .json). Repeatable.",
)
@click.option(
    "--csv",
    "csv_name",
    metavar="FILE",
    help="Write a row for each file and view to FILE.",
)
@measuring_options
@click.option(
    "--every", type=click.IntRange(min=1), default=1, metavar="N", help="Use every Nth view."
)
@click.option("--size", type=Size(), metavar="WxH", help="Size of the renders, instead of theirs.")
@click.option(
    "--pictures",
    type=click.IntRange(0, 64),
    default=3,
    show_default=True,
    metavar="N",
    help="Show so many views in the page, from the most to the least changed.",
)
@click.option(
    "--encoded",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What 'compress --json' or 'convert --json' printed: it knows the encode seconds. "
    "Repeatable.",
)
@click.option(
    "--min-psnr", type=float, metavar="DB", help="Exit with 3 if the mean PSNR of a file is below."
)
@click.option(
    "--max-size", metavar="SIZE", help="Exit with 3 if a file is larger: 800kB, 5MB, 5MiB."
)
@device_option
@seed_option
@overwrite_option
@common_options
@pass_session
def verb(
    session: Session,
    /,
    reference: Path,
    tests: tuple[Path, ...],
    min_psnr: float | None,
    max_size: str | None,
    **options: Any,
) -> None:
    """Compare the files TEST with the scene REF that they were made from.

    Every file is measured as 'eval' does it, at the same views. The page (-o report.html) holds
    the table, a plot of rate and distortion, pictures to slide between, and how it was measured;
    it needs no network.
    """
    limit = _limit(max_size)
    found, where = _compare(session, reference, tests, **options)
    session.result(found.to_dict(), functools.partial(_show, session, found, where))
    missed = _missed_gates(found, min_psnr, limit)
    if missed:
        told = "; ".join(f"{name}: {' and '.join(misses)}" for name, misses in missed.items())
        raise QualityGateError(f"{len(missed)} of {len(found.names)} files missed a gate: {told}")


def _limit(max_size: str | None) -> int | None:
    from gscompress.rate import parse_size

    if max_size is None:
        return None
    try:
        return parse_size(max_size)
    except InputError as error:
        raise UsageError(f"--max-size: {error}") from error


def _compare(
    session: Session,
    reference: Path,
    tests: tuple[Path, ...],
    *,
    outputs: tuple[str, ...],
    csv_name: str | None,
    cameras: Path | None,
    images: Path | None,
    split: Any,
    lpips: Any,
    fps: bool,
    every: int,
    size: tuple[int, int] | None,
    pictures: int,
    encoded: tuple[Path, ...],
    device: str,
    seed: int,
    overwrite: bool,
) -> tuple[Comparison, str]:
    from gscompress.render import get_renderer
    from gscompress.report import compare

    if size and images:
        raise UsageError("--size excludes --images: views have the size of their photos")
    reports = [path for name in outputs if (path := check_report_name(name, "-o"))]
    table = None if csv_name is None else Path(csv_name)
    check_targets([*reports, *([table] if table else [])], overwrite=overwrite)
    renderer = get_renderer(device)
    seconds = _encode_seconds(encoded, tests)
    selection, where = select_views((reference, *tests), cameras, images, split, seed)
    if every > 1:
        selection = selection.thinned(every)
        where = f"{len(selection.cameras)} of {where}"
    if size:
        selection = selection.resized(*size)
    with session.progress() as progress:
        found = compare(
            reference,
            tests,
            selection,
            images=images,
            renderer=renderer,
            lpips=lpips,
            measure_fps=fps,
            pictures=pictures if any(path.suffix == ".html" for path in reports) else 0,
            encode_seconds=seconds,
            command=shlex.join(["gscompress", *sys.argv[1:]]),
            progress=with_views(progress, "measure"),
        )
    for path in reports:
        write_report(found, path, overwrite=overwrite)
    if table is not None:
        write_csv(found, table, overwrite=overwrite)
    return found, where


def _encode_seconds(summaries: Sequence[Path], tests: Sequence[Path]) -> dict[str, float]:
    """The seconds that ``compress`` or ``convert`` told, of the files written that are here."""
    from gscompress.files import read_input

    told: dict[Path, float] = {}
    for path in summaries:
        try:
            document = json.loads(read_input(path, MAX_SUMMARY_BYTES))
            entries = document["files"] if "files" in document else [document]
            done = [entry for entry in entries if "error" not in entry]
            told |= {Path(e["output"]).resolve(): float(e["seconds"]) for e in done}
        except (ValueError, TypeError, KeyError) as error:
            broken = isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
            raise InputError(
                path,
                found=f"no JSON: {error}" if broken else "JSON that says something else",
                expected="what compress --json or convert --json printed",
            ) from error
    return {str(test): told[test.resolve()] for test in tests if test.resolve() in told}


def _missed_gates(
    found: Comparison, min_psnr: float | None, limit: int | None
) -> dict[str, list[str]]:
    """What each file that misses a gate is to be told."""
    missed: dict[str, list[str]] = {}
    for name, report in zip(found.names, found.reports, strict=True):
        if min_psnr is not None and report.psnr < min_psnr:
            text = f"PSNR {report.psnr:.3f} dB is below --min-psnr {min_psnr:g}"
            missed.setdefault(name, []).append(text)
        if limit is not None and (report.bytes or 0) > limit:
            text = f"{report.bytes:,} bytes are above --max-size {limit:,}"
            missed.setdefault(name, []).append(text)
    return missed


def _show(session: Session, found: Comparison, where: str) -> None:
    from rich import box
    from rich.table import Table

    columns: dict[str, Callable[[Report], tuple[float | None, str]]] = {
        "bytes": lambda report: (report.bytes, ",d"),
        "ratio": lambda report: (report.ratio, ".1f"),
        "bits each": lambda report: (report.bits_per_gaussian, ".1f"),
        "PSNR": lambda report: (report.psnr, ".2f"),
        "worst": lambda report: (report.worst.test.psnr, ".2f"),
        "SSIM": lambda report: (report.ssim, ".4f"),
        "LPIPS": lambda report: (report.lpips, ".4f"),
        "drop": lambda report: (report.psnr_drop, ".2f"),
        "FPS": lambda report: (report.fps, ".1f"),
    }
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, collapse_padding=True)
    table.add_column("file", overflow="fold", min_width=10)
    rows = [[name] for name in found.names]
    for name, pick in columns.items():
        cells = [pick(report) for report in found.reports]
        if all(value is None for value, _ in cells):
            continue
        table.add_column(name, justify="right", no_wrap=True)
        for row, (value, form) in zip(rows, cells, strict=True):
            row.append("" if value is None else format(value, form))
    for row in rows:
        table.add_row(*row)
    session.table(table)
    truth = "" if found.reports[0].reference_scores is None else " and the photos"
    session.say(f"against {found.reference.path}{truth}, measured at {where}")
