"""``gscompress clean``: remove floaters and what lies outside, and look whether it is missed."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gscompress.cli.examples import Verb
from gscompress.cli.measuring import select_views
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
    from gscompress.cleaning import Cleaner
    from gscompress.gaussians import Gaussians
    from gscompress.report import Report


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers with commas between them.

    Args:
        names: What each of them is: ``X,Y,Z,R``.
    """

    def __init__(self, names: str) -> None:
        self.name = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn ``0,0,1.5`` into (0.0, 0.0, 1.5)."""
        try:
            numbers = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != len(self.name.split(",")):
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return numbers


_EXAMPLES = (
    (
        "gscompress clean scene.ply clean.ply --min-opacity 0.02 --min-psnr 45",
        "Removes what is faint, unless that is seen.",
    ),
    (
        "gscompress clean scene.ply clean.ply --statistical 2",
        "Removes floaters (needs the extra open3d).",
    ),
    (
        "gscompress clean scene.ply table.ply --box -1,-1,-1,1,1,1",
        "Keeps what lies in a box.",
    ),
)


@click.command(
    "clean",
    cls=Verb,
    short_help="Remove floaters and what lies outside.",
    examples=_EXAMPLES,
)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--box",
    type=Numbers("X0,Y0,Z0,X1,Y1,Z1"),
    metavar="X0,Y0,Z0,X1,Y1,Z1",
    help="Keep what lies between these corners.",
)
@click.option(
    "--sphere", type=Numbers("X,Y,Z,R"), metavar="X,Y,Z,R", help="Keep what lies in this ball."
)
@click.option("--min-opacity", type=float, metavar="O", help="Remove what is fainter, 0 to 1.")
@click.option("--max-scale", type=float, metavar="S", help="Remove what is larger, in world units.")
@click.option(
    "--radius",
    type=float,
    metavar="R",
    help="Remove what has fewer than --neighbours others within R (needs the extra open3d).",
)
@click.option(
    "--statistical",
    type=float,
    metavar="K",
    help="Remove what is further from its --neighbours than usual by K standard deviations "
    "(needs the extra open3d); 2 is a good start.",
)
@click.option(
    "--neighbours",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="How many --radius wants and --statistical looks at.",
)
@click.option(
    "--min-psnr",
    type=float,
    metavar="DB",
    help="Write nothing, and exit with 3, if the PSNR against the renders of IN is below.",
)
@click.option(
    "--cameras",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Where --min-psnr looks from: cameras.json, transforms.json, COLMAP, dataset. By default "
    "those beside IN; virtual ones where there are none.",
)
@click.option(
    "--split",
    type=click.Choice(["test", "train", "all"]),
    help="Look from these of the cameras.  [default: test]",
)
@device_option
@seed_option
@overwrite_option
@common_options
@pass_session
def verb(session: Session, /, source: Path, target: Path, **options: Any) -> None:
    """Remove from the scene IN what does not belong to it, and write OUT.

    What is asked for is done in the order of the options here. All lengths are in the units of
    IN's positions. OUT may be of any format; a .gsz is written with the preset fast.
    """
    document = _clean(session, source, target, **options)
    session.result(document, functools.partial(_show, session, document))


def _clean(
    session: Session,
    source: Path,
    target: Path,
    *,
    min_psnr: float | None,
    cameras: Path | None,
    split: Any,
    device: str,
    seed: int,
    overwrite: bool,
    **filters: Any,
) -> dict[str, Any]:
    from gscompress.cleaning import clean
    from gscompress.files import open_input
    from gscompress.io import format_for_name, load, save
    from gscompress.io.atomic import refuse_existing

    cleaners = _cleaners(**filters)
    if min_psnr is None and (cameras or split):
        raise UsageError(f"{'--cameras' if cameras else '--split'} needs --min-psnr")
    format_for_name(target)
    if not overwrite:
        refuse_existing(target)
    open_input(source).close()
    scene = load(source)
    kept, log = clean(scene, cleaners)
    document: dict[str, Any] = {
        "input": str(source),
        "output": str(target),
        "gaussians_in": len(scene),
        "gaussians_out": len(kept),
        "filters": [
            {"name": r.name, "gaussians_in": r.gaussians_in, "gaussians_out": r.gaussians_out}
            for r in log
        ],
        "psnr": None,
        "psnr_worst": None,
        "measured_at": None,
    }
    if min_psnr is not None:
        report, where = _look(session, source, (scene, kept), cameras, split, device, seed)
        document |= {
            "psnr": report.psnr,
            "psnr_worst": report.worst.test.psnr,
            "measured_at": where,
        }
        if report.psnr < min_psnr:
            raise QualityGateError(
                f"without the {len(scene) - len(kept):,} Gaussians the PSNR is {report.psnr:.3f} "
                f"dB, below --min-psnr {min_psnr:g}, at {where}; nothing was written"
            )
    save(kept, target, overwrite=overwrite)
    return document | {
        "input_bytes": source.stat().st_size,
        "output_bytes": target.stat().st_size,
    }


def _cleaners(
    *,
    box: tuple[float, float, float, float, float, float] | None,
    sphere: tuple[float, float, float, float] | None,
    min_opacity: float | None,
    max_scale: float | None,
    radius: float | None,
    statistical: float | None,
    neighbours: int,
) -> list[tuple[str, Cleaner]]:
    """What is asked for, in the order in which it is done.

    Raises:
        UsageError: Nothing is, or something makes no sense.
    """
    from gscompress.cleaning import Box, Opacity, Radius, Scale, Sphere, Statistical

    found: list[tuple[str, Cleaner]] = []
    try:
        if box is not None:
            found.append(("box", Box(box[:3], box[3:])))
        if sphere is not None:
            found.append(("sphere", Sphere(sphere[:3], sphere[3])))
        if min_opacity is not None:
            found.append(("opacity", Opacity(min_opacity)))
        if max_scale is not None:
            found.append(("scale", Scale(max_scale)))
        if radius is not None:
            found.append(("radius", Radius(radius, neighbours)))
        if statistical is not None:
            found.append(("statistical", Statistical(statistical, neighbours)))
    except InputError as error:
        raise UsageError(str(error)) from error
    if not found:
        raise UsageError(
            "nothing to remove: give --box, --sphere, --min-opacity, --max-scale, --radius or "
            "--statistical"
        )
    return found


def _look(
    session: Session,
    source: Path,
    scenes: tuple[Gaussians, Gaussians],
    cameras: Path | None,
    split: Any,
    device: str,
    seed: int,
) -> tuple[Report, str]:
    """Render what was and what is left."""
    from gscompress.render import get_renderer
    from gscompress.report import evaluate

    views, where = select_views((source,), cameras, None, split, seed)
    with session.progress() as progress:
        report = evaluate(
            *scenes,
            views,
            renderer=get_renderer(device),
            pictures=False,
            progress=with_views(progress, "measure"),
        )
    return report, where


def _show(session: Session, document: dict[str, Any]) -> None:
    for found in document["filters"]:
        before, after = found["gaussians_in"], found["gaussians_out"]
        session.say(f"{found['name']:<12}{before:>12,} -> {after:,}, {before - after:,} removed")
    share = document["gaussians_out"] / max(1, document["gaussians_in"])
    session.say(
        f"{'all':<12}{document['gaussians_in']:>12,} -> {document['gaussians_out']:,}, "
        f"{share:.1%} kept"
    )
    if document["psnr"] is not None:
        session.say(
            f"PSNR        {document['psnr']:.2f} dB against the renders of the input (worst view "
            f"{document['psnr_worst']:.2f}), at {document['measured_at']}"
        )
    session.say(f"{document['output']}: {document['output_bytes']:,} bytes")
