"""Births while a frame is learned: who has children, where they end up, and what is decoded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("torch", reason="training needs torch")

import torch

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.metrics import psnr
from gscompress.render.cpu import CpuRenderer
from gscompress.stages.targets import render_targets
from gscompress.stream.latent import LatentFrame, apply
from gscompress.stream.latent_segment import LatentTrack, write_segment
from gscompress.stream.segment import Segment
from gscompress.stream.training.births import Births
from gscompress.stream.training.frame import train_frame
from gscompress.stream.training.model import LatentModel
from gscompress.stream.training.motion import Motion, find_motion
from gscompress.stream.training.settings import BirthSettings, QueenSettings
from tests.stream.training.conftest import BLOB

RENDERER = CpuRenderer(threads=2)
QUICK = QueenSettings(steps=120)
BEARING = QUICK.replace(births=BirthSettings(share=0.1, threshold=1e-3, every=3))


@pytest.fixture(scope="module")
def split(scene: Gaussians) -> Gaussians:
    """The blob has come apart, and one half is of another colour: more than it can show."""
    means, sh = scene.means.copy(), scene.sh.copy()
    half = np.arange(len(scene) - BLOB, len(scene), 2)
    means[half] += np.float32([0.3, 0.0, 0.0])
    sh[half, 0] = [-1.5, 1.7, -1.5]
    twins = scene.replace(means=means, sh=sh)
    return Gaussians.concat([twins, scene.select(np.arange(len(scene) - BLOB, len(scene)))])


def learn(
    scene: Gaussians, target: Gaussians, cameras: Sequence[Camera], settings: QueenSettings
) -> LatentFrame:
    before, now = (render_targets(s, cameras, RENDERER, 1 << 30) for s in (scene, target))
    return train_frame(scene, before, now, RENDERER, settings)


def motion_of(scene: Gaussians, dynamic: Sequence[int]) -> Motion:
    """All are learned, some are dynamic."""
    moves = torch.zeros(len(scene), dtype=torch.bool)
    moves[list(dynamic)] = True
    return Motion(torch.full((len(scene),), 1e-2), [], torch.arange(len(scene)), moves)


def test_births_help_where_there_are_too_few(
    scene: Gaussians, split: Gaussians, cameras: list[Camera]
) -> None:
    train, held_out = [c for i, c in enumerate(cameras) if i % 3], cameras[::3]
    quality = []
    for settings in (QUICK, BEARING):
        frame = learn(scene, split, train, settings)
        now = apply(scene, frame)
        images = [[RENDERER.render(s, c).image for s in (now, split)] for c in held_out]
        quality.append(float(np.mean([psnr(*pair) for pair in images])))
        ball = len(scene) - BLOB
        if settings.births is None:
            assert frame.births == 0
        else:
            assert 5 < frame.births <= 0.1 * len(scene)
            # Dynamic is also what the blob uncovers, right behind it.
            assert (frame.parents >= ball).mean() > 0.5
    assert quality[1] > quality[0] + 0.2


def test_born_frames_come_back_bit_for_bit(
    scene: Gaussians, split: Gaussians, cameras: list[Camera]
) -> None:
    settings = BEARING.replace(steps=20, births=BirthSettings(share=0.02, threshold=1e-4, every=1))
    writer, reader = LatentTrack(scene, -3.0), LatentTrack(scene, -3.0)
    for number in (1, 2):
        frame = learn(writer.scene, split, cameras[:4], settings)
        assert frame.births > 0
        segment = Segment.from_bytes(write_segment(writer, frame, number, -3.0))
        (decoded,) = reader.advance(segment)
        assert decoded.sh.tobytes() == writer.scene.sh.tobytes()
        assert decoded.means.tobytes() == writer.scene.means.tobytes()
    assert len(reader.scene) > len(scene)
    once, again = (learn(scene, split, cameras[:4], settings) for _ in range(2))
    assert np.array_equal(once.parents, again.parents)
    assert np.array_equal(once.moves, again.moves)


def test_a_child_is_its_parent_or_both_move_apart(scene: Gaussians) -> None:
    """What is decoded is what is rendered while learning, children in the order of parents."""
    rows = torch.tensor([3, 8, 21])
    ways = torch.zeros(3, 3)
    ways[1] = torch.tensor([0.2, -0.1, 0.05])
    model = LatentModel(scene, motion_of(scene, [3, 8, 21]), BEARING, extent=1.0)
    model.grow(torch.tensor([8]), ways[1:2])
    model.grow(rows[[0, 2]], ways[[0, 2]])
    count = len(scene)
    assert model.active.tolist() == list(range(count + 3))
    values = {name: value.detach().numpy() for name, value in model.values().items()}
    np.testing.assert_allclose(values["means"][count], scene.means[8] + ways[1].numpy(), atol=1e-6)
    np.testing.assert_allclose(values["means"][8], scene.means[8] - ways[1].numpy(), atol=1e-6)
    shrunk = scene.log_scales[8] - np.log(1.6)
    for row in (8, count):  # as near as whole latents come
        np.testing.assert_allclose(values["log_scales"][row], shrunk, atol=0.04)
    for row, parent in ((count + 1, 3), (count + 2, 21)):
        assert np.array_equal(values["means"][row], scene.means[parent])
        assert np.array_equal(values["sh"][row], scene.sh[parent])
    frame = model.frame()
    assert frame.parents.tolist() == [3, 8, 21]
    assert frame.moved.tolist() == [8, count + 1]
    decoded = apply(scene, frame)
    order = [*range(count), count + 1, count, count + 2]
    step = BEARING.move_step
    np.testing.assert_allclose(decoded.means, values["means"][order], atol=step / 2 + 1e-6)
    np.testing.assert_allclose(decoded.log_scales, values["log_scales"][order], atol=1e-5)
    assert np.array_equal(decoded.opacity_logits, values["opacity_logits"][order])


def test_a_grandchild_starts_as_its_grandparent_was(scene: Gaussians) -> None:
    model = LatentModel(scene, motion_of(scene, [5]), BEARING, extent=1.0)
    model.grow(torch.tensor([5]), torch.zeros(1, 3))
    model.grow(torch.tensor([len(scene)]), torch.zeros(1, 3))
    assert model.frame().parents.tolist() == [5, 5]


def test_the_faint_are_left_out_if_they_are_new(scene: Gaussians) -> None:
    faint = scene.opacity_logits.copy()
    faint[[5, 9]] = -9.0
    scene = scene.replace(opacity_logits=faint)
    model = LatentModel(scene, motion_of(scene, [5, 6]), BEARING, extent=1.0)
    model.grow(torch.tensor([5, 6]), torch.zeros(2, 3))
    frame = model.frame()
    assert frame.parents.tolist() == [6]
    assert {len(part) for part in frame.latents.values()} == {len(scene) + 1}


def watched(
    scene: Gaussians, cameras: Sequence[Camera], settings: QueenSettings, room: int, pulls: object
) -> LatentModel:
    """A model after two rounds of two views in which gradients were as given."""
    motion = motion_of(scene, [2, 4, 6, 8])
    model = LatentModel(scene, motion, settings, extent=1.0)
    births = Births(model, motion, settings, 1.0, 2, room)
    for step in range(4):
        probe = births.probe(step, len(model.active))
        if probe is not None:
            probe.grad = torch.zeros_like(probe)
            for row, pull in dict(pulls).items():  # type: ignore[call-overload]
                probe.grad[row, 0] = pull / (cameras[0].width / 2)
        births.watch(step, probe, cameras[0])
    return model


@pytest.mark.parametrize(("room", "expected"), [(9, [2, 4]), (1, [4]), (0, [])])
def test_the_strongest_dynamic_ones_have_children(
    scene: Gaussians, cameras: list[Camera], room: int, expected: list[int]
) -> None:
    """Those above the threshold, as far as there is room; 5 does not move, 6 is too weak."""
    pulls = {2: 2e-3, 4: 5e-3, 5: 9e-3, 6: 1e-4}
    settings = BEARING.replace(steps=100, births=BirthSettings(threshold=1e-3, every=2))
    model = watched(scene, cameras, settings, room, pulls)
    assert model.frame().parents.tolist() == expected


def test_nobody_is_born_near_the_end(scene: Gaussians, cameras: list[Camera]) -> None:
    pulls = {4: 1.0}
    for steps, expected in ((8, []), (10, [4])):
        settings = BEARING.replace(steps=steps, births=BirthSettings(every=2))
        model = watched(scene, cameras, settings, 9, pulls)
        assert model.frame().parents.tolist() == expected, steps


def test_large_ones_move_apart_within_themselves(scene: Gaussians, cameras: list[Camera]) -> None:
    """By a sample of the Gaussian: within some of its sizes, whatever way it is turned."""
    sizes = np.log(np.tile(np.float32([0.001, 0.1, 0.4]), (len(scene), 1)))
    scene = scene.replace(log_scales=sizes)
    births = BirthSettings(small=0.2, threshold=1e-3)
    settings = BEARING.replace(steps=100, births=births)
    model = watched(scene, cameras, settings, 9, {4: 1.0})
    count = len(scene)
    means = model.values()["means"].detach().numpy()
    np.testing.assert_allclose(means[4] + means[count], 2 * scene.means[4], atol=1e-5)
    turn = Rotation.from_quat(scene.quats[4], scalar_first=True)
    local = turn.inv().apply(means[count] - scene.means[4])
    assert (np.abs(local) < 4 * np.float32([0.001, 0.1, 0.4])).all()
    assert np.abs(local).max() > 0.01
    births = BirthSettings(small=0.5, threshold=1e-3)
    model = watched(scene, cameras, BEARING.replace(steps=100, births=births), 9, {4: 1.0})
    assert np.array_equal(model.values()["means"].detach().numpy()[count], scene.means[4])


@pytest.mark.parametrize("change", [{"share": 0.0}, {"growth": 0.9}, {"every": 0}, {"shrink": 0.5}])
def test_nonsense_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError):
        BirthSettings(**change)  # type: ignore[arg-type]


def test_dynamic_is_what_moves(scene: Gaussians, moved: Gaussians, cameras: list[Camera]) -> None:
    before, now = (render_targets(s, cameras, RENDERER, 1 << 30) for s in (scene, moved))
    motion = find_motion(scene, before, now, RENDERER, QUICK.motion)
    assert torch.equal(motion.dynamic, motion.difference > QUICK.motion.dynamic)
    assert float(motion.dynamic[-BLOB:].float().mean()) > 0.7
    assert float(motion.dynamic[:-BLOB].float().mean()) < 0.2
