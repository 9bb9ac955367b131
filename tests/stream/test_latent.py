"""Latent frames: what they do to a scene, bit for bit, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gscompress.errors import InputError
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.stream.latent import LATENT_GROUPS, LatentFrame, apply, group_of, width_of
from tests.render.scenes import make_scene

DIMS = {"sh0": 8, "shN": 4, "quats": 6, "log_scales": 8, "opacity_logits": 3}


def make_frame(scene: Gaussians, seed: int = 0, births: int = 0, **changes: Any) -> LatentFrame:
    """Sparse latents in all groups, some moves, and births."""
    rng = np.random.default_rng(seed)
    count = len(scene) + births
    groups = [group for group in LATENT_GROUPS if width_of(scene, group)]
    moved = np.flatnonzero(rng.random(count) < 0.3)
    fields: dict[str, Any] = {
        "latents": {
            g: rng.integers(-3, 4, (count, DIMS[g])) * (rng.random((count, 1)) < 0.4)
            for g in groups
        },
        "decoders": {g: rng.normal(0, 0.02, (DIMS[g], width_of(scene, g))) for g in groups},
        "moved": moved,
        "moves": rng.integers(1, 99, (len(moved), 3)),
        "move_step": 0.000337,
        "parents": np.sort(rng.integers(0, len(scene), births)),
    }
    return LatentFrame(**{**fields, **changes})


def test_the_sum_of_doubles_in_order_rounded_once() -> None:
    """The twin: one number at a time, in Python's doubles, in the order of the dimensions."""
    scene = make_scene(40, degree=1)
    frame = make_frame(scene, births=3)
    now = apply(scene, frame)
    origin = [*range(40), *frame.parents.tolist()]
    for group, latents in frame.latents.items():
        before, found = group_of(scene, group), group_of(now, group)
        decoder = frame.decoders[group]
        for i in range(len(now)):
            for j in range(found.shape[1]):
                change = 0.0
                for k in range(len(decoder)):
                    change += float(latents[i, k]) * float(decoder[k, j])
                assert found[i, j] == np.float32(float(before[origin[i], j]) + change)
    moves = dict(zip(frame.moved.tolist(), frame.moves.tolist(), strict=True))
    for i in range(len(now)):
        way = [n * frame.move_step for n in moves.get(i, (0, 0, 0))]
        expected = [np.float32(float(scene.means[origin[i], j]) + way[j]) for j in range(3)]
        assert now.means[i].tolist() == expected


def test_known_numbers() -> None:
    scene = make_scene(2, degree=0)
    scene = scene.replace(opacity_logits=np.float32([0.5, -1.25]), means=np.zeros((2, 3)))
    frame = LatentFrame(
        latents={"opacity_logits": np.array([[2, -1], [0, 0]])},
        decoders={"opacity_logits": np.float32([[0.25], [0.125]])},
        moved=np.array([1]),
        moves=np.array([[4, 0, -2]]),
        move_step=0.5,
        parents=np.zeros(0, np.int32),
    )
    now = apply(scene, frame)
    assert now.opacity_logits.tolist() == [0.875, -1.25]
    assert now.means.tolist() == [[0, 0, 0], [2, 0, -1]]
    for name in ("quats", "log_scales", "sh"):
        assert np.array_equal(getattr(now, name), getattr(scene, name))


def test_an_empty_frame_changes_nothing() -> None:
    scene = make_scene(20, degree=2)
    none = np.zeros(0, np.int32)
    now = apply(scene, LatentFrame({}, {}, none, np.zeros((0, 3)), 1.0, none))
    assert all(np.array_equal(getattr(now, n), getattr(scene, n)) for n in ATTRIBUTES)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"moved": [3, 2], "moves": np.zeros((2, 3))}, "moved"),
        ({"moved": [-1], "moves": np.zeros((1, 3))}, "moved"),
        ({"moved": [2], "moves": np.zeros((2, 3))}, "moves"),
        ({"move_step": 0.0}, "move_step"),
        ({"move_step": float("nan")}, "move_step"),
        ({"parents": np.array([2, 1])}, "parents"),
        ({"latents": {}}, "latents"),
        ({"latents": {"x": np.zeros((9, 1))}, "decoders": {"x": np.zeros((1, 3))}}, "latents"),
        ({"latents": {"sh0": np.zeros((9, 2))}, "decoders": {"sh0": np.zeros((3, 3))}}, "sh0"),
        ({"latents": {"sh0": np.zeros((9, 1))}, "decoders": {"sh0": [[np.inf] * 3]}}, "sh0"),
        ({"latents": {"sh0": [[1 << 25]]}, "decoders": {"sh0": np.zeros((1, 3))}}, "sh0"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        make_frame(make_scene(9, degree=1), **changes)
    assert caught.value.field == field


def test_a_frame_of_another_scene_is_refused() -> None:
    scene = make_scene(9, degree=1)
    with pytest.raises(InputError, match="rows"):
        apply(make_scene(8, degree=1), make_frame(scene))
    with pytest.raises(InputError, match="parents"):
        apply(scene, make_frame(scene, latents={}, decoders={}, parents=np.array([9])))
    with pytest.raises(InputError, match="moved"):
        apply(
            scene,
            make_frame(scene, latents={}, decoders={}, moved=[9], moves=np.ones((1, 3))),
        )
