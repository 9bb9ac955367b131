"""The question queen: its rows, its bytes, and plain residuals against their twin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from gscompress.stream.latent import LatentFrame, apply
from gscompress.stream.training.motion import Motion
from gscompress.stream.training.settings import QueenSettings
from tests.render.scenes import make_scene

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(autouse=True)
def tools_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


def test_entropy_of_known_columns():
    from benchmarks.queen import entropy_bytes

    frame = LatentFrame(
        latents={"opacity_logits": np.array([[0], [1], [0], [1], [2], [2], [3], [3]])},
        decoders={"opacity_logits": np.ones((1, 1))},
        moved=np.array([0, 1, 2, 3]),
        moves=np.array([[1, 5, 0], [1, 6, 0], [1, 5, 0], [1, 6, 0]]),
        move_step=1.0,
        parents=np.zeros(0),
    )
    # 8 latents of 2 bits, 8 flags of 1 bit, 4 moves of 0 + 1 + 0 bits, a decoder of 4 bytes
    assert entropy_bytes(frame) == pytest.approx((16 + 8 + 4) / 8 + 4)


def test_all_rows_have_the_same_steps_rates_and_views():
    from benchmarks.queen import variants

    settings = QueenSettings(steps=7, seed=5)
    rows = variants(settings, 1)
    assert len({row.name for row in rows}) == len(rows) == 10
    for row in rows:
        for name in ("steps", "rates", "damping", "last_rate", "scale", "seed", "softness"):
            assert getattr(row.settings, name) == getattr(settings, name)
    assert [row.compressed for row in rows] == [False] + 9 * [True]
    assert [row.masked for row in rows] == 8 * [False] + 2 * [True]
    assert rows[1].settings == settings
    assert rows[3].settings.latents["shN"].dims == 9


def test_plain_residuals_are_the_learned_numbers_and_their_rounding():
    from benchmarks.queen import PlainModel, variants

    scene = make_scene(30, degree=1)
    motion = Motion(torch.ones(30), [], torch.arange(30), torch.ones(30, dtype=torch.bool))
    row = variants(QueenSettings(), 1)[3]
    model = PlainModel(scene, motion, row.settings, 2.0)
    rng = np.random.default_rng(0)
    for name, value in model._rows.values.items():
        if name != "moves":
            value.data += torch.from_numpy(rng.normal(0, 2, value.shape).astype(np.float32))
    exact, decoded = model.scene(scene), apply(scene, model.frame())
    for name, settings in row.settings.latents.items():
        if not name.startswith("sh"):
            error = np.abs(getattr(exact, name) - getattr(decoded, name))
            assert 0.3 * settings.step < error.max() <= 0.5001 * settings.step
    error = np.abs(exact.sh - decoded.sh)
    assert error[:, 0].max() <= 0.0201
    assert error[:, 1:].max() <= 0.0301
