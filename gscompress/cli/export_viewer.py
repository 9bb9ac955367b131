"""``gscompress export-viewer``: a folder that any static host serves."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from gscompress.cli.examples import Verb
from gscompress.cli.session import Session, common_options, overwrite_option, pass_session

SCENE = click.Path(path_type=Path)


_EXAMPLES = (
    (
        "gscompress export-viewer scene.gsz -o site/",
        "A folder for any static host; try it with 'python -m http.server -d site'.",
    ),
    (
        "gscompress export-viewer scene.ply scene.gsz -o site/",
        "Side by side.",
    ),
)


@click.command(
    "export-viewer",
    cls=Verb,
    short_help="Write a folder for any static host.",
    examples=_EXAMPLES,
)
@click.argument("places", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("site"),
    show_default=True,
    help="The folder.",
)
@click.option(
    "--cameras",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="cameras.json, transforms.json, COLMAP, dataset. By default those beside FILE.",
)
@overwrite_option
@common_options
@pass_session
def verb(
    session: Session,
    /,
    places: tuple[str, ...],
    output: Path,
    cameras: Path | None,
    overwrite: bool,
) -> None:
    """Write the viewer and one or two scenes, or a clip, to a folder.

    Scenes other than .gsz and .ply are written as PLY: better compress them first.
    """
    from gscompress.cli.views import Views
    from gscompress.viewer import export_viewer
    from gscompress.viewer.clips import beside

    views = Views.find(cameras, *beside(places))
    written = export_viewer(
        places, output, cameras=views.part("all") if views else (), overwrite=overwrite
    )
    size = sum(path.stat().st_size for path in written)
    document = {"output": str(output), "files": [str(path) for path in written], "bytes": size}
    text = f"{output}: {len(written)} files, {size:,} bytes; serve it with any web server"
    session.result(document, functools.partial(session.say, text))
