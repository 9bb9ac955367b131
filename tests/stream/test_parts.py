"""The parts of the sequence codec: layout, slots, axes, transform, tracking, segments."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gscompress.errors import CorruptFileError
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.stream.axes import nearest_axes
from gscompress.stream.layout import EVEN, Layout, Steps, morton_order, octaves_of, references_of
from gscompress.stream.segment import Frame, Segment, Turnover
from gscompress.stream.slots import FRACTION, Slots
from gscompress.stream.tracking import match, nearest_rows
from gscompress.stream.transform import SCALE_BITS, basis
from tests.checks import make_scene

STEPS = Steps((2**-8, 2**-8, 2**-8, 2**-7, 2**-8, 2**-8), EVEN)


def covariances(scene: Gaussians) -> np.ndarray:
    turned = Rotation.from_quat(scene.quats[:, [1, 2, 3, 0]].astype(float)).as_matrix()
    variances = np.exp(2 * scene.log_scales.astype(float))
    return np.asarray(turned @ (variances[:, :, None] * turned.transpose(0, 2, 1)))


def distinct(count: int, degree: int) -> Gaussians:
    """A scene in which no Gaussian is another one's twin."""
    return moved(make_scene(count, degree), 0.02, seed=7)


def moved(scene: Gaussians, amount: float = 0.05, seed: int = 1) -> Gaussians:
    rng = np.random.default_rng(seed)
    values = {name: getattr(scene, name) for name in ATTRIBUTES}
    noisy = {
        name: (v + rng.normal(0, amount, v.shape)).astype(np.float32) for name, v in values.items()
    }
    return scene.replace(**noisy)


@pytest.mark.parametrize(("degree", "channels"), [(0, 13), (1, 22), (2, 37), (3, 58), (4, 85)])
def test_layout(degree: int, channels: int) -> None:
    layout = Layout(degree)
    assert layout.channels == channels == len(layout.sets)
    assert list(layout.slices)[:5] == ["means", "quats", "scales", "opacities", "sh0"]
    assert max(layout.sets) + 1 == 13 + 3 * degree  # one set for each band and colour
    layout.coder()


def test_references_are_near_and_before() -> None:
    scene = make_scene(500, 0)
    means = scene.means[morton_order(scene.means)]
    references = references_of(means)
    assert (references <= np.arange(500)[:, None]).all()
    assert (references >= 0).all()
    near = np.linalg.norm(means - means[references[:, 0]], axis=1)[1:]
    before = np.linalg.norm(np.diff(means, axis=0), axis=1)
    assert near.mean() < 0.9 * before.mean()
    assert (references[2:, 0] != references[2:, 1]).mean() > 0.95


def test_faint_small_and_round_gaussians_have_coarser_steps() -> None:
    scene = make_scene(4, 0).replace(
        opacity_logits=[3, -4, 3, 3],
        log_scales=[[-1, -1, -1], [-1, -1, -1], [-4, -4, -4], [1, -3, -3]],
    )
    means, turns, others = octaves_of(scene, 0.0).T
    assert means[1] > means[0] == means[2] == means[3]
    assert others[1] > others[0]
    assert others[2] - others[0] in (4, 5)  # 3 / ln 2 = 4.3 octaves
    assert turns[0] == others[0]
    assert turns[3] == others[3] - 4
    assert (octaves_of(scene, EVEN) == 0).all()


@pytest.mark.parametrize("degree", [0, 2])
def test_slots_reach_what_is_wanted(degree: int) -> None:
    """Within half a step on each channel; the rotation within what its half steps turn."""
    key, target = make_scene(300, degree), moved(make_scene(300, degree))
    slots = Slots(key, STEPS)
    wish = np.rint(slots.wanted(target) - slots.present()).astype(np.int32)
    slots.move(np.arange(300, dtype=np.int32), wish * np.int32(FRACTION))
    found = slots.scene()
    for name, step in (("means", 2**-8), ("log_scales", 2**-8), ("sh", 2**-8)):
        assert np.abs(getattr(found, name) - getattr(target, name)).max() <= step / 2 * 1.001
    cosine = np.abs(np.sum(found.unit_quats * target.unit_quats, axis=1, dtype=np.float64))
    angle = 2 * np.arccos(np.minimum(cosine, 1))
    assert angle.max() <= np.sqrt(3) * 2**-8 * 1.01


