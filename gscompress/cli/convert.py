"""``gscompress convert``: any known format to any other, by the names' endings."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from gscompress.cli.session import Session, common_options, overwrite_option, pass_session
from gscompress.errors import UsageError


@click.command("convert", short_help="Convert a scene from one format to another.")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--sh-degree",
    type=click.IntRange(0, 4),
    help="Keep the spherical harmonics up to this degree only.",
)
@click.option(
    "--level",
    type=click.IntRange(0),
    help="Of a .gsz, decode the levels of detail up to this one; the file may end there.",
)
@overwrite_option
@common_options
@pass_session
def verb(
    session: Session,
    /,
    source: Path,
    target: Path,
    sh_degree: int | None,
    level: int | None,
    overwrite: bool,
) -> None:
    """Convert the scene IN to the format that the ending of OUT names.

    A .gsz is written with the preset fast; 'gscompress compress' has the choice. 'gscompress info'
    lists the levels of a .gsz.
    """
    from gscompress.files import open_input
    from gscompress.io import format_for_name, load, save
    from gscompress.io.atomic import refuse_existing
    from gscompress.pipeline import decompress

    format_for_name(target)
    if not overwrite:
        refuse_existing(target)
    open_input(source).close()
    scene = load(source) if level is None else decompress(source, level)
    if sh_degree is not None:
        if sh_degree > scene.sh_degree:
            raise UsageError(
                f"--sh-degree {sh_degree}: {source} has spherical harmonics up to degree "
                f"{scene.sh_degree} only"
            )
        scene = scene.replace(sh=scene.sh[:, : (sh_degree + 1) ** 2])
    save(scene, target, overwrite=overwrite)
    document = {
        "input": str(source),
        "output": str(target),
        "input_bytes": source.stat().st_size,
        "output_bytes": target.stat().st_size,
        "gaussians": len(scene),
        "sh_degree": scene.sh_degree,
    }
    text = (
        f"{target}: {len(scene):,} Gaussians, {document['input_bytes']:,} -> "
        f"{document['output_bytes']:,} bytes"
    )
    session.result(document, functools.partial(session.say, text))
