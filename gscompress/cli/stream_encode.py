"""``gscompress stream encode``: frames to a clip."""

from __future__ import annotations

import functools
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
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
from gscompress.errors import InputError
from gscompress.stream.manifest import MANIFEST, Manifest

if TYPE_CHECKING:
    from gscompress.stream.settings import FrameReport, Settings


_SEGMENT = re.compile(r"[0-9]{6,}\.gs[zr]")


_EXAMPLES = (
    (
        "gscompress stream encode frames/*.ply -o clip/",
        "Frames in the order of their names.",
    ),
    (
        "gscompress stream encode frames/*.ply -o clip/ --target-psnr 40 --cameras cameras.json",
        "Each frame at 40 dB.",
    ),
    (
        "gscompress stream encode frames/*.ply -o clip/ --live",
        "As frames come, for 'gscompress serve' to push.",
    ),
)


@click.command(
    "encode",
    cls=Verb,
    short_help="Encode frames into a clip.",
    examples=_EXAMPLES,
)
@click.argument("frames", nargs=-1, required=True, metavar="FRAME...")
@click.option("-o", "--output", required=True, metavar="DIR", help="The clip's folder.")
@click.option("--fps", type=float, default=30.0, show_default=True, help="Frames per second.")
@click.option(
    "--gop",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Frames from one key frame to the next, at most.",
)
@click.option(
    "--preset", metavar="NAME", default="balanced", show_default=True, help="Of the key frames."
)
@click.option(
    "--quality",
    type=float,
    default=60.0,
    show_default=True,
    metavar="1..100",
    help="Of key frames and changes: 60 is the preset itself, 10 more halve all steps.",
)
@click.option(
    "--target-psnr",
    type=float,
    metavar="DB",
    help="Each frame has this PSNR against its own renders, or up to 0.1 dB more.",
)
@click.option("--kbps", type=float, metavar="N", help="Bits that a second may have, in thousands.")
@click.option(
    "--max-error",
    metavar="NAME=BOUND,...",
    help="No Gaussian of any frame is further off: as for gscompress compress.",
)
@click.option(
    "--trajectories",
    type=click.Choice(["auto", "always", "words", "never"]),
    show_default="auto; with --live never",
    help="Code runs of up to 16 frames together, by how everything moves: where that is smaller, "
    "always by coefficients, always with codebooks, or never.",
)
@click.option("--cameras", metavar="PATH", help="cameras.json, transforms.json, COLMAP, dataset.")
@click.option(
    "--live", is_flag=True, help="Write into DIR as frames come, for gscompress serve to push."
)
@device_option
@seed_option
@overwrite_option
@common_options
@pass_session
def verb(
    session: Session,
    /,
    frames: tuple[str, ...],
    output: str,
    cameras: str | None,
    device: str,
    seed: int,
    overwrite: bool,
    live: bool,
    **options: Any,
) -> None:
    """Encode the frames of a dynamic scene, in the order given, into a clip.

    A clip is a folder with a manifest, key frames and what changes after them; any host can serve
    it. Frames may be tracked (the same Gaussians in the same order), permuted, or have Gaussians
    that are born and die.
    """
    from gscompress.cli.views import Views
    from gscompress.io import load
    from gscompress.stream.encode import ClipEncoder

    paths = [Path(name) for name in frames]
    for path in paths:
        if not path.is_file():
            raise InputError(path, found="no file", expected="a scene")
    options["trajectories"] = options["trajectories"] or ("never" if live else "auto")
    settings = _settings(options)
    views = Views.find(None if cameras is None else Path(cameras), paths[0])
    with (
        _folder(Path(output), overwrite=overwrite, live=live) as folder,
        session.progress() as progress,
    ):
        encoder = ClipEncoder(
            folder,
            settings,
            cameras=views.train if views else (),
            control=views.test if views else (),
            device=device,
            seed=seed,
        )
        for number, path in enumerate(paths):
            encoder.add(load(path), str(path))
            if progress is not None:
                progress("frames", number + 1, len(paths))
        manifest = encoder.finish()
    document = _document(Path(output), manifest.bytes, encoder.reports, settings)
    document["cameras"] = (
        "virtual cameras"
        if views is None
        else views.describe("test" if views.test else "train", len(encoder.control))
    )
    session.result(document, functools.partial(_show, session, document))


