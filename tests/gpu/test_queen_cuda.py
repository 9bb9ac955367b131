"""Learning frames on a real CUDA device: what the CPU learns, within the noise of its order."""

from __future__ import annotations

import numpy as np
import pytest

from gscompress.gaussians import ATTRIBUTES
from gscompress.render import get_renderer
from tests.render.scenes import make_camera, make_scene, psnr

pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("gsplat", reason="needs gsplat")

import torch

from gscompress.stages.targets import render_targets
from gscompress.stream.latent import LatentFrame, apply
from gscompress.stream.training.frame import train_frame
from gscompress.stream.training.motion import find_motion, foreground_shares
from gscompress.stream.training.settings import BirthSettings, QueenSettings

pytestmark = pytest.mark.cuda

if not torch.cuda.is_available():
    pytest.skip("needs a CUDA device", allow_module_level=True)

DEVICES = ("cuda", "cpu")
CAMERAS = [make_camera(96, 72, angle=a) for a in np.linspace(0, 6, 8)]
SCENE = make_scene(1500, seed=6, degree=1)
PART = np.arange(1500) < 200


def _moved():
    means, sh = SCENE.means.copy(), SCENE.sh.copy()
    means[PART] += np.float32([0.1, 0.0, 0.05])
    sh[PART, 0] += np.float32(0.4)
    return SCENE.replace(means=means, sh=sh)


def _targets(renderer):
    return [render_targets(s, CAMERAS, renderer, 1 << 30) for s in (SCENE, _moved())]


def _masks():
    part = SCENE.select(np.flatnonzero(PART))
    return [get_renderer("cpu").render(part, camera).alpha for camera in CAMERAS]


def _learned(device: str, settings: QueenSettings, foreground=None) -> tuple[LatentFrame, float]:
    renderer = get_renderer(device)
    before, now = _targets(renderer)
    frame = train_frame(SCENE, before, now, renderer, settings, foreground=foreground)
    found, cpu = apply(SCENE, frame), get_renderer("cpu")
    images = [[cpu.render(s, camera).image for s in (found, _moved())] for camera in CAMERAS]
    return frame, float(np.mean([psnr(*pair) for pair in images]))


def test_what_moves_is_what_moves_on_the_cpu() -> None:
    found = []
    for device in DEVICES:
        renderer = get_renderer(device)
        motion = find_motion(SCENE, *_targets(renderer), renderer, QueenSettings().motion)
        assert {tensor.device.type for tensor in (motion.difference, *motion.masks)} == {device}
        found.append(motion)
    cuda, cpu = (motion.difference.cpu().numpy() for motion in found)
    assert np.linalg.norm(cuda - cpu) < 2e-2 * np.linalg.norm(cpu)
    for one, other in zip(found[0].masks, found[1].masks, strict=True):
        assert float((one.cpu() != other).float().mean()) < 0.01


def test_shares_of_the_foreground_agree() -> None:
    shares = [foreground_shares(SCENE, CAMERAS, _masks(), get_renderer(d)) for d in DEVICES]
    assert shares[1].max() > 0.5
    assert np.abs(shares[0] - shares[1]).mean() < 5e-3
    for device in DEVICES:
        none = SCENE.select(np.zeros(0, np.int64))
        assert foreground_shares(none, CAMERAS, _masks(), get_renderer(device)).shape == (0,)


@pytest.mark.parametrize(
    ("settings", "masked"),
    [
        (QueenSettings(steps=120), False),
        (QueenSettings(steps=120, gate=None, latents={}), False),
        (QueenSettings(steps=120), True),
        (QueenSettings(steps=120, births=BirthSettings(threshold=1e-4, every=3)), True),
    ],
)
def test_a_frame_is_learned_as_well_as_on_the_cpu(settings: QueenSettings, masked: bool) -> None:
    masks = _masks() if masked else None
    (cuda, ours), (cpu, theirs) = (_learned(device, settings, masks) for device in DEVICES)
    before = np.mean(
        [
            psnr(*(get_renderer("cpu").render(s, camera).image for s in (SCENE, _moved())))
            for camera in CAMERAS
        ]
    )
    assert theirs > before + 1
    assert ours > before + 0.9 * (theirs - before)
    assert list(cuda.latents) == list(cpu.latents)
    assert cuda.births == pytest.approx(cpu.births, abs=0.2 * cpu.births)
    assert (cpu.births > 0) == (settings.births is not None)
    assert len(cuda.moved) == pytest.approx(len(cpu.moved), rel=0.3)
    now = apply(SCENE, cuda)
    assert all(np.isfinite(getattr(now, name)).all() for name in ATTRIBUTES)
