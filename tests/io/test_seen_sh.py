from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gscompress.codecs.guidance import Sightings
from gscompress.codecs.harmonics import image_metric
from gscompress.io import load
from gscompress.io.axes import OURS, turned
from gscompress.io.quantised import morton_order
from gscompress.io.seen_sh import Levels, seen_levels
from gscompress.io.spz import SpzFormat
from tests.io.format_checks import make_scene
from tests.io.test_seen_palette import EYES, seen, shown

EIGHTHS = Levels(1 / 8, -8, 8, top=127 / 128)
COLOURS = Levels(0.02, 0, 255, origin=-2.5)


def test_levels_are_the_nearest_ones() -> None:
    wanted = np.array([-3.0, -0.07, 0.05, 0.0625, 0.9, 2.0])
    integers = EIGHTHS.nearest(wanted)
    assert integers.tolist() == [-8, -1, 0, 1, 7, 8]
    assert EIGHTHS.values(integers).tolist() == [-1, -0.125, 0, 0.125, 0.875, 127 / 128]
    assert COLOURS.values(COLOURS.nearest(np.array([-2.5, 0.0]))).tolist() == [-2.5, 0]


def test_terms_make_up_for_those_above_them() -> None:
    """A slow twin: one Gaussian, channel and term after the other, by the definition."""
    scene = make_scene(12, 2)
    sightings = seen(scene)
    levels = [COLOURS] + 8 * [EIGHTHS]
    found = seen_levels(scene.sh, scene.means, sightings, levels, price=0)
    metric = image_metric(scene.means, sightings, 9, 1.0)
    for i in range(12):
        for colour in range(3):
            error = np.zeros(9)
            for k in range(8, -1, -1):
                # What term k should be, given those above it, if those below it could be anything.
                free, above = slice(0, k + 1), slice(k + 1, 9)
                change = np.linalg.solve(
                    metric[i, free, free], -metric[i, free, above] @ error[above]
                )
                aim = np.array(scene.sh[i, k, colour] + change[k])
                chosen = levels[k].values(levels[k].nearest(aim))
                assert found[i, k, colour] == pytest.approx(float(chosen), abs=1e-6)
                error[k] = float(chosen) - scene.sh[i, k, colour]


def test_bits_are_saved_where_they_are_dear() -> None:
    scene = make_scene(500, 3)
    sightings = seen(scene)
    levels = [COLOURS] + 15 * [EIGHTHS]
    zeros = [
        int(np.sum(seen_levels(scene.sh, scene.means, sightings, levels, price)[:, 1:] == 0))
        for price in (0.0, 0.1, 5.0)
    ]
    assert zeros[0] < zeros[1] < zeros[2]


def test_what_nobody_sees_is_rounded_to_the_nearest() -> None:
    scene = make_scene(50, 3)
    nobody = Sightings.of(EYES, np.zeros((50, 3)))
    levels = [COLOURS] + 15 * [EIGHTHS]
    found = seen_levels(scene.sh, scene.means, nobody, levels)
    for k, grid in enumerate(levels):
        nearest = grid.values(grid.nearest(scene.sh[:, k].astype(np.float64)))
        assert np.abs(found[:, k] - nearest).max() < 1e-6


@pytest.mark.parametrize("axes", ["RUB", "RDF"])
@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_less_of_the_error_of_an_spz_is_seen(tmp_path: Path, degree: int, axes: str) -> None:
    scene = make_scene(1200, degree)
    sightings = seen(scene)
    order = morton_order(turned(scene, OURS, axes).means)
    losses, sizes = [], []
    for given in (None, sightings):
        SpzFormat(axes=axes, sightings=given).save(scene, tmp_path / "a.spz")
        back = load(tmp_path / "a.spz", axes=axes)
        sizes.append((tmp_path / "a.spz").stat().st_size)
        ordered = scene.select(order)
        assert np.abs(back.means - ordered.means).max() < 1e-3
        losses.append(shown(ordered, back, sightings.select(order)))
    assert losses[1] < 0.5 * losses[0]
    assert sizes[1] <= sizes[0]


def test_no_file_grows_for_what_is_seen(tmp_path: Path) -> None:
    """Harmonics that repeat would no longer: such a scene is rounded to the nearest."""
    scene = make_scene(3000, 3)
    scene = scene.replace(sh=scene.sh[np.arange(3000) % 5])
    for name, given in (("a", None), ("b", seen(scene))):
        SpzFormat(sightings=given).save(scene, tmp_path / f"{name}.spz")
    assert (tmp_path / "a.spz").read_bytes() == (tmp_path / "b.spz").read_bytes()


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path) -> None:
    scene = make_scene(3000, 1)
    for name in "ab":
        SpzFormat(sightings=seen(scene)).save(scene, tmp_path / f"{name}.spz")
    assert (tmp_path / "a.spz").read_bytes() == (tmp_path / "b.spz").read_bytes()
    blind = SpzFormat()
    blind.save(scene, tmp_path / "c.spz")
    assert (tmp_path / "a.spz").read_bytes() != (tmp_path / "c.spz").read_bytes()
    empty = make_scene(0, 2)
    SpzFormat(sightings=seen(empty)).save(empty, tmp_path / "d.spz")
    assert len(load(tmp_path / "d.spz")) == 0
