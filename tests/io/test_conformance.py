"""Our files read by independent implementations, and theirs by us, attribute by attribute.

A reader is checked against ours on the same file, so within rounding of float32; a writer against
the scene that it was given, within the steps of its format. What is not installed is skipped; the
tool that writes docs/formats.md runs all of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gscompress.io import load
from tests.io.conformance import Pair, check, check_real, pairs, real_pairs
from tests.io.format_checks import angles
from tests.io.implementations import Implementation


def need(other: Implementation) -> None:
    if other.missing:
        pytest.skip(other.missing)


@pytest.mark.parametrize("pair", list(pairs()), ids=str)
def test_agrees_with(pair: Pair, tmp_path: Path) -> None:
    need(pair.other)
    check(pair, tmp_path)


@pytest.mark.parametrize(("other", "name"), list(real_pairs()), ids=lambda x: getattr(x, "name", x))
def test_real_files_as_others_read_them(
    shared_data: Path, tmp_path: Path, other: Implementation, name: str
) -> None:
    need(other)
    if not (shared_data / name).exists():
        pytest.skip(f"needs the real file {name}, which is not here")
    check_real(other, name, tmp_path, shared_data)


def test_biker_is_the_same_in_both_formats(shared_data: Path) -> None:
    """Written by other tools; that of the SPZ turned the axes as the specification says."""
    names = [shared_data / "small" / name for name in ("biker.spz", "biker.compressed.ply")]
    if not all(name.exists() for name in names):
        pytest.skip("needs the real files biker.*, which are not here")
    a, b = (load(name) for name in names)
    assert len(a) == len(b) == 152_746
    from scipy.spatial import cKDTree

    distance, index = cKDTree(a.means).query(b.means)
    assert distance.max() < 1 / 4096
    a = a.select(index)  # a few Gaussians at one place are mistaken for each other
    same = np.abs(a.opacities - b.opacities) < 1.5 / 255
    assert same.mean() > 0.98
    assert np.quantile(angles(a.quats, b.quats), 0.9) < 0.5
    assert np.quantile(np.abs(a.log_scales - b.log_scales), 0.9) < 1 / 16
    assert np.quantile(np.abs(a.sh - b.sh), 0.9) < 0.05
