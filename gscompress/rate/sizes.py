"""Sizes of files as people write them."""

from __future__ import annotations

import re

from gscompress.errors import InputError

__all__ = ["parse_size"]

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-z]*)", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of a size such as 500000, 800kB, 5MB (10^6 bytes) or 5MiB (2^20 bytes).

    Raises:
        InputError: It is none.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or match[2].lower() not in _UNITS:
        raise InputError(
            "target size", found=repr(text), expected="a size such as 800kB, 5MB or 5MiB"
        )
    return int(float(match[1]) * _UNITS[match[2].lower()])