def test_slots_do_not_depend_on_the_way() -> None:
    """Ten small moves give, bit for bit, what one gives, and what other slots do is all one."""
    key, rng = make_scene(50, 1), np.random.default_rng(0)
    changes = rng.integers(-100, 100, (10, 50, Layout(1).channels)).astype(np.int32)
    way, jump = Slots(key, STEPS), Slots(key, STEPS)
    for one in changes:
        some = np.flatnonzero(rng.random(50) < 2).astype(np.int32)
        way.move(some, one[some])
    jump.move(np.arange(50, dtype=np.int32), changes.sum(axis=0).astype(np.int32))
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(getattr(way.scene(), name), getattr(jump.scene(), name))
    fork = way.copy()
    fork.move(np.arange(50, dtype=np.int32), changes[0])
    np.testing.assert_array_equal(way.scene().means, jump.scene().means)


def test_slots_are_born_rebased_and_retired() -> None:
    key = make_scene(6, 0)
    slots = Slots(key, STEPS)
    everyone = np.arange(6, dtype=np.int32)
    slots.move(everyone, np.full((6, 13), 5 * FRACTION, np.int32))
    before = slots.scene()
    slots.append(np.array([2, 2, 4]))
    np.testing.assert_array_equal(slots.scene().means[6:], before.means[[2, 2, 4]])
    slots.rebase(dataclasses.replace(STEPS, by_group=(2**-4,) * 6))
    np.testing.assert_array_equal(slots.scene().means[:6], before.means)
    slots.move(np.array([7], np.int32), np.full((1, 13), FRACTION, np.int32))
    assert slots.scene().means[7, 0] == np.float32(before.means[2, 0].astype(float) + 2**-4)
    slots.retire(np.array([0, 7]))
    np.testing.assert_array_equal(
        slots.scene().means, slots.everything().means[[1, 2, 3, 4, 5, 6, 8]]
    )


def test_steps_have_a_largest() -> None:
    octaves = np.full((1, 3), 11, np.int8)
    steps = Steps((1.0,) * 6, 0.0)
    assert [steps.of(k, octaves)[0] for k in range(6)] == [2048, 0.125, 0.25, 0.5, 0.25, 0.25]


def test_nearest_axes() -> None:
    """However its axes are named, a Gaussian is written as the other one is."""
    scene, rng = make_scene(400, 0), np.random.default_rng(3)
    frames = Rotation.from_quat(scene.quats[:, [1, 2, 3, 0]].astype(float)).as_matrix()
    turns = Rotation.create_group("O").as_matrix()[rng.integers(0, 24, 400)]
    quats = Rotation.from_matrix(frames @ turns).as_quat()[:, [3, 0, 1, 2]]
    quats *= rng.choice([-2.0, 2.0], 400)[:, None]
    axes = np.abs(turns).argmax(axis=1)  # column k of frames @ turns is +- column axes[k]
    scales = np.take_along_axis(scene.log_scales, axes, axis=1)
    renamed = scene.replace(quats=quats, log_scales=scales)
    np.testing.assert_allclose(covariances(renamed), covariances(scene), rtol=1e-4, atol=1e-7)
    back = nearest_axes(renamed, scene)
    np.testing.assert_allclose(back.log_scales, scene.log_scales, atol=0)
    np.testing.assert_allclose(back.quats, scene.unit_quats, atol=2e-6)


@pytest.mark.parametrize("length", [1, 2, 5, 16, 64])
def test_basis(length: int) -> None:
    """Orthonormal, and the discrete sine transform VII of the formula."""
    functions = basis(length) / 2.0**SCALE_BITS
    k, t = np.arange(length)[:, None], np.arange(1, length + 1)
    formula = 2 / np.sqrt(2 * length + 1) * np.sin((2 * k + 1) * np.pi * t / (2 * length + 1))
    np.testing.assert_allclose(functions, formula, atol=0.51 / 2**SCALE_BITS)
    np.testing.assert_allclose(functions @ functions.T, np.eye(length), atol=2e-3)


def test_tracked_frames_are_themselves() -> None:
    scene = make_scene(500, 1)
    found = match(scene, moved(scene, 0.01))
    assert found.tracked
    np.testing.assert_array_equal(found.rows, np.arange(500))
    assert len(found.born) == 0


def test_permuted_frames_are_found_again() -> None:
    scene, rng = distinct(800, 1), np.random.default_rng(4)
    order = rng.permutation(800)
    exact = match(scene, scene.select(order))
    assert not exact.tracked
    np.testing.assert_array_equal(order[exact.rows], np.arange(800))
    near = match(scene, moved(scene, 0.002).select(order))
    right = near.rows >= 0
    assert right.mean() > 0.99
    assert (order[near.rows[right]] == np.flatnonzero(right)).mean() > 0.99


