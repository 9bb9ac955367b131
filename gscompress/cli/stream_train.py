"""``gscompress stream train``: a clip from a first frame and synchronised photos."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gscompress.cli.examples import Verb
from gscompress.cli.session import (
    Session,
    common_options,
    device_option,
    overwrite_option,
    pass_session,
    seed_option,
)
from gscompress.errors import InputError, MissingDependencyError, UsageError

if TYPE_CHECKING:
    from gscompress.stream.training.online import FrameReport
    from gscompress.stream.training.settings import QueenSettings


_EXAMPLES = (
    (
        "gscompress stream train --init frame_0.ply --images images -o clip/",
        "From the photos images/<camera>/<frame>.jpg.",
    ),
    (
        "gscompress stream train --init frame_0.ply --images images -o clip/ --frames 10",
        "A quick trial.",
    ),
)


@click.command(
    "train",
    cls=Verb,
    short_help="Learn a clip from a first frame and photos.",
    examples=_EXAMPLES,
)
@click.option("--init", required=True, metavar="SCENE", help="Frame 0: any format.")
@click.option(
    "--images", required=True, metavar="DIR", help="Photos: DIR/<camera>/<frame>.jpg, all frames."
)
@click.option(
    "--cameras", metavar="PATH", help="cameras.json, transforms.json, COLMAP; default: beside SCENE"
)
@click.option("-o", "--output", required=True, metavar="DIR", help="The clip's folder.")
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    help="How many, frame 0 included.  [default: all there are photos of]",
)
@click.option(
    "--steps",
    type=click.IntRange(min=0),
    default=270,
    show_default=True,
    help="Per frame, one view each.",
)
@click.option(
    "--downscale",
    type=click.FloatRange(min=1),
    default=1.0,
    show_default=True,
    help="Learn from photos with sides this many times as short.",
)
@click.option(
    "--sparsity",
    type=click.FloatRange(min=0),
    help="Price of changes: ten times as much makes frames about a third the size.",
)
@click.option(
    "--gop",
    type=click.IntRange(min=1),
    help="A key frame every so many frames.  [default: where changes take more than half of one]",
)
@click.option(
    "--births",
    type=click.FloatRange(min=0, max=1),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Where something moves, let up to this share of new Gaussians be born in each frame.",
)
@click.option(
    "--masks",
    metavar="DIR",
    help="DIR/<camera>/<frame>.png, white where something moves: only that is learned.",
)
@click.option(
    "--background",
    type=click.FloatRange(min=0, max=1),
    metavar="SHARE",
    help="With --masks: how much of what changes elsewhere is learned.  [default: 0]",
)
@click.option("--fps", type=float, default=30.0, show_default=True, help="Frames per second.")
@click.option(
    "--preset", metavar="NAME", default="quality", show_default=True, help="Of key frames."
)
@device_option
@seed_option
@overwrite_option
@common_options
@pass_session
def verb(
    session: Session,
    /,
    init: str,
    images: str,
    cameras: str | None,
    output: str,
    frames: int | None,
    overwrite: bool,
    device: str,
    **options: Any,
) -> None:
    """Learn a dynamic scene online, frame by frame, after QUEEN (arXiv:2412.04469).

    Each frame is learned as a change of the decoded one before and written at once, so that the
    same command goes on after an interruption. Held-out cameras, if the cameras have any and there
    are photos of them, measure what comes out.
    """
    if options["background"] is not None and options["masks"] is None:
        raise UsageError("--background needs --masks: without them there is none")
    if importlib.util.find_spec("torch") is None:
        raise MissingDependencyError("torch", "torch", "learning a clip")
    from gscompress.cli.views import Views
    from gscompress.io import load
    from gscompress.render import get_renderer
    from gscompress.stream.training.footage import find_footage, with_masks
    from gscompress.stream.training.online import ClipTrainer

    views = Views.find(None if cameras is None else Path(cameras), Path(init))
    if views is None:
        raise InputError(init, found="no cameras beside it", remedy="Give them: --cameras")
    footage = find_footage(views.train, images)
    if options["masks"] is not None:
        footage = with_masks(footage, options["masks"])
    control = find_footage(views.test, images) if views.test else None
    settings = _settings(options)
    renderer, scene = get_renderer(device), load(init)
    folder = _folder(Path(output), overwrite=overwrite)
    with session.progress() as progress:
        trainer = ClipTrainer(
            folder,
            footage,
            renderer,
            settings,
            options["preset"],
            options["fps"],
            device,
            control,
            progress,
            gop=options["gop"] or 0,
        )
        manifest = trainer.run(scene, frames or len(footage))
    document = _document(folder, manifest.bytes, trainer.reports, renderer.device)
    session.result(document, functools.partial(_show, session, document))


def _settings(options: dict[str, Any]) -> QueenSettings:
    from gscompress.stream.training.settings import BirthSettings, MotionSettings, QueenSettings

    settings = QueenSettings(
        steps=options["steps"], scale=1 / options["downscale"], seed=options["seed"]
    )
    if options["sparsity"] is not None:
        settings = settings.replace(sparsity=options["sparsity"])
    if options["background"] is not None:
        settings = settings.replace(motion=MotionSettings(background=options["background"]))
    if options["births"]:
        settings = settings.replace(births=BirthSettings(share=options["births"]))
    return settings


def _folder(target: Path, *, overwrite: bool) -> Path:
    """The clip's folder; one that holds a clip is gone on with, or with ``-w`` started anew.

    Raises:
        InputError: There is something else.
    """
    if target.exists():
        if not target.is_dir() or (
            any(target.iterdir()) and not (target / "manifest.json").exists()
        ):
            raise InputError(
                target, found="something that is no clip", expected="a clip, or nothing there"
            )
        if overwrite:
            shutil.rmtree(target)
    if not target.parent.is_dir():
        raise InputError(target.parent, found="no folder", expected="one to write the clip into")
    target.mkdir(exist_ok=True)
    return target


def _document(folder: Path, size: int, reports: list[FrameReport], device: str) -> dict[str, Any]:
    changes = [report for report in reports if report.kind != "key"]
    measured = [report.psnr for report in reports if report.psnr is not None]
    mean = sum(report.bytes for report in changes) / len(changes) if changes else None
    return {
        "output": str(folder),
        "frames": len(reports),
        "bytes": size,
        "key_frames": [report.frame for report in reports if report.kind == "key"],
        "key_bytes": sum(report.bytes for report in reports if report.kind == "key"),
        "change_bytes_per_frame": mean,
        "photo_psnr": sum(measured) / len(measured) if measured else None,
        "seconds": sum(report.seconds for report in reports),
        "device": device,
        "per_frame": [dataclasses.asdict(report) for report in reports],
    }


def _show(session: Session, document: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("frame", "kind", "bytes", "Gaussians", "moved", "changed", "photo PSNR", "s")
    for one in document["per_frame"]:
        table.add_row(
            str(one["frame"]),
            one["kind"],
            f"{one['bytes']:,}",
            f"{one['gaussians']:,}",
            f"{one['moved']:,}",
            f"{one['changed']:,}",
            "-" if one["psnr"] is None else f"{one['psnr']:.2f}",
            f"{one['seconds']:.1f}",
        )
    session.table(table)
    keys = f"{len(document['key_frames'])} key frames {document['key_bytes']:,}"
    session.say(f"size       {document['bytes']:,} bytes, {keys}")
    if document["change_bytes_per_frame"] is not None:
        session.say(f"changes    {document['change_bytes_per_frame']:,.0f} bytes per frame")
    if document["photo_psnr"] is not None:
        session.say(f"PSNR       {document['photo_psnr']:.2f} dB against held-out photos")
