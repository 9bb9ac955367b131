"""The container's header as JSON, written compactly and read with suspicion."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

import zstandard

from gscompress.errors import CorruptFileError
from gscompress.files import decompress_exactly

__all__ = ["dump_header", "parse_header"]

MAX_DEPTH = 32  # of lists and objects in each other
MAX_DIGITS = 20  # of an integer: 64 bits
_ZSTD_LEVEL = 19
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.|\\\Z)*+"?|[\[{]|[\]}]', re.DOTALL)


def dump_header(header: dict[str, Any], *, limit: int) -> tuple[bytes, bytes]:
    """The header as JSON, and as it is stored: the same object, or a smaller Zstandard frame.

    Raises:
        ValueError: A number is not finite, or the header is larger than ``limit`` bytes.
    """
    text = json.dumps(
        header, ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=True
    ).encode()
    if len(text) > limit:
        raise ValueError(f"the header has {len(text)} bytes, over {limit}")
    packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=False).compress(text)
    return text, packed if len(packed) < len(text) else text


def parse_header(stored: bytes, size: int, where: str, *, packed: bool) -> dict[str, Any]:
    """The header from its bytes.

    Args:
        stored: As in the file.
        size: The bytes that the JSON must have.
        where: The file's name, for messages.
        packed: Whether ``stored`` is a Zstandard frame.

    Raises:
        CorruptFileError: It is not the JSON of an object with unique keys and finite numbers of
            ordinary size, nested no deeper than 32.
    """
    text = decompress_exactly(stored, size, where) if packed else stored
    if len(text) != size:
        raise CorruptFileError(where, "header", found=f"{len(text)} bytes", expected=size)
    try:
        decoded = text.decode()
        _check_depth(decoded)
        header = json.loads(
            decoded,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_refuse,
        )
        # A lone surrogate ("\ud800") is a string in JSON that no file or terminal accepts.
        json.dumps(header, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(where, "header", found=str(error), expected="JSON") from error
    if not isinstance(header, dict):
        raise CorruptFileError(
            where, "header", found=type(header).__name__, expected="a JSON object"
        )
    return header


def _check_depth(text: str) -> None:
    depth = 0
    for match in _STRUCTURE.finditer(text):
        first = match[0][0]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"nested deeper than {MAX_DEPTH}")
        elif first in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"a number that is not finite: {digits[:20]}")
    return number


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"a number that is not finite: {name}")
