from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plyfile import PlyData, PlyElement

from gscompress.gaussians import SH_C0
from gscompress.io import detect_format, load, save
from gscompress.io.compressed_ply import CompressedPlyFormat
from tests.io.format_checks import assert_within, fuzz, make_scene, matched, mutations, refused

SH_BOUND = 4 / 256 + 1e-6


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 1000])
def test_round_trip(tmp_path: Path, degree: int, n: int, caplog: pytest.LogCaptureFixture) -> None:
    scene = make_scene(n, degree)
    path = tmp_path / "a.compressed.ply"
    save(scene, path)
    assert detect_format(path).id == "compressed-ply"
    back = load(path)
    assert not caplog.records
    assert back.sh.shape == scene.sh.shape
    if n:
        scene = matched(scene, back)
        span = np.ptp(scene.means, axis=0).max()  # of all chunks, so more than that of each
        assert_within(
            scene,
            back,
            means=span / 1023 / 2 + 1e-6,
            log_scales=11 / 1023 / 2 + 1e-5,
            degrees=0.28,
            opacities=0.5 / 255 + 1e-6,
            dc=3.4 / 255 / 2 + 1e-6,
            sh=SH_BOUND,
        )


def test_neighbours_share_a_chunk(tmp_path: Path) -> None:
    """Positions are finer than one grid over the whole scene would be."""
    scene = make_scene(20000)
    save(scene, tmp_path / "a.compressed.ply")
    back = load(tmp_path / "a.compressed.ply")
    error = np.abs(matched(scene, back).means - back.means)
    assert error.mean() < np.ptp(scene.means, axis=0).mean() / 1023 / 4 / 3


def spell_out(path: Path, *, coloured: bool, sh: int = 0, first: str = "chunk") -> Path:
    """A file of two Gaussians written through plyfile alone."""
    names = [f"{end}_{kind}{a}" for kind in ("", "scale_") for end in ("min", "max") for a in "xyz"]
    values = [-1, -1, -1, 1, 1, 1, -6, -6, -6, 0, 0, 0]
    if coloured:
        names += ["min_r", "min_g", "min_b", "max_r", "max_g", "max_b"]
        values += [-0.5, -0.5, -0.5, 2, 2, 2]
    chunk = np.array([tuple(values)], [(name, "<f4") for name in names])
    rows = [
        (2047 << 21 | 0 << 11 | 2047, 0 << 30 | 512 << 20 | 512 << 10 | 512, 0, 0xFF000080),
        (0, 3 << 30 | 512 << 20 | 512 << 10 | 512, 2**32 - 1, 0x00FF00FF),
    ]
    packed = ["position", "rotation", "scale", "color"]
    vertex = np.array(rows, [(f"packed_{name}", "<u4") for name in packed])
    elements = [PlyElement.describe(chunk, "chunk"), PlyElement.describe(vertex, "vertex")]
    if sh:
        rest = np.zeros(2, [(f"f_rest_{i}", "u1") for i in range(sh)])
        rest["f_rest_0"], rest[f"f_rest_{sh // 3}"] = [0, 128], [255, 127]
        elements.append(PlyElement.describe(rest, "sh"))
    elements.sort(key=lambda element: element.name != first)
    PlyData(elements, byte_order="<").write(str(path))
    return path


@pytest.mark.parametrize("coloured", [True, False])
@pytest.mark.parametrize("first", ["chunk", "vertex"])
def test_reads_what_is_spelt_out(tmp_path: Path, coloured: bool, first: str) -> None:
    scene = load(spell_out(tmp_path / "a.ply", coloured=coloured, sh=9, first=first))
    assert scene.means.tolist() == [[1, -1, 1], [-1, -1, -1]]
    np.testing.assert_allclose(scene.quats, [[1, 0, 0, 0], [0, 0, 0, 1]], atol=2e-3)
    assert scene.log_scales.tolist() == [[-6, -6, -6], [0, 0, 0]]
    assert scene.opacities.tolist() == pytest.approx([128 / 255, 1])
    low, high = (-0.5, 2) if coloured else (0, 1)
    colour = scene.sh[:, 0] * SH_C0 + 0.5
    np.testing.assert_allclose(colour, [[high, low, low], [low, high, low]], atol=1e-6)
    np.testing.assert_allclose(scene.sh[:, 1, 0], [-4, (128.5 / 256 - 0.5) * 8], atol=1e-6)
    np.testing.assert_allclose(scene.sh[:, 1, 1], [4, (127.5 / 256 - 0.5) * 8], atol=1e-6)


