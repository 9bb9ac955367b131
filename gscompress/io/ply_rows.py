"""The rows of a PLY file, block by block, so that no second copy of a scene is ever in memory."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError
from gscompress.files import open_input
from gscompress.gaussians import Array
from gscompress.io.ply_header import APPENDED, DAMAGED, PlyHeader, Table

__all__ = ["BLOCK_ROWS", "columns", "read_blocks"]

BLOCK_ROWS = 4096
"""Rows held at a time; about a megabyte of a scene of SH degree 3."""


def read_blocks(header: PlyHeader, table: Table) -> Iterator[tuple[int, NDArray[Any]]]:
    """The rows of a table, in order, at most ``BLOCK_ROWS`` at a time.

    The counts are checked by the call itself; so memory may be allocated before the first block.

    Args:
        header: The file.
        table: One of its elements.

    Returns:
        Number of the block's first row, and the block: [rows, properties] where all
        properties have one type, else [rows] of the table's dtype.

    Raises:
        InputError: The file is shorter or longer than its header says, a row of text is not
            numbers, or a list property is in the way.
    """
    before = header.tables[: header.tables.index(table)]
    if not table.properties:
        raise InputError(
            header.path, f"element {table.name}", found="no properties", expected="some"
        )
    for element in (*before, table):
        if element.lists:
            raise InputError(
                header.path,
                f"element {element.name}, property {element.lists[0]}",
                found="a list property",
                expected="scalar properties only",
                remedy="Export the scene again without it.",
            )
    header.check_size()
    if header.text:
        return _text_blocks(header, table, sum(t.count for t in before))
    return _binary_blocks(header, table, sum(t.count * t.dtype.itemsize for t in before))


def columns(
    header: PlyHeader, table: Table, names: Sequence[str], first: int, block: NDArray[Any]
) -> Array:  # [rows, len(names)]
    """Some properties of a block as float32.

    Args:
        header: Where the block is from, for the errors.
        table: Its table.
        names: The properties.
        first: Number of the block's first row.
        block: As `read_blocks` gives it.

    Raises:
        InputError: A whole number is too large to be exact in float32.
    """
    index = [table.properties.index(name) for name in names]
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
    for column, name in enumerate(names):
        if table.dtype[name].kind not in "iu":
            continue
        exact = block[name] if block.dtype.names else block[:, index[column]]
        wrong = values[:, column].astype(np.float64) != exact.astype(np.float64)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                header.path,
                f"property {name}, row {first + row}",
                found=f"the whole number {exact[row]:.0f}",
                expected="a number that float32 holds exactly",
                remedy="Export the scene with float properties.",
            )
    return values


def _binary_blocks(
    header: PlyHeader, table: Table, skip: int
) -> Iterator[tuple[int, NDArray[Any]]]:
    kinds = [table.dtype[name] for name in table.properties]
    alike = all(kind == kinds[0] for kind in kinds)
    with open_input(header.path) as file:
        file.seek(header.body + skip)
        for first in range(0, table.count, BLOCK_ROWS):
            rows = min(BLOCK_ROWS, table.count - first)
            data = file.read(rows * table.dtype.itemsize)
            if len(data) < rows * table.dtype.itemsize:  # it was cut while we read
                raise _short(header, table, first + len(data) // table.dtype.itemsize)
            if alike:
                yield first, np.frombuffer(data, kinds[0]).reshape(rows, -1)
            else:
                yield first, np.frombuffer(data, table.dtype)


def _text_blocks(header: PlyHeader, table: Table, skip: int) -> Iterator[tuple[int, NDArray[Any]]]:
    with open_input(header.path) as file:
        file.seek(header.body)
        lines = iter(io.TextIOWrapper(file, "latin-1"))
        for _ in islice(lines, skip):
            pass
        for first in range(0, table.count, BLOCK_ROWS):
            rows = min(BLOCK_ROWS, table.count - first)
            block = list(islice(lines, rows))
            if len(block) < rows:
                raise _short(header, table, first + len(block))
            yield first, _parse(header, table, first, block)
        if table is header.tables[-1] and any(line.strip() for line in lines):
            raise InputError(
                header.path,
                f"element {table.name}, {table.count} rows",
                found="more lines after the last row",
                expected="the end of the file",
                remedy=APPENDED,
            )


def _parse(header: PlyHeader, table: Table, first: int, lines: list[str]) -> NDArray[Any]:
    width = len(table.properties)
    try:
        block = np.loadtxt(lines, dtype=np.float64, comments=None, ndmin=2)
    except ValueError:
        block = np.empty((0, 0))
    if block.shape == (len(lines), width):
        return block
    wrong = next((row for row, line in enumerate(lines) if not _is_row(line, width)), 0)
    text = lines[wrong].strip()
    raise InputError(
        header.path,
        f"element {table.name}, row {first + wrong}",
        found=repr(text if len(text) <= 60 else text[:60] + "..."),
        expected=f"{width} numbers",
        remedy=DAMAGED,
    )


def _is_row(line: str, width: int) -> bool:
    try:
        return len([float(value) for value in line.split()]) == width
    except ValueError:
        return False


def _short(header: PlyHeader, table: Table, rows: int) -> InputError:
    return InputError(
        header.path,
        f"element {table.name}, row {rows}",
        found="the end of the file",
        expected=f"{table.count} rows",
        remedy=DAMAGED,
    )
