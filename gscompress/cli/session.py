"""What every verb shares: its common options, its output and its progress bars."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "Progress",
    "Session",
    "common_options",
    "device_option",
    "overwrite_option",
    "pass_session",
    "seed_option",
    "with_views",
]

Progress = Callable[[str, int, int], None]
Command = TypeVar("Command", bound=Callable[..., Any])


class Session:
    """One call of the command line.

    Attributes:
        verbosity: -1 with ``-q``, else the number of ``-v``.
        json: Whether stdout is for one JSON document.
    """

    def __init__(self) -> None:
        self.verbosity = 0
        self.json = False

    def start_logging(self) -> None:
        """Send the warnings of the library (with -v more, with -q less) to stderr."""
        levels = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
        log = logging.getLogger("gscompress")
        log.handlers = [_StderrHandler()]
        log.setLevel(levels.get(self.verbosity, logging.DEBUG))
        log.propagate = False

    def say(self, text: str) -> None:
        """A line for people: on stdout, or on stderr where stdout is for JSON."""
        if self.verbosity >= 0:
            click.echo(text, err=self.json)

    def note(self, text: str) -> None:
        """A line beside the result, on stderr."""
        if self.verbosity >= 0:
            click.echo(text, err=True)

    def result(self, document: dict[str, Any], show: Callable[[], None]) -> None:
        """The result of a verb: ``document`` with --json, else what ``show`` prints."""
        if self.json:
            click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
        elif self.verbosity >= 0:
            show()

    def table(self, table: Table) -> None:
        """Print a table on stdout."""
        from rich.console import Console

        Console(highlight=False).print(table)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """Progress bars on stderr, one for each kind of work; None where nobody would see them."""
        if self.verbosity < 0 or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Bars(
            *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
        ) as bars:
            tasks: dict[str, Any] = {}

            def update(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(what, total=total)
                bars.update(tasks[what], completed=done, total=total)

            yield update


class _StderrHandler(logging.Handler):
    """Log lines on the stderr of the moment, so that they go above a live progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"{record.levelname.lower()}: {record.getMessage()}", err=True)


pass_session = click.make_pass_decorator(Session)


def common_options(command: Command) -> Command:
    """The options that every verb has."""

    def quiet(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            ctx.ensure_object(Session).verbosity = -1

    def verbose(ctx: click.Context, _: click.Parameter, value: int) -> None:
        session = ctx.ensure_object(Session)
        session.verbosity = value or session.verbosity
        session.start_logging()

    def as_json(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        ctx.ensure_object(Session).json = bool(value)

    for decorate in (
        click.option(
            "--json",
            is_flag=True,
            expose_value=False,
            callback=as_json,
            help="Print one JSON document on stdout, and nothing else there.",
        ),
        click.option(
            "-v",
            "--verbose",
            count=True,
            expose_value=False,
            callback=verbose,
            help="Say more; twice: debug output, and tracebacks of errors.",
        ),
        click.option(
            "-q",
            "--quiet",
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=quiet,
            help="Say nothing but errors.",
        ),
    ):
        command = decorate(command)
    return command


def device_option(command: Command) -> Command:
    """Where to render."""
    return click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda[:N]",
        help="Where to render. A device that is named is used, or it is an error.",
    )(command)


def overwrite_option(command: Command) -> Command:
    """Permission to replace files."""
    return click.option("-w", "--overwrite", is_flag=True, help="Replace output files that exist.")(
        command
    )


def seed_option(command: Command) -> Command:
    """The seed of random choices."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Seed of every random choice.",
    )(command)


def with_views(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    """A progress bar for views, as renderers and evaluation call it."""
    if progress is None:
        return None
    return lambda done, total: progress(what, done, total)
