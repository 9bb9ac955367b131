from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gscompress.gaussians import SH_C0, Gaussians
from gscompress.io import detect_format, load, save
from gscompress.io.splat import SplatFormat
from tests.io.format_checks import assert_within, fuzz, make_scene, matched, mutations, refused


def check(scene: Gaussians, path: Path) -> Gaussians:
    save(scene, path, overwrite=True)
    back = load(path)
    scene = matched(scene, back)
    assert np.array_equal(scene.means, back.means)
    assert_within(
        scene,
        back,
        means=0,
        log_scales=1e-5,
        degrees=1.1,
        opacities=0.5 / 255 + 1e-6,
        dc=0.5 / 255 / SH_C0 + 1e-6,
        sh=0,
    )
    return back


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 100))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, n: int) -> None:
    path = tmp_path_factory.mktemp("splat") / "a.splat"
    check(make_scene(n, seed=seed), path)
    assert path.stat().st_size == 32 * n
    assert detect_format(path).id == "splat"


def test_reads_what_is_spelt_out(tmp_path: Path) -> None:
    path = tmp_path / "a.splat"
    row = struct.pack("<6f8B", 1, 2, 3, 1, 0.5, 0, 255, 0, 128, 255, 255, 128, 128, 0)
    path.write_bytes(row)
    scene = load(path)
    assert scene.means.tolist() == [[1, 2, 3]]
    np.testing.assert_allclose(scene.scales, [[1, 0.5, 0]], atol=1e-30)
    colour = scene.sh[:, 0] * SH_C0 + 0.5
    np.testing.assert_allclose(colour, [[1, 0, 128 / 255]], atol=1e-6)
    assert scene.opacity_logits.tolist() == [20]
    w, z = 127 / np.hypot(127, 128), -128 / np.hypot(127, 128)
    np.testing.assert_allclose(scene.quats, [[w, 0, 0, z]], rtol=1e-6)


def test_the_most_visible_come_first(tmp_path: Path) -> None:
    back = check(make_scene(200), tmp_path / "a.splat")
    areas = np.sort(back.log_scales, axis=1)[:, 1:].sum(axis=1)
    visible = areas + np.log(np.maximum(back.opacities, 1e-9))
    assert np.corrcoef(visible, -np.arange(200))[0, 1] > 0.9


def test_says_what_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scene = make_scene(20, 2, "mip")
    sh, log_scales = scene.sh.copy(), scene.log_scales.copy()
    sh[[6, 7], 0, 0] = -5
    log_scales[1] = -100
    log_scales[2] = 100
    save(scene.replace(sh=sh, log_scales=log_scales), tmp_path / "a.splat")
    (record,) = caplog.records
    for part in ("above degree 0", "'mip'", "colours of 2 ", "log-scales of 2 "):
        assert part in record.getMessage()
    assert load(tmp_path / "a.splat").sh_degree == 0


def test_refuses_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.splat"
    save(make_scene(3), path)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    refused(lambda: load(path), "a.splat", "95 bytes", "multiple of 32")
    for at, new, field in (
        (4, struct.pack("<f", np.nan), "position"),
        (12, struct.pack("<f", -1), "scale"),
        (20, struct.pack("<f", np.inf), "scale"),
        (28, b"\x80" * 4, "rotation"),
    ):
        broken = bytearray(data)
        broken[32 + at : 32 + at + len(new)] = new
        path.write_bytes(broken)
        refused(lambda: load(path), "a.splat", f"{field}, row 1")
    path.write_bytes(b"")
    refused(lambda: load(path), "an empty file")


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "a.splat"
    save(make_scene(20), path)
    outcomes = fuzz(SplatFormat(), path, mutations(path.read_bytes(), 300, seed=1))
    assert outcomes["refused"] > 50
    assert outcomes["read"] > 50