def test_opacities_of_0_and_255_are_finite(tmp_path: Path) -> None:
    scene = make_scene(3).replace(opacity_logits=np.array([-50, 0.1, 50], np.float32))
    save(scene, tmp_path / "a.compressed.ply")
    assert sorted(load(tmp_path / "a.compressed.ply").opacity_logits)[0::2] == [-20, 20]


def test_constant_attributes(tmp_path: Path) -> None:
    scene = make_scene(1).select(np.zeros(300, int))
    save(scene, tmp_path / "a.compressed.ply")
    back = load(tmp_path / "a.compressed.ply")
    assert np.array_equal(back.means, scene.means)
    assert np.array_equal(back.log_scales, scene.log_scales)
    np.testing.assert_allclose(back.sh, scene.sh, atol=1e-6)


def test_says_what_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scene = make_scene(20, 4, "mip")
    log_scales, sh = scene.log_scales.copy(), scene.sh.copy()
    log_scales[3, 1] = -25
    sh[[6, 7], 1, 0] = -5
    save(scene.replace(log_scales=log_scales, sh=sh), tmp_path / "a.compressed.ply")
    (record,) = caplog.records
    for part in ("above degree 3", "'mip'", "log-scales of 1 ", "spherical harmonics of 2 "):
        assert part in record.getMessage()
    assert load(tmp_path / "a.compressed.ply").sh_degree == 3


def test_refuses_what_is_wrong(tmp_path: Path) -> None:
    path = spell_out(tmp_path / "a.ply", coloured=True, sh=9)
    data = path.read_bytes()

    def wrong(old: bytes, new: bytes, *parts: str) -> None:
        assert old in data
        path.write_bytes(data.replace(old, new, 1))
        refused(lambda: CompressedPlyFormat().load(path), "a.ply", *parts)

    wrong(b"element vertex 2", b"element vertex 200", "element vertex", "cut short")
    wrong(b"element chunk 1", b"element chunk 0", "element chunk", "0 rows", "1 rows for 2")
    wrong(b"uint packed_scale", b"int packed_scale", "packed_scale", "int32", "uint32")
    wrong(b"packed_scale", b"packed_scabe", "packed_scale", "no such property")
    wrong(b"f_rest_8", b"g_rest_8", "element sh", "8 coefficients")
    wrong(b"f_rest_8", b"f_rest_9", "f_rest_8", "no such property")
    wrong(b"element sh 2", b"element sh 1", "counts too few rows")
    wrong(np.float32(2).tobytes(), np.float32(np.nan).tobytes(), "property max_r, row 0", "nan")
    wrong(b"binary_little_endian", b"ascii", "a text PLY")
    path.write_bytes(data[:-1])
    refused(lambda: load(path), "a.ply", "cut short")


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "a.compressed.ply"
    save(make_scene(300, 1), path)
    files = mutations(path.read_bytes(), 400, seed=1)
    assert fuzz(CompressedPlyFormat(), path, files)["refused"] > 100


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 600), degree=st.integers(0, 3))
def test_writing_again_changes_little(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n: int, degree: int
) -> None:
    path = tmp_path_factory.mktemp("ply") / "a.compressed.ply"
    save(make_scene(n, degree, seed=seed), path)
    first = load(path)
    save(first, path, overwrite=True)
    again = load(path)
    error = np.abs(matched(first, again).sh[:, 1:] - again.sh[:, 1:])
    assert error.max(initial=0) < 1e-6
    error = np.abs(matched(first, again).opacity_logits - again.opacity_logits)
    assert error.max(initial=0) < 1e-6
