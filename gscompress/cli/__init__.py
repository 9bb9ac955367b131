"""The command line: one small file per verb, imported only when its verb is called.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a quality gate was missed, 130 interrupted. Results
go to stdout, everything else to stderr.
"""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from typing import NoReturn

import click

import gscompress
from gscompress.cli.lazy import LazyGroup, leading_flags
from gscompress.cli.session import Session
from gscompress.errors import GscompressError

__all__ = ["main"]

VERBS = {
    "compress": "Compress scenes to .gsz.",
    "convert": "Convert a scene from one format to another.",
    "info": "Say what a scene's file holds.",
    "clean": "Remove floaters and what lies outside.",
    "render": "Render a scene to PNG images or a video.",
    "eval": "Measure a scene against its reference.",
    "compare": "Compare several files with the scene they were made from.",
    "view": "Show scenes in the browser, offline.",
    "export-viewer": "Write a folder that shows scenes from any static host.",
    "stream": "Sequences of frames: encode, train, decode, play.",
    "serve": "Serve a clip, or a folder of clips, over HTTP.",
    "doctor": "Check this installation.",
}
"""Each verb is the command ``verb`` in the module ``gscompress.cli.<verb>``, - being _."""


class VerbGroup(LazyGroup):
    """Verbs by name; a first word that is none means ``compress``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the verb first, and name it where it was left out."""
        return super().parse_args(ctx, _with_verb(args))


@click.group(
    cls=VerbGroup,
    verbs=VERBS,
    prefix="gscompress.cli.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="'gscompress scene.ply' is 'gscompress compress scene.ply'. "
    "'gscompress VERB --help' tells the options of a verb.",
)
@click.version_option(gscompress.__version__, message="gscompress %(version)s")
def cli() -> None:
    """Compress trained 3D Gaussian Splatting scenes, and prove their quality."""


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line, and exit."""
    session = Session()
    try:
        code = cli.main(args, prog_name="gscompress", standalone_mode=False, obj=session)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except GscompressError as error:
        _report(session, f"Error: {error}")
        code = error.exit_code
    except BrokenPipeError:
        # The reader of our output has left; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:  # a full disk, a vanished file
        _report(session, f"Error: {error}")
        code = 1
    except Exception as error:  # a defect of ours: no traceback for that
        _report(session, f"Internal error: {type(error).__name__}: {error}")
        click.echo("This is a defect in gscompress, please report it; -v -v shows where.", err=True)
        code = 1
    sys.exit(code or 0)


def _report(session: Session, text: str) -> None:
    if session.verbosity >= 2:
        traceback.print_exc()
    click.echo(text, err=True)


def _with_verb(args: list[str]) -> list[str]:
    if not args or args[0] in ("-h", "--help", "--version"):
        return args
    flags = leading_flags(args)
    word = args[flags] if flags < len(args) else ""
    if word in VERBS:
        return [word, *args[:flags], *args[flags + 1 :]]
    if word.isalpha() and not os.path.exists(word):
        near = difflib.get_close_matches(word, VERBS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise click.UsageError(f"{word!r} is neither a verb ({', '.join(VERBS)}) nor a file.{hint}")
    return ["compress", *args]