def test_births_and_deaths_are_found() -> None:
    scene, rng = distinct(900, 0), np.random.default_rng(5)
    kept = np.flatnonzero(rng.random(900) < 0.9)
    born = make_scene(60, 0, seed=9).replace(means=rng.normal(0, 1, (60, 3)) + 50)
    joined = {
        name: np.concatenate([getattr(scene, name)[kept], getattr(born, name)])
        for name in ATTRIBUTES
    }
    order = rng.permutation(len(kept) + 60)
    found = match(scene, scene.replace(**joined).select(order))
    dead = np.setdiff1d(np.arange(900), kept)
    np.testing.assert_array_equal(np.flatnonzero(found.rows < 0), dead)
    np.testing.assert_array_equal(np.sort(order[found.born]), len(kept) + np.arange(60))


def test_shifted_rows_are_not_tracked() -> None:
    """As many births as deaths, in a scene whose rows are in order of place."""
    scene = distinct(2000, 1)
    scene = scene.select(morton_order(scene.means))
    kept = np.setdiff1d(np.arange(2000), [5, 300, 1200])
    born = make_scene(3, 1, seed=11)
    joined = {
        name: np.concatenate([getattr(scene, name)[kept], getattr(born, name)])
        for name in ATTRIBUTES
    }
    found = match(scene, moved(scene.replace(**joined), 0.001))
    assert not found.tracked
    expected = np.full(2000, -1)
    expected[kept] = np.arange(1997)
    assert (found.rows == expected).mean() > 0.99


def test_nearest_rows() -> None:
    scene = distinct(600, 0)
    some = np.array([5, 400, 17])
    np.testing.assert_array_equal(nearest_rows(moved(scene, 1e-3).select(some), scene), some)


def example() -> Segment:
    turnover = Turnover(np.array([0, 3, 130]), np.array([1, 1, 199])).to_bytes()
    frames = (Frame(b"abc"), Frame(b""), Frame(b"x" * 300, turnover))
    return Segment("trajectory", 17, 200, Steps((0.5, 0.25, 1, 2, 4, 0), -3.5), frames)


def test_segments_are_read_as_written() -> None:
    segment = example()
    read = Segment.from_bytes(segment.to_bytes())
    for name in ("kind", "first", "slots", "steps"):
        assert getattr(read, name) == getattr(segment, name)
    assert [(f.changes, f.turnover) for f in read.frames] == [
        (f.changes, f.turnover) for f in segment.frames
    ]
    found = Turnover.from_bytes(read.frames[2].turnover or b"", np.ones(200, np.bool_))
    np.testing.assert_array_equal(found.deaths, [0, 3, 130])
    np.testing.assert_array_equal(found.parents, [1, 1, 199])


def test_every_truncation_and_every_changed_byte_is_refused() -> None:
    data = example().to_bytes()
    for size in range(len(data)):
        with pytest.raises(CorruptFileError, match="segment"):
            Segment.from_bytes(data[:size])
    for place in range(len(data)):
        hurt = bytearray(data)
        hurt[place] ^= 0x41
        with pytest.raises(CorruptFileError):
            Segment.from_bytes(bytes(hurt))


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        (14, b"\0\0", "frames"),
        (20, b"\0\0\xc0\x7f", "step of means"),
        (20, b"\0\0\0\0", "step of means"),
        (20, b"\0\0\0\xbf", "step of means"),
        (44, b"\0\0\x80\x7f", "visibility"),
        (48, b"\2", "frame 0"),
        (49, b"\xff\xff\xff\xff", "frame 0"),
    ],
)
def test_bad_fields_are_named(place: int, value: bytes, field: str) -> None:
    data = bytearray(example().to_bytes())
    data[place : place + len(value)] = value
    data[6:10] = zlib.crc32(bytes(data[10:])).to_bytes(4, "little")
    with pytest.raises(CorruptFileError, match=field):
        Segment.from_bytes(bytes(data))


@pytest.mark.parametrize(
    "data", [b"", b"\5\1\1", b"\1\0\0", b"\2\1\0\0", b"\1\x08\0", b"\0\1\7", b"\0\0\0", b"\xff" * 9]
)
def test_impossible_births_and_deaths_are_refused(data: bytes) -> None:
    alive = np.ones(7, np.bool_)
    alive[5] = False
    with pytest.raises(ValueError, match=r"."):
        Turnover.from_bytes(data, alive)


def test_the_dead_neither_die_nor_bear() -> None:
    alive = np.array([True, False])
    for deaths, parents in (([1], []), ([], [1])):
        data = Turnover(np.array(deaths, int), np.array(parents, int)).to_bytes()
        with pytest.raises(ValueError, match="empty"):
            Turnover.from_bytes(data, alive)
