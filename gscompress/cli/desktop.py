"""What ``gscompress view --desktop`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["show"]


def show(files: Sequence[Path]) -> None:
    """Show scenes as points, each in a window, one after the other."""
    from gscompress.desktop import show_points
    from gscompress.io import load

    for file in files:
        show_points(load(file), title=str(file))
