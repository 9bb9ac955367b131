"""``gscompress stream decode``: frames of a clip as files of any format."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click

from gscompress.cli.examples import Verb
from gscompress.cli.session import Session, common_options, overwrite_option, pass_session
from gscompress.errors import InputError, UsageError

_EXAMPLES = (
    (
        "gscompress stream decode clip/ --frame 7 -o frame_7.ply",
        "One frame; only what it needs is read.",
    ),
    (
        "gscompress stream decode clip/ --all -o frames/ --ending .spz",
        "All frames, in another format.",
    ),
)


@click.command(
    "decode",
    cls=Verb,
    short_help="Write frames of a clip in any format.",
    examples=_EXAMPLES,
)
@click.argument("source", metavar="CLIP")
@click.option(
    "--frame", type=click.IntRange(min=0), metavar="N", help="This frame, to the file OUT."
)
@click.option("--all", "every", is_flag=True, help="All frames, to the folder OUT.")
@click.option("-o", "--output", required=True, metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--ending",
    default=".ply",
    show_default=True,
    metavar="ENDING",
    help="Of the files of --all: the format.",
)
@overwrite_option
@common_options
@pass_session
def verb(
    session: Session,
    /,
    source: str,
    frame: int | None,
    every: bool,
    output: Path,
    ending: str,
    overwrite: bool,
) -> None:
    """Write one frame of a clip, or all, in the format that the ending names.

    CLIP is a folder, its manifest.json, or an http or https URL of either. Frames are counted from
    0; only what a frame needs is read.
    """
    from gscompress.io import format_for_name, save
    from gscompress.io.atomic import refuse_existing
    from gscompress.stream.clip import Clip

    if every == (frame is not None):
        raise UsageError("give either --frame N or --all")
    format_for_name(Path(f"x{ending}") if every else output)
    if every and output.exists() and not output.is_dir():
        raise InputError(output, found="a file", expected="a folder, or nothing")
    if not every and not overwrite:
        refuse_existing(output)
    with Clip.open(source) as clip, session.progress() as progress:
        first, last = (0, clip.manifest.frames - 1) if frame is None else (frame, frame)
        frames = clip.frames(first, last)
        numbers = range(first, last + 1)
        paths = [output / f"{number:06d}{ending}" if every else output for number in numbers]
        for path in paths if not overwrite else []:
            refuse_existing(path)
        if every:
            output.mkdir(parents=True, exist_ok=True)
        counts = []
        for path, scene in zip(paths, frames, strict=True):
            save(scene, path, overwrite=overwrite)
            counts.append(len(scene))
            if progress is not None:
                progress("decode", len(counts), len(paths))
    document: dict[str, Any] = {
        "clip": source,
        "files": [str(path) for path in paths],
        "gaussians": counts,
    }
    text = f"{output}: " + (f"{len(paths):,} frames" if every else f"{counts[0]:,} Gaussians")
    session.result(document, functools.partial(session.say, text))
