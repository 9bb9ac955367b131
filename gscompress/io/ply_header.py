"""The header of a PLY file: its elements and their properties. Knows nothing of Gaussians.

It is parsed by plyfile, after checks that bound what a hostile file can make it do. The rows are
read by `gscompress.io.ply_rows`, since plyfile parses text value by value, and reads every element
of a file, wanted or not.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from plyfile import PlyData, PlyElement, PlyListProperty, PlyParseError

from gscompress.errors import InputError
from gscompress.files import StrPath, open_input

__all__ = ["DAMAGED", "PlyHeader", "Table", "read_header"]

MAX_HEADER_BYTES = 1 << 20
MAX_HEADER_LINES = 2000
"""Elements and properties; comments do not count."""

DAMAGED = "The file is cut short or damaged: copy or export it again."
APPENDED = "The header counts too few rows, or something was appended to the file."

_START = re.compile(rb"ply[ \t]*(\r\n|\n|\r)")
_ELEMENT = re.compile(r"element\s+(\S+)\s+(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Table:
    """One element of a PLY: ``count`` rows of scalar properties.

    Attributes:
        name: Name of the element.
        count: Number of rows.
        dtype: Type of a row on disk; the names of its fields are the properties.
        lists: Properties that are lists; such a table cannot be read.
    """

    name: str
    count: int
    dtype: np.dtype[Any]
    lists: tuple[str, ...]

    @property
    def properties(self) -> tuple[str, ...]:
        """Names of the scalar properties, in the order of the file."""
        return self.dtype.names or ()


@dataclass(frozen=True, slots=True)
class PlyHeader:
    """The header of a PLY.

    Attributes:
        path: The file.
        text: Whether the rows are text.
        comments: The comment lines, without the word.
        tables: The elements, in the order of the file.
        body: Offset in bytes of the first row of the first element.
        size: Bytes of the whole file.
    """

    path: Path
    text: bool
    comments: tuple[str, ...]
    tables: tuple[Table, ...]
    body: int
    size: int

    def table(self, name: str) -> Table:
        """The element ``name``.

        Raises:
            InputError: There is none.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise InputError(
            self.path,
            f"element {name}",
            found="elements " + ", ".join(table.name for table in self.tables) or "no elements",
            expected=f"an element {name!r}",
        )

    def check_size(self) -> None:
        """Refuse counts that the file cannot hold, before anything is allocated for them.

        Raises:
            InputError: The file is shorter, or longer, than its header says.
        """
        body = self.size - self.body
        if self.text:
            # The shortest value is one digit and a separator; the last line may lack its end.
            need = sum(t.count * max(1, 2 * len(t.properties)) for t in self.tables) - 1
            fits = body >= need
        else:
            need = sum(t.count * t.dtype.itemsize for t in self.tables if not t.lists)
            fits = body >= need if any(t.lists for t in self.tables) else body == need
        if not fits:
            longest = max(self.tables, key=lambda table: table.count)
            raise InputError(
                self.path,
                f"element {longest.name}, {longest.count} rows",
                found=f"{body} bytes after the header",
                expected=f"at least {need} bytes" if body < need else f"{need} bytes",
                remedy=DAMAGED if body < need else APPENDED,
            )


def read_header(path: StrPath) -> PlyHeader:
    """Read the header of a PLY.

    Raises:
        InputError: The file cannot be read or is no PLY, or its header is damaged or hostile.
    """
    with open_input(path) as file:
        head = file.read(MAX_HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    start = _START.match(head)
    if not start:
        raise InputError(
            path,
            found=f"a file that starts with {head[:8]!r}" if head else "an empty file",
            expected="a PLY, which starts with the line 'ply'",
        )
    end = re.search(rb"[\r\n]end_header[ \t]*" + re.escape(start[1]), head)
    if not end:
        raise InputError(
            path,
            "header",
            found=f"no line 'end_header' in the first {len(head)} bytes",
            expected="a PLY header",
            remedy=DAMAGED,
        )
    lines, comments = [], []
    for line in re.split(rb"\r\n|\n|\r", head[start.end() : end.start()]):
        word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
        if word in ("comment", "obj_info"):
            comments.append(rest.strip())
        elif word:
            lines.append(f"{word} {rest}")
    counts = _take_counts(path, lines)
    data = _parse(path, lines)
    if len(counts) != len(data.elements):
        raise InputError(
            path, "header", found="an element line without a count", expected="name and count"
        )
    order = "<" if data.text else data.byte_order
    tables = tuple(
        _table(element, count, order) for element, count in zip(data.elements, counts, strict=True)
    )
    return PlyHeader(Path(path), data.text, tuple(comments), tables, end.end(), size)


def _take_counts(path: StrPath, lines: list[str]) -> list[int]:
    """The counts of the elements, which are set to 0 in ``lines``: plyfile will read no rows."""
    counts = []
    for i, line in enumerate(lines):
        found = _ELEMENT.fullmatch(line)
        if found is None:
            continue
        if not re.fullmatch(r"[0-9]{1,19}", found[2], re.ASCII):
            raise InputError(
                path,
                f"header, element {found[1][:40]}",
                found=f"the count {found[2][:40]!r}",
                expected="a whole number",
                remedy=DAMAGED,
            )
        counts.append(int(found[2]))
        lines[i] = f"element {found[1]} 0"
    return counts


def _parse(path: StrPath, lines: list[str]) -> PlyData:
    if len(lines) > MAX_HEADER_LINES:
        raise InputError(
            path, "header", found=f"{len(lines)} lines", expected=f"at most {MAX_HEADER_LINES}"
        )
    text = "\n".join(["ply", *lines, "end_header", ""])
    try:
        return PlyData.read(io.BytesIO(text.encode("ascii", "replace")))
    except (PlyParseError, ValueError, TypeError, LookupError) as error:
        raise InputError(
            path, "header", found=error, expected="a PLY header", remedy=DAMAGED
        ) from error


def _table(element: PlyElement, count: int, order: str) -> Table:
    lists = [p.name for p in element.properties if isinstance(p, PlyListProperty)]
    scalars = [(p.name, p.dtype(order)) for p in element.properties if p.name not in lists]
    return Table(element.name, count, np.dtype(scalars), tuple(lists))