def _settings(options: dict[str, Any]) -> Settings:
    from gscompress.rate import parse_bounds
    from gscompress.stream.settings import Settings

    if options["max_error"] is not None:
        options["max_error"] = parse_bounds(options["max_error"])
    return Settings(**options)


@contextmanager
def _folder(target: Path, *, overwrite: bool, live: bool) -> Iterator[Path]:
    """A folder that gets its name when all is written; a live one has it from the start.

    Raises:
        InputError: There is something that may not be replaced.
    """
    exists = os.path.lexists(target)
    if exists and not overwrite:
        raise InputError(target, found="something there", remedy="Use -w to overwrite it.")
    if exists:
        _check_clip(target)
    if not target.parent.is_dir():
        raise InputError(target.parent, found="no folder", expected="one to write the clip into")
    if live:
        if exists:
            shutil.rmtree(target)
        target.mkdir()
        yield target
        return
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    part.mkdir()
    try:
        yield part
        if exists:
            shutil.rmtree(target)
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _check_clip(folder: Path) -> None:
    """Refuse to replace what is not a clip, or a clip among other files.

    Raises:
        InputError: Names what is there.
    """
    expected = "a clip and nothing else, to be replaced"
    if not (folder / MANIFEST).is_file():
        raise InputError(folder, found="something that is no clip", expected=expected)
    Manifest.read(folder)
    for path in folder.iterdir():
        if path.name != MANIFEST and not _SEGMENT.fullmatch(path.name):
            raise InputError(folder, found=path.name, expected=expected)


def _document(
    output: Path, size: int, reports: list[FrameReport], settings: Settings
) -> dict[str, Any]:
    changes = [report for report in reports if report.kind != "key"]
    keys = [report for report in reports if report.kind == "key"]
    mean = sum(report.bytes for report in changes) / len(changes) if changes else None
    return {
        "output": str(output),
        "frames": len(reports),
        "bytes": size,
        "bytes_per_frame": size / len(reports),
        "key_frames": len(keys),
        "key_bytes": sum(report.bytes for report in keys),
        "change_bytes_per_frame": mean,
        "change_bytes_per_frame_per_100k": None
        if mean is None
        else mean * 1e5 / (sum(report.gaussians for report in changes) / len(changes)),
        "kbps": size / len(reports) * settings.fps / 125,
        "psnr": sum(report.psnr for report in reports) / len(reports),
        "psnr_worst": min(report.psnr for report in reports),
        "seconds": sum(report.seconds for report in reports),
        "per_frame": [asdict(report) for report in reports],
    }


def _show(session: Session, document: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("frame", "kind", "bytes", "Gaussians", "changed", "born", "died", "PSNR", "s")
    for one in document["per_frame"]:
        table.add_row(
            str(one["frame"]),
            one["kind"],
            f"{one['bytes']:,.0f}",
            f"{one['gaussians']:,}",
            f"{one['changed']:,}",
            str(one["births"]),
            str(one["deaths"]),
            f"{one['psnr']:.2f}",
            f"{one['seconds']:.1f}",
        )
    session.table(table)
    session.say(
        f"size       {document['bytes']:,} bytes, {document['bytes_per_frame']:,.0f} per frame, "
        f"{document['kbps']:,.0f} kbit/s"
    )
    if document["change_bytes_per_frame"] is not None:
        session.say(
            f"changes    {document['change_bytes_per_frame']:,.0f} bytes per frame, "
            f"{document['change_bytes_per_frame_per_100k']:,.0f} per 100,000 Gaussians"
        )
    session.say(
        f"PSNR       {document['psnr']:.2f} dB (worst frame {document['psnr_worst']:.2f}) against "
        "each frame's own renders"
    )
    session.say(f"measured at {document['cameras']}")
