from pathlib import Path

import numpy as np
import pytest

from gscompress.io import load
from tests.checks import make_scene

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(autouse=True)
def tools_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


def test_a_motion_is_tracked_and_rigid():
    from benchmarks.motion import moving_scene

    scene = make_scene(200, 0)
    frames = list(moving_scene(scene, 5))
    assert len(frames) == 5
    for name in ("means", "log_scales", "opacity_logits", "sh"):
        np.testing.assert_allclose(getattr(frames[0], name), getattr(scene, name), atol=1e-5)
    last = frames[-1]
    moved = np.flatnonzero((last.means != scene.means).any(axis=1))
    faded = np.flatnonzero(last.opacity_logits != scene.opacity_logits)
    assert 20 <= len(moved) <= 24
    assert 1 <= len(faded) <= 10
    assert not set(moved) & set(faded)
    before = np.linalg.norm(scene.means[moved][:, None] - scene.means[moved], axis=2)
    after = np.linalg.norm(last.means[moved][:, None] - last.means[moved], axis=2)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-3)
    # The angle that the rotations turn by is that of the positions: 4 times 3 degrees.
    one, other = scene.unit_quats[moved].astype(float), last.unit_quats[moved].astype(float)
    angle = 2 * np.degrees(np.arccos(np.clip(np.abs(np.sum(one * other, axis=1)), 0, 1)))
    np.testing.assert_allclose(angle, 12, atol=0.05)
    np.testing.assert_allclose(np.exp(last.log_scales - scene.log_scales)[faded], 1.5, rtol=1e-4)


def test_splat_frames_keep_their_order(tmp_path):
    from benchmarks.splats4d import _write_splat

    scene = make_scene(100, 0)
    scene = scene.replace(means=scene.means + np.arange(100)[:, None])
    _write_splat(scene, tmp_path / "frame.splat")
    back = load(tmp_path / "frame.splat")
    np.testing.assert_array_equal(back.means, scene.means)
    np.testing.assert_allclose(back.log_scales, scene.log_scales, atol=1e-5)
    np.testing.assert_allclose(back.opacities, scene.opacities, atol=0.5 / 255 + 1e-6)
    same = np.abs(np.sum(back.unit_quats * scene.unit_quats, axis=1))
    assert same.min() > 0.999


def test_the_questions_have_their_options(capsys):
    from benchmarks.stream import main

    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    assert "sequence|motion|decode" in capsys.readouterr().out
    with pytest.raises(SystemExit) as done:
        main([])
    assert done.value.code == 2
