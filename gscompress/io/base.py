"""What a file format is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gscompress.gaussians import Gaussians

__all__ = ["Format"]


class Format(Protocol):
    """Reads and writes one file format. A class that can be made without arguments.

    Where it is a dataclass, its fields are its settings; one of the name ``axes`` says which way
    the axes of the file point, as `gscompress.io.axes` has it. A format whose scenes may lie in
    several files has a method ``files(path) -> list[Path]`` that names them all. One that keeps its
    attributes apart has a method ``parts(path) -> dict[str, int] | None`` that says how many bytes
    each takes, under the names that a .gsz has for them; None: not in that file.
    """

    id: str
    """Id in the registry."""
    extensions: tuple[str, ...]
    """File-name endings, lower case, dot included; the first is the usual one."""

    def sniff(self, head: bytes) -> bool:
        """Whether a file that starts with ``head`` (up to 4096 bytes) is of this format."""
        ...

    def load(self, path: Path) -> Gaussians:
        """Read a file.

        Raises:
            InputError: The file is not what the format demands; in bounded time and memory.
        """
        ...

    def save(self, scene: Gaussians, path: Path) -> None:
        """Write a file, replacing any that exists, through `gscompress.io.atomic`."""
        ...
