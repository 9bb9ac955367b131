"""A clip that an earlier version encoded decodes to the same bits for ever."""

from __future__ import annotations

from pathlib import Path

from gscompress.stream.clip import Clip
from tests.checks import digest

CLIP = Path(__file__).parents[1] / "golden" / "clip"


def test_the_golden_clip() -> None:
    clip = Clip.open(CLIP)
    kinds = [segment.kind for segment in clip.manifest.segments()]
    assert kinds == ["key", "residual", "residual", "trajectory"]
    expected = [line.split()[1] for line in (CLIP / "digests.txt").read_text().splitlines()]
    assert [digest(frame) for frame in clip.frames()] == expected
    assert [digest(clip.frame(k)) for k in (5, 2, 0)] == [expected[k] for k in (5, 2, 0)]
    assert {len(frame) for frame in clip.frames()} == {300}
