"""Steps tried on a part of a scene."""

from __future__ import annotations

import numpy as np
import pytest

import gscompress as gs
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.scene import GROUPS
from gscompress.config import load_config
from gscompress.rate import Encoder
from gscompress.rate.sample import BLOCK, Views, blocks
from gscompress.render import get_renderer
from tests.checks import importances, make_scene


def test_blocks_are_spread_over_all_levels() -> None:
    levels = (1000, 1000, 9000, 30_000)
    rows, ends = blocks(levels, 10_000)
    assert (np.diff(rows) > 0).all()
    assert len(rows) == ends[-1] == pytest.approx(10_000, rel=0.15)
    for begin, end, first, last in zip([0, *levels], levels, [0, *ends], ends, strict=False):
        part = rows[first:last]
        assert ((part >= begin) & (part < end)).all()
        assert abs(len(part) - (end - begin) / 3) <= BLOCK
    everything, same = blocks(levels, 10**6)
    assert (everything == np.arange(30_000)).all()
    assert same == levels


@pytest.mark.parametrize("preset", ["fast", "balanced", "small", "lossless"])
def test_all_blocks_are_what_the_file_has(preset: str) -> None:
    """Bytes of a part that is everything, and values of the whole, are those of the file."""
    scene = make_scene(700, 2)
    config = load_config(preset, stages="none")
    measured = Guidance(importances(scene)) if preset == "balanced" else Guidance()
    encoder = Encoder(scene, scene, measured)
    encoded = encoder.encode(config)
    sizes = encoded.container.chunks
    part = encoder.part(config, 10**6).under(config)
    whole = encoder.whole(config).under(config)
    for group, name in GROUPS.items():
        values = getattr(encoded.decoded, name)
        assert np.array_equal(whole.group(group)[1], values)
        assert np.array_equal(part.group(group)[1], values)
    importance = sum(len(data) for name, data in sizes.items() if "importance" in name)
    written = sum(map(len, sizes.values())) - importance
    # Who is near is judged by another grid.
    assert part.bytes() == pytest.approx(written, rel=0.02)


def test_a_trial_changes_nothing_but_its_group() -> None:
    scene = make_scene(700, 1)
    encoder, config = Encoder(scene, scene, Guidance()), load_config("fast")
    coded = encoder.part(config, 600).under(config)
    before = {group: coded.group(group) for group in GROUPS}
    for group in GROUPS:
        wide = load_config("fast", [f"attributes.{group}={{ use = 'exact' }}"])
        size, values = coded.trial(group, wide)
        assert size > before[group][0]
        assert not np.array_equal(values, before[group][1])
        assert coded.group(group) is before[group]


def test_views_see_what_is_exchanged() -> None:
    scene = make_scene(300, 1)
    camera = gs.virtual_cameras(scene, 1, width=64, height=48)[0]
    views, rows = Views(scene, [camera], get_renderer("cpu")), np.arange(0, 300, 2)
    assert views.errors("sh", rows, scene.sh[rows]).tolist() == [0]
    darker = scene.sh[rows] - 0.1
    sh = scene.sh.copy()
    sh[rows] = darker
    difference = gs.render(scene.replace(sh=sh), camera) - gs.render(scene, camera)
    assert views.errors("sh", rows, darker) == pytest.approx([np.mean(difference**2)], rel=1e-5)
    assert views.errors("sh", np.arange(300), sh) == pytest.approx([np.mean(difference**2)])
