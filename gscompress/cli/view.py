"""``gscompress view``: scenes in the browser, without a network."""

from __future__ import annotations

import functools
import importlib
import webbrowser
from pathlib import Path

import click

from gscompress._serving import ended_by_signals
from gscompress.cli.examples import Verb
from gscompress.cli.session import Session, common_options, pass_session
from gscompress.errors import InputError

SCENE = click.Path(path_type=Path)


_EXAMPLES = (
    (
        "gscompress view scene.gsz",
        "Opens the browser.",
    ),
    (
        "gscompress view scene.ply scene.gsz",
        "Side by side, with a split that moves.",
    ),
    (
        "gscompress view clip/",
        "Plays a clip.",
    ),
    (
        "gscompress view scene.ply --desktop",
        "Points in a window (needs the extra open3d).",
    ),
)


@click.command(
    "view",
    cls=Verb,
    short_help="Show scenes in the browser, offline.",
    examples=_EXAMPLES,
)
@click.argument("places", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Where to serve; by default any port."
)
@click.option("--no-open", is_flag=True, help="Open no browser; its address is printed anyway.")
@click.option(
    "--cameras",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="cameras.json, transforms.json, COLMAP, dataset. By default those beside FILE.",
)
@click.option("--desktop", is_flag=True, help="In a window instead; needs the extra open3d.")
@common_options
@pass_session
def verb(
    session: Session,
    /,
    places: tuple[str, ...],
    port: int,
    no_open: bool,
    cameras: Path | None,
    desktop: bool,
) -> None:
    """Show one scene, or two side by side with a split that moves; or play a clip.

    A clip is given by its folder, its manifest.json, or the URL of either. The browser decodes
    .gsz, the trainer's .ply and clips itself; other files are converted for it. The page asks
    nothing but this machine for anything, and only this machine is answered. Ctrl-C ends it.
    """
    if desktop:
        _show_on_desktop([Path(place) for place in places])
        return
    from gscompress.cli.views import Views
    from gscompress.viewer import ViewServer
    from gscompress.viewer.clips import beside

    views = Views.find(cameras, *beside(places))
    try:
        server = ViewServer(places, cameras=views.part("all") if views else (), port=port)
    except OSError as error:
        raise InputError(
            f"--port {port}", found=error.strerror or error, remedy="Choose another port."
        ) from error
    with server:
        document = {"url": server.url, "files": list(places)}
        session.result(document, functools.partial(session.say, f"{server.url}  (Ctrl-C ends it)"))
        if not no_open:
            webbrowser.open(server.url)
        try:
            with ended_by_signals():
                server.serve_forever()
        except KeyboardInterrupt:
            session.note("ended")


def _show_on_desktop(files: list[Path]) -> None:
    from gscompress.io import load

    desktop = importlib.import_module("gscompress.desktop")
    for file in files:
        desktop.show_points(load(file), title=str(file))
