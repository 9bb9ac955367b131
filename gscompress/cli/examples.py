"""Verbs whose help ends with examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

__all__ = ["Verb"]


class Verb(click.Command):
    """A command with examples in its help, and on its page of the documentation.

    Args:
        examples: Command lines, each with what it does; the simplest one first.
    """

    def __init__(
        self, *args: Any, examples: Sequence[tuple[str, str]] = (), **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on a line of its own to be copied."""
        with formatter.section("Examples"):
            for command, purpose in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{command}\n")
                with formatter.indentation():
                    formatter.write_text(purpose)
