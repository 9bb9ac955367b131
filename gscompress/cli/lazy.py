"""Groups of commands of which each is imported only when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

__all__ = ["FLAGS", "LazyGroup", "leading_flags"]

FLAGS = {"-q", "--quiet", "-v", "-vv", "--verbose", "--json", "-w", "--overwrite"}
"""Flags of the commands that may also stand before their names."""


class LazyGroup(click.Group):
    """Commands by name, listed without importing them.

    Args:
        verbs: What each is good for; the most used one first.
        prefix: The command NAME is ``verb`` in the module whose name is this and NAME, - being _.
    """

    def __init__(self, *args: Any, verbs: Mapping[str, str], prefix: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.verbs = verbs
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, in their order."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the file of one."""
        if cmd_name not in self.verbs:
            return None
        module = importlib.import_module(self._prefix + cmd_name.replace("-", "_"))
        command: click.Command = module.verb
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(self.verbs.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name before flags that are the command's."""
        count = leading_flags(args)
        return super().parse_args(
            ctx, [*args[count : count + 1], *args[:count], *args[count + 1 :]]
        )


def leading_flags(args: list[str]) -> int:
    """How many flags of the command stand before its name."""
    count = 0
    while count < len(args) and args[count] in FLAGS:
        count += 1
    return count
