"""``gscompress eval``: one scene against its reference, in numbers."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gscompress.cli.examples import Verb
from gscompress.cli.measuring import (
    check_report_name,
    measuring_options,
    select_views,
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
from gscompress.errors import QualityGateError

if TYPE_CHECKING:
    from gscompress.report import Report


_EXAMPLES = (
    (
        "gscompress eval scene.ply scene.gsz",
        "PSNR and SSIM at the held-out cameras beside scene.ply.",
    ),
    (
        "gscompress eval scene.ply scene.gsz --images images --report report.html",
        "On photos, with a page to look at.",
    ),
    (
        "gscompress eval scene.ply scene.gsz --min-psnr 35 -q",
        "A gate for scripts: exit code 3 if it is missed.",
    ),
)


@click.command(
    "eval",
    cls=Verb,
    short_help="Measure a scene against its reference.",
    examples=_EXAMPLES,
)
@click.argument("reference", metavar="REF", type=click.Path(path_type=Path))
@click.argument("test", metavar="TEST", type=click.Path(path_type=Path))
@measuring_options
@click.option("--min-psnr", type=float, metavar="DB", help="Exit with 3 if the mean PSNR is below.")
@click.option("--report", metavar="FILE", help="Write the result to FILE (.html or .json).")
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
    from gscompress.io.atomic import refuse_existing
    from gscompress.render import get_renderer
    from gscompress.report import evaluate

    target = check_report_name(report)
    if target is not None and not overwrite:
        refuse_existing(target)
    renderer = get_renderer(device)
    chosen, where = select_views((reference, test), cameras, images, split, seed)
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
    return result, where


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
