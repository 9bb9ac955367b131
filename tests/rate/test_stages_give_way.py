"""A target PSNR that stages put out of reach is reached without them."""

from __future__ import annotations

import dataclasses
import logging
import math

import pytest

from gscompress.config import load_config
from gscompress.pipeline import compress
from gscompress.stages.prune import Prune
from tests.render.scenes import make_camera, make_scene


@pytest.mark.parametrize(("target", "kept"), [(43.0, 400), (20.0, 200)])
def test_stages_give_way_to_a_target(
    target: float, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    scene = make_scene(400, degree=1)
    cameras = [make_camera(48, 40, angle=2 * math.pi * i / 32) for i in range(32)]
    config = dataclasses.replace(load_config("fast"), stages=(Prune(keep=0.5),))
    with caplog.at_level(logging.WARNING, "gscompress"):
        result = compress(
            scene,
            config,
            cameras=cameras[::2],
            control=cameras[1::2],
            target_psnr=target,
            device="cpu",
        )
    assert result.summary["gaussians_out"] == kept
    assert target <= result.summary["rate"]["reached"] <= target + 0.1
    left_out = kept == len(scene)
    assert [stage["name"] for stage in result.summary["stages"]] == ([] if left_out else ["prune"])
    assert any("stages lose too much" in record.message for record in caplog.records) == left_out
