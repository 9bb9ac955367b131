"""Clips that an earlier version encoded decode to the same bits for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from gscompress.stream.clip import Clip
from tests.checks import digest

GOLDEN = Path(__file__).parents[1] / "golden"
KINDS = {
    "clip": ["key", "residual", "residual", "trajectory"],
    "run_clip": ["key", "run", "run", "run"],
    "latent_clip": ["key", "latent", "latent"],
}


@pytest.mark.parametrize("name", KINDS)
def test_golden_clips(name: str) -> None:
    clip = Clip.open(GOLDEN / name)
    assert [segment.kind for segment in clip.manifest.segments()] == KINDS[name]
    lines = (GOLDEN / name / "digests.txt").read_text().splitlines()
    expected = [line.split()[1] for line in lines]
    assert [digest(frame) for frame in clip.frames()] == expected
    for number in reversed(range(len(expected))):
        assert digest(clip.frame(number)) == expected[number]
