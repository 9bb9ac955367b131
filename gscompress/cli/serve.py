"""``gscompress serve``: clips over HTTP."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from gscompress._serving import ended_by_signals
from gscompress.cli.examples import Verb
from gscompress.cli.session import Session, common_options, pass_session
from gscompress.errors import InputError

_EXAMPLES = (
    (
        "gscompress serve clip/ --port 8000",
        "For this machine; 'gscompress stream play' receives.",
    ),
    (
        "gscompress serve clips/ --port 8000 --host 0.0.0.0",
        "For other machines, too.",
    ),
)


@click.command(
    "serve",
    cls=Verb,
    short_help="Serve a clip, or a folder of clips, over HTTP.",
    examples=_EXAMPLES,
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Where to serve; by default any port."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen; 0.0.0.0 answers other machines as well.",
)
@click.option(
    "--cors",
    "origin",
    default="*",
    show_default=True,
    metavar="ORIGIN",
    help="Whose pages may read the clips, as https://example.org; *: all.",
)
@common_options
@pass_session
def verb(session: Session, /, folder: Path, port: int, host: str, origin: str) -> None:
    """Serve a clip, or a folder of clips, over HTTP until Ctrl-C.

    Parts of files can be asked for, pages of other origins may ask, and caches are told what never
    changes. A clip that is being encoded is served as it grows, and pushed over a WebSocket at
    /live. Nothing can be written, and nothing is given out but manifests and what they name.
    """
    from gscompress.stream.server import LIVE, ClipServer

    try:
        server = ClipServer(folder, host=host, port=port, allow_origin=origin)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--host {host} --port {port}",
            found=getattr(error, "strerror", None) or error,
            remedy="Choose another port, or an address of this machine.",
        ) from error
    with server:
        names = server.names()
        document = {
            "url": server.url,
            "clips": [f"{server.url}{name}/" if name else server.url for name in names],
            "live": f"{server.url}{LIVE}".replace("http", "ws", 1) if server.single else None,
        }
        session.result(document, functools.partial(session.say, f"{server.url}  (Ctrl-C ends it)"))
        try:
            with ended_by_signals():
                server.serve_forever()
        except KeyboardInterrupt:
            session.note("ended")
