"""Codebooks calibrated through the renderer: held-out views gain, and the encoder takes them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.codecs.rvq import RVQ
from gscompress.codecs.svq import SVQ
from gscompress.codecs.vectree import VecTree
from gscompress.config import Config, load_config
from gscompress.gaussians import Gaussians
from gscompress.metrics.psnr import psnr
from gscompress.pipeline import Result, compress
from gscompress.stages.base import Context
from gscompress.stages.calibrate import Calibrate

FEW = VecTree(codebook=24, keep_exact=0.1)
SEEN = dataclasses.replace(FEW, views=16)
QUICK = Calibrate(steps=60, every=1, reassign=20, check_views=2, check_every=20)


def config(*stages: Calibrate, **codecs: object) -> Config:
    preset = load_config("fast")
    return dataclasses.replace(preset, stages=stages, attributes={**preset.attributes, **codecs})


def coded(scene: Gaussians, cameras: list[Camera], setting: Config) -> tuple[Result, float]:
    """The file, and its PSNR at views that no encoder knew."""
    result = compress(scene, setting, cameras=cameras[::2], device="cpu")
    back, render = result.decoded(), Context(scene, device="cpu").renderer.render
    pairs = [(render(back, c).image, render(scene, c).image) for c in cameras[1::2]]
    return result, float(np.mean([psnr(*pair) for pair in pairs]))


def test_held_out_views_gain_at_nearly_equal_bytes(scene: Gaussians, cameras: list[Camera]) -> None:
    plain, before = coded(scene, cameras, config(sh=FEW))
    found, after = coded(scene, cameras, config(QUICK, sh=FEW))
    assert after > before + 0.7
    assert len(found.to_bytes()) < 1.03 * len(plain.to_bytes())
    together = dataclasses.replace(QUICK, together=True)
    assert coded(scene, cameras, config(together, sh=FEW))[1] > before + 0.7


def test_choosing_anew_gains(scene: Gaussians, cameras: list[Camera]) -> None:
    """Words in the metric of images are 3 dB better to begin with."""
    _, before = coded(scene, cameras, config(sh=SEEN))
    assert before > coded(scene, cameras, config(sh=FEW))[1] + 2.5
    slow = dataclasses.replace(QUICK, rate=0.02, belief=0.4, check_views=0)
    _, fixed = coded(scene, cameras, config(dataclasses.replace(slow, reassign=0), sh=SEEN))
    _, free = coded(scene, cameras, config(slow, sh=SEEN))
    assert fixed > before + 0.1
    assert free > fixed + 0.1


@pytest.mark.parametrize(
    ("group", "codec"),
    [("scales", SVQ(1, 6)), ("quats", RVQ(2, 6, canonical=True)), ("sh", SVQ(9, 16, klt=True))],
    ids=lambda x: x if isinstance(x, str) else type(x).__name__,
)
def test_every_codec_with_words_gains(
    group: str, codec: object, scene: Gaussians, cameras: list[Camera]
) -> None:
    _, before = coded(scene, cameras, config(**{group: codec}))
    _, after = coded(scene, cameras, config(QUICK, **{group: codec}))
    assert after > before + 0.2


def test_twice_is_the_same(scene: Gaussians, cameras: list[Camera]) -> None:
    setting = config(dataclasses.replace(QUICK, steps=10, reassign=5), sh=SEEN)
    one, other = (coded(scene, cameras, setting)[0].to_bytes() for _ in range(2))
    assert one == other


def test_nothing_happens_where_there_are_no_words(scene: Gaussians, context: Context) -> None:
    assert QUICK.apply(scene, context) is scene
    context.attributes = config().attributes
    assert QUICK.apply(scene, context) is scene
    context.attributes = config(sh=FEW).attributes
    assert dataclasses.replace(QUICK, steps=0).apply(scene, context) is scene
    assert context.trained == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", -1),
        ("reassign", -1),
        ("check_views", -1),
        ("check_every", 0),
        ("every", 0),
        ("rate", 1.5),
        ("belief", 0.0),
    ],
)
def test_parameters_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}, expected"):
        Calibrate(**{name: value})
