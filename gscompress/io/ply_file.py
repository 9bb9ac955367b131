"""PLY files as tables of numbers, read block by block. Knows nothing of Gaussians.

The header is parsed by plyfile, after checks that bound what a hostile file can make it do. The
rows are read here, since plyfile parses text value by value, and reads every element of a file,
wanted or not.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyListProperty, PlyParseError

from gscompress.errors import InputError
from gscompress.files import StrPath, open_input
from gscompress.gaussians import Array

__all__ = ["BLOCK_ROWS", "PlyFile", "Table", "columns", "open_ply"]

BLOCK_ROWS = 4096
"""Rows held at a time; about a megabyte of a scene of SH degree 3."""

MAX_HEADER_BYTES = 1 << 20
MAX_HEADER_LINES = 2000
"""Elements and properties; comments do not count."""

_START = re.compile(rb"ply[ \t]*(\r\n|\n|\r)")
_APPENDED = "The header counts too few rows, or something was appended to the file."
_COUNT = re.compile(r"\s*element\s+(\S+)\s+(\S+)\s*")


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
class PlyFile:
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

    def blocks(self, table: Table) -> Iterator[tuple[int, NDArray[Any]]]:
        """The rows of a table, in order, at most ``BLOCK_ROWS`` at a time.

        Returns:
            Number of the block's first row, and the block: [rows, properties] where all
            properties have one type, else [rows] of the table's dtype.

        Raises:
            InputError: The file is shorter or longer than its header says, a row of text is not
                numbers, or a list property is in the way.
        """
        before = self.tables[: self.tables.index(table)]
        if not table.properties:
            raise InputError(
                self.path, f"element {table.name}", found="no properties", expected="some"
            )
        for element in (*before, table):
            if element.lists:
                raise InputError(
                    self.path,
                    f"element {element.name}, property {element.lists[0]}",
                    found="a list property",
                    expected="scalar properties only",
                    remedy="Export the scene again without it.",
                )
        self._check_size()
        if self.text:
            return self._text_blocks(table, sum(t.count for t in before))
        return self._binary_blocks(table, sum(t.count * t.dtype.itemsize for t in before))

    def _check_size(self) -> None:
        """Refuse counts that the file cannot hold, before anything is allocated for them."""
        body = self.size - self.body
        if self.text:
            # The shortest value is one digit and a separator; the last line may lack its end.
            need = sum(t.count * max(1, 2 * len(t.properties)) for t in self.tables) - 1
            fits = body >= need
        else:
            need = sum(t.count * t.dtype.itemsize for t in self.tables if not t.lists)
            fits = body >= need if any(t.lists for t in self.tables) else body == need
        if fits:
            return
        longest = max(self.tables, key=lambda table: table.count)
        raise InputError(
            self.path,
            f"element {longest.name}, {longest.count} rows",
            found=f"{body} bytes after the header",
            expected=f"at least {need} bytes" if body < need else f"{need} bytes",
            remedy="The file is cut short or damaged: copy or export it again."
            if body < need
            else _APPENDED,
        )

    def _binary_blocks(self, table: Table, skip: int) -> Iterator[tuple[int, NDArray[Any]]]:
        kinds = [table.dtype[name] for name in table.properties]
        alike = all(kind == kinds[0] for kind in kinds)
        with open_input(self.path) as file:
            file.seek(self.body + skip)
            for first in range(0, table.count, BLOCK_ROWS):
                rows = min(BLOCK_ROWS, table.count - first)
                data = file.read(rows * table.dtype.itemsize)
                if len(data) < rows * table.dtype.itemsize:
                    raise self._short(table, first + len(data) // table.dtype.itemsize)
                if alike:
                    yield first, np.frombuffer(data, kinds[0]).reshape(rows, -1)
                else:
                    yield first, np.frombuffer(data, table.dtype)

    def _text_blocks(self, table: Table, skip: int) -> Iterator[tuple[int, NDArray[Any]]]:
        with open_input(self.path) as file:
            file.seek(self.body)
            lines = iter(io.TextIOWrapper(file, "latin-1"))
            for _ in islice(lines, skip):
                pass
            for first in range(0, table.count, BLOCK_ROWS):
                rows = min(BLOCK_ROWS, table.count - first)
                yield first, self._parse(table, first, list(islice(lines, rows)), rows)
            if table is self.tables[-1] and any(line.strip() for line in lines):
                raise InputError(
                    self.path,
                    f"element {table.name}, {table.count} rows",
                    found="more lines after the last row",
                    expected="the end of the file",
                    remedy=_APPENDED,
                )

    def _parse(self, table: Table, first: int, lines: list[str], rows: int) -> NDArray[Any]:
        if len(lines) < rows:
            raise self._short(table, first + len(lines))
        width = len(table.properties)
        try:
            block = np.loadtxt(lines, dtype=np.float64, comments=None, ndmin=2)
        except ValueError:
            block = np.empty((0, 0))
        if block.shape == (rows, width):
            return block
        for row, line in enumerate(lines):
            if not _is_row(line, width):
                raise self._bad_row(table, first + row, line)
        raise self._bad_row(table, first, lines[0])

    def _short(self, table: Table, rows: int) -> InputError:
        return InputError(
            self.path,
            f"element {table.name}, row {rows}",
            found="the end of the file",
            expected=f"{table.count} rows",
            remedy="The file is cut short or damaged: copy or export it again.",
        )

    def _bad_row(self, table: Table, row: int, line: str) -> InputError:
        text = line.strip()
        return InputError(
            self.path,
            f"element {table.name}, row {row}",
            found=repr(text if len(text) <= 60 else text[:60] + "..."),
            expected=f"{len(table.properties)} numbers",
            remedy="The file is damaged: copy or export it again.",
        )


def columns(file: PlyFile, table: Table, names: Sequence[str], first: int, block: Any) -> Array:
    """Some properties of a block as float32: [rows, len(names)].

    Args:
        file: Where the block is from, for the errors.
        table: Its table.
        names: The properties.
        first: Number of the block's first row.
        block: As `PlyFile.blocks` yields it.

    Raises:
        InputError: A whole number is too large to be exact in float32.
    """
    index = [table.properties.index(name) for name in names]
    whole = [i for i, name in enumerate(names) if table.dtype[name].kind in "iu"]
    with np.errstate(over="ignore", invalid="ignore"):
        if block.dtype.names is None:
            start = index[0] if index else 0
            run = index == list(range(start, start + len(index)))
            picked = block[:, start : start + len(index)] if run else block[:, index]
            values: Array = picked.astype(np.float32)
        else:
            values = np.empty((len(block), len(names)), np.float32)
            for column, name in enumerate(names):
                values[:, column] = block[name]
    for column in whole:
        exact = block[names[column]] if block.dtype.names else block[:, index[column]]
        wrong = values[:, column].astype(np.float64) != exact.astype(np.float64)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                file.path,
                f"property {names[column]}, row {first + row}",
                found=f"the whole number {exact[row]:.0f}",
                expected="a number that float32 holds exactly",
                remedy="Export the scene with float properties.",
            )
    return values


def open_ply(path: StrPath) -> PlyFile:
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
    newline = start[1]
    end = re.search(rb"[\r\n]end_header[ \t]*" + re.escape(newline), head)
    if not end:
        raise InputError(
            path,
            "header",
            found=f"no line 'end_header' in the first {len(head)} bytes",
            expected="a PLY header",
            remedy="The file is cut short or damaged: copy or export it again.",
        )
    lines, comments = [], []
    for line in re.split(rb"\r\n|\n|\r", head[start.end() : end.start()]):
        word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
        if word in ("comment", "obj_info"):
            comments.append(rest.strip())
        elif word:
            lines.append(f"{word} {rest}")
    data, counts = _parse_header(path, lines)
    tables = []
    for element, count in zip(data.elements, counts, strict=True):
        scalars = [p for p in element.properties if not isinstance(p, PlyListProperty)]
        order = "<" if data.text else data.byte_order
        tables.append(
            Table(
                element.name,
                count,
                np.dtype([(p.name, p.dtype(order)) for p in scalars]),
                tuple(p.name for p in element.properties if isinstance(p, PlyListProperty)),
            )
        )
    return PlyFile(Path(path), data.text, tuple(comments), tuple(tables), end.end(), size)


def _parse_header(path: StrPath, lines: list[str]) -> tuple[PlyData, list[int]]:
    """Let plyfile parse the header with all counts set to 0, so that it reads no rows."""
    if len(lines) > MAX_HEADER_LINES:
        raise InputError(
            path, "header", found=f"{len(lines)} lines", expected=f"at most {MAX_HEADER_LINES}"
        )
    counts = []
    for i, line in enumerate(lines):
        found = _COUNT.fullmatch(line)
        if found is None:
            continue
        if not re.fullmatch(r"[0-9]{1,19}", found[2], re.ASCII):
            raise InputError(
                path,
                f"header, element {found[1][:40]}",
                found=f"the count {found[2][:40]!r}",
                expected="a whole number",
                remedy="The file is damaged: copy or export it again.",
            )
        counts.append(int(found[2]))
        lines[i] = f"element {found[1]} 0"
    text = "\n".join(["ply", *lines, "end_header", ""])
    try:
        data = PlyData.read(io.BytesIO(text.encode("ascii", "replace")))
        names = [[p.name for p in element.properties] for element in data.elements]
    except (PlyParseError, ValueError, TypeError, LookupError) as error:
        raise InputError(
            path,
            "header",
            found=error,
            expected="a PLY header",
            remedy="The file is damaged: copy or export it again.",
        ) from error
    if len(counts) != len(names):
        raise InputError(
            path, "header", found="an element line without a count", expected="name and count"
        )
    return data, counts


def _is_row(line: str, width: int) -> bool:
    try:
        return len([float(value) for value in line.split()]) == width
    except ValueError:
        return False
