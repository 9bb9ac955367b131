"""``gscompress eval``: one scene against its reference, in numbers."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
    from gscompress.report import Report


@click.command("eval", short_help="Measure a scene against its reference.")
@click.argument("reference", metavar="REF", type=click.Path(path_type=Path))
@click.argument("test", metavar="TEST", type=click.Path(path_type=Path))
@click.option(
    "--cameras",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="cameras.json, transforms.json, COLMAP, dataset. By default those beside REF or TEST.",
)
@click.option(
    "--images",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Photos named as the cameras are: the truth, instead of the renders of REF.",
)
@click.option(
    "--split",
    type=click.Choice(["test", "train", "all"]),
    help="Measure at these of the cameras.  [default: test]",
)
@click.option("--min-psnr", type=float, metavar="DB", help="Exit with 3 if the mean PSNR is below.")
@click.option("--report", metavar="FILE", help="Write the result to FILE (.html or .json).")
@click.option("--lpips", type=click.Choice(["alex", "vgg"]), help="Measure LPIPS as well (slow).")
@click.option("--fps", is_flag=True, help="Measure frames per second as well.")
@device_option
@seed_option
@overwrite_option
@common_options
@pass_session
def verb(session: Session, /, reference: Path, test: Path, **options: Any) -> None:
    """Measure the scene TEST against the scene REF.

    The truth is the renders of REF, or with --images the photos.
    """
    report, where = _evaluate(session, reference, test, **options)
    session.result(report.to_dict(), functools.partial(_show, session, report, where))
    least = options["min_psnr"]
    if least is not None and report.psnr < least:
        raise QualityGateError(f"the PSNR is {report.psnr:.3f} dB, below --min-psnr {least:g}")


def check_report_name(name: str | None) -> Path | None:
    """The path of a report, whose ending says its kind."""
    if name is None:
        return None
    path = Path(name)
    if path.suffix not in (".html", ".json"):
        raise UsageError(f"--report {name}: its name must end in .html or .json")
    return path


def write_report(report: Report, path: Path, *, overwrite: bool) -> None:
    """Write a report, as HTML or as JSON."""
    from gscompress.io.atomic import atomic_write

    if path.suffix == ".html":
        report.to_html(path, overwrite=overwrite)
        return
    with atomic_write(path, overwrite=overwrite) as file:
        file.write(report.to_json().encode())


def _evaluate(
    session: Session,
    reference: Path,
    test: Path,
    *,
    cameras: Path | None,
    images: Path | None,
    split: Any,
    report: str | None,
    lpips: Any,
    fps: bool,
    device: str,
    seed: int,
    overwrite: bool,
    min_psnr: float | None,
) -> tuple[Report, str]:
    from gscompress.cli.views import Views
    from gscompress.files import open_input
    from gscompress.io import load
    from gscompress.io.atomic import refuse_existing
    from gscompress.render import get_renderer
    from gscompress.report import evaluate

    target = check_report_name(report)
    if target is not None and not overwrite:
        refuse_existing(target)
    for path in (reference, test):
        open_input(path).close()
    renderer = get_renderer(device)
    views = Views.find(cameras, reference, test)
    if views is None and (images or split):
        option = "--images" if images else "--split"
        raise UsageError(f"{option} needs cameras, and there are none: give --cameras")
    split = split or "test"
    views = views or Views.virtual(_not_empty(load(reference), reference), seed)
    chosen = views.select(split)
    with session.progress() as progress:
        result = evaluate(
            reference,
            test,
            chosen,
            images=images,
            renderer=renderer,
            lpips=lpips,
            measure_fps=fps,
            pictures=target is not None,
            progress=with_views(progress, "measure"),
        )
    if target is not None:
        write_report(result, target, overwrite=overwrite)
    return result, views.describe(split, len(chosen.cameras))


def _not_empty(scene: Any, path: Path) -> Any:
    if len(scene) == 0:
        raise InputError(path, found="no Gaussians", expected="a scene that can be seen")
    return scene


def _show(session: Session, report: Report, where: str) -> None:
    truth = "the input's renders" if report.reference_scores is None else "the photos"
    session.say(f"PSNR       {report.psnr:.2f} dB against {truth}")
    session.say(f"worst view {report.worst.test.psnr:.2f} dB, {report.worst.name}")
    session.say(f"SSIM       {report.ssim:.4f}")
    if report.lpips is not None:
        session.say(f"LPIPS      {report.lpips:.4f}")
    if report.reference_scores is not None:
        session.say(f"reference  {report.reference_scores.psnr:.2f} dB against the photos")
        session.say(f"lost       {report.psnr_drop:.2f} dB")
    if report.fps is not None and report.reference_fps is not None:
        session.say(f"FPS        {report.reference_fps:.1f} -> {report.fps:.1f} on {report.device}")
    if report.bytes is not None and report.bits_per_gaussian is not None:
        session.say(
            f"size       {report.bytes:,} bytes, {report.bits_per_gaussian:.1f} bits per Gaussian"
        )
    session.say(f"measured at {where}")
