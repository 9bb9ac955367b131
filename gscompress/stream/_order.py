"""Whether the segments of a manifest follow each other, and have addresses that are safe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gscompress.errors import CorruptFileError

if TYPE_CHECKING:
    from gscompress.stream.manifest import Group, Segment

__all__ = ["REMEDY", "check_groups"]

REMEDY = "The manifest is damaged, or of another program; fetch or encode the clip again."

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.~-]*"
_URL = re.compile(rf"{_NAME}(?:/{_NAME})*", re.ASCII)
_MAX_URL = 255


def check_groups(groups: Sequence[Group], where: str, *, taken: str) -> int:
    """Refuse groups and segments that leave gaps, overlap, or have addresses that are not theirs.

    Args:
        groups: In their order.
        where: The manifest, for messages.
        taken: An address that no segment may have.

    Returns:
        Number of frames.

    Raises:
        CorruptFileError: Names the field.
    """
    frame, seen = 0, {taken}
    for number, group in enumerate(groups):
        place = f"groups[{number}]"
        _agree(where, f"{place}.first", group.first, frame)
        for index, segment in enumerate(group.segments):
            _check_segment(segment, where, f"{place}.segments[{index}]", frame, is_key=index == 0)
            if segment.url in seen:
                raise CorruptFileError(
                    where,
                    f"{place}.segments[{index}].url",
                    found=f"{segment.url!r} again",
                    expected="another file for each segment",
                    remedy=REMEDY,
                )
            seen.add(segment.url)
            frame += segment.frames
        _agree(where, f"{place}.frames", group.frames, frame - group.first)
    return frame


def _check_segment(segment: Segment, where: str, place: str, first: int, *, is_key: bool) -> None:
    if len(segment.url) > _MAX_URL or not _URL.fullmatch(segment.url):
        raise CorruptFileError(
            where,
            f"{place}.url",
            found=ascii(segment.url)[:80],
            expected="a path inside the clip's folder, of letters, digits, / and _.~-",
            remedy=REMEDY,
        )
    _agree(where, f"{place}.first", segment.first, first)
    if (segment.kind == "key") != is_key:
        expected = "key, being the first of its group" if is_key else "residual, not being first"
        raise CorruptFileError(
            where, f"{place}.kind", found=segment.kind, expected=expected, remedy=REMEDY
        )
    if is_key:
        _agree(where, f"{place}.frames", segment.frames, 1)


def _agree(where: str, place: str, found: int, expected: int) -> None:
    if found != expected:
        raise CorruptFileError(where, place, found=found, expected=expected, remedy=REMEDY)
