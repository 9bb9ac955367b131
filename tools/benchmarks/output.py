"""Tables for people and JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["machine", "print_table", "say", "write_json"]

_STARTED = time.monotonic()


def say(text: str) -> None:
    """Tell on stderr how far the work is."""
    print(f"[{time.monotonic() - _STARTED:6.0f} s] {text}", file=sys.stderr, flush=True)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table as Markdown where stdout is no terminal, else drawn."""
    console = Console()
    if console.is_terminal:
        table = Table(*columns, title=title)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def write_json(path: Path | None, document: dict[str, Any]) -> None:
    """Write ``document`` and the machine it was made on, if a path is given."""
    if path is not None:
        path.write_text(json.dumps(document | {"machine": machine()}, indent=2) + "\n")


def machine() -> dict[str, Any]:
    """What the numbers were made on."""
    return {
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
