from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from gscompress.errors import ConfigError
from gscompress.gaussians import Gaussians
from gscompress.io import detect_format, load, save
from gscompress.io.spz import SpzFormat
from tests.io.format_checks import (
    assert_within,
    fuzz,
    make_scene,
    matched,
    mutations,
    refused,
)

HALF = {"means": 0.5 / 4096 + 1e-6, "log_scales": 0.5 / 16 + 1e-5, "opacities": 0.5 / 255 + 1e-6}
EXACT = dict.fromkeys(("means", "log_scales", "degrees", "opacities", "dc", "sh"), 0.0)


def bounds(sh: float) -> dict[str, float]:
    return {**HALF, "degrees": 0.28, "dc": 0.5 / 255 / 0.15 + 1e-6, "sh": sh}


def spell_out(
    version: int,
    planes: list[bytes],
    *,
    count: int = 2,
    degree: int = 0,
    flags: int = 0,
    fractional_bits: int = 12,
    extensions: bytes = b"",
) -> bytes:
    """A file written out by hand, independent of the code under test."""
    head = struct.pack("<4sIIBBBB", b"NGSP", version, count, degree, fractional_bits, flags, 0)
    if version < 4:
        return gzip.compress(head + b"".join(planes) + extensions)
    frames = [zstandard.compress(plane) for plane in planes if plane]
    head = head[:-1] + bytes([len(frames)]) + struct.pack("<I12x", 32 + len(extensions))
    toc = b"".join(
        struct.pack("<QQ", len(frame), len(plane))
        for frame, plane in zip(frames, [p for p in planes if p], strict=True)
    )
    return head + extensions + toc + b"".join(frames)


def two(version: int) -> list[bytes]:
    """Planes of two Gaussians: at (1, -2, 0.5) turned half around x, and at the origin."""
    if version == 1:
        positions = np.array([1, -2, 0.5, 0, 0, 0], "<f2").tobytes()
    else:
        positions = b"".join(int(v).to_bytes(3, "little", signed=True) for v in (4096, -8192, 2048))
        positions += bytes(9)
    if version < 3:
        rotations = bytes([255, 127, 128, 128, 127, 127])
    else:
        rotations = struct.pack("<II", 0 << 30, 3 << 30)
    return [positions, bytes([255, 128]), bytes([128] * 6), bytes([160] * 6), rotations, b""]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_reads_every_version(tmp_path: Path, version: int) -> None:
    path = tmp_path / "a.spz"
    path.write_bytes(spell_out(version, two(version), flags=1))
    scene = SpzFormat().load(path)
    assert scene.mode == "mip"
    assert scene.means.tolist() == [[1, 2, -0.5], [0, 0, 0]]
    assert (scene.log_scales == 0).all()
    assert scene.opacity_logits[0] == 20
    assert scene.opacities[1] == pytest.approx(128 / 255)
    np.testing.assert_allclose(scene.sh[:, 0], 0.5 / 255 / 0.15, rtol=1e-6)
    x_axis = np.array([[0, 1, 0, 0], [1, 0, 0, 0]])
    np.testing.assert_allclose(scene.quats, x_axis, atol=0.1 if version < 3 else 0)


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("degree", range(5))
def test_round_trip(
    tmp_path: Path, version: int, degree: int, caplog: pytest.LogCaptureFixture
) -> None:
    scene = make_scene(500, degree, "mip" if degree % 2 else "default")
    path = tmp_path / "a.spz"
    SpzFormat(version=version, sh1_bits=8, sh_rest_bits=8).save(scene, path)
    assert detect_format(path).id == "spz"
    back = load(path)
    assert_within(matched(scene, back), back, **bounds(0.5 / 128 + 1e-6))
    assert not caplog.records
    # What was read is on the grid: written again, nothing changes.
    SpzFormat(version=7 - version, sh1_bits=8, sh_rest_bits=8).save(back, path)
    again = load(path)
    # (A rotation whose largest component is one of two may move, by less than a step.)
    assert_within(matched(back, again), again, **(EXACT | {"degrees": 0.2}))


@pytest.mark.parametrize(("sh1", "rest"), [(5, 4), (6, 6), (3, 2), (8, 1)])
def test_bits_of_the_spherical_harmonics(tmp_path: Path, sh1: int, rest: int) -> None:
    scene = make_scene(300, 3)
    path = tmp_path / "a.spz"
    SpzFormat(sh1_bits=sh1, sh_rest_bits=rest, axes="RDF").save(scene, path)
    back = load(path, axes="RDF")  # signs unturned: the range is not symmetric
    scene = matched(scene, back)
    for bits, part in ((sh1, slice(1, 4)), (rest, slice(4, 16))):
        error = np.abs(scene.sh[:, part] - back.sh[:, part])
        half = 2.0 ** (8 - bits) / 2 / 128
        assert half * 0.8 < error.max() <= half + 1e-6
        assert len(np.unique(back.sh[:, part])) <= 2**bits + 1
        assert abs(float(np.mean(scene.sh[:, part] - back.sh[:, part]))) < half / 10  # no bias


def test_positions_do_not_wrap_around(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scene = make_scene(50)
    means = scene.means.copy()
    means[7] = 60000, -60000, 1
    save(scene.replace(means=means), tmp_path / "a.spz")
    back = load(tmp_path / "a.spz")
    np.testing.assert_allclose(back.means[np.argmax(back.means[:, 0])], means[7], atol=2**-7)
    assert not caplog.records
    means[7] = 1e9, 0, 0
    save(scene.replace(means=means), tmp_path / "b.spz")
    assert load(tmp_path / "b.spz").means.max() == 2**23 - 1
    assert "positions of 1 Gaussians clamped" in caplog.text


def test_says_what_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scene = make_scene(20, 1, "2dgs")
    log_scales, sh = scene.log_scales.copy(), scene.sh.copy()
    log_scales[3, 1] = -12
    sh[[4, 5], 0, 0] = 5
    sh[6, 1, 0] = -3
    save(scene.replace(log_scales=log_scales, sh=sh), tmp_path / "a.spz", axes="RDF")
    (record,) = caplog.records
    text = record.getMessage()
    for part in ("'2dgs'", "log-scales of 1 ", "colours of 2 ", "spherical harmonics of 1 "):
        assert part in text
    back = load(tmp_path / "a.spz", axes="RDF")
    assert back.mode == "default"
    assert back.log_scales.min() == -10
    assert back.sh[:, 1:].min() == -1


def test_infinite_and_certain_opacities(tmp_path: Path) -> None:
    scene = make_scene(3).replace(opacity_logits=np.array([-50, 0.1, 50], np.float32))
    save(scene, tmp_path / "a.spz")
    assert sorted(load(tmp_path / "a.spz").opacity_logits)[0::2] == [-20, 20]


@pytest.mark.parametrize("n", [0, 1])
def test_few_gaussians(tmp_path: Path, n: int) -> None:
    for version in (3, 4):
        SpzFormat(version=version).save(make_scene(n, 3), tmp_path / "a.spz")
        assert load(tmp_path / "a.spz").sh.shape == (n, 16, 3)


@pytest.mark.parametrize(
    "wrong", [{"version": 2}, {"sh1_bits": 0}, {"sh_rest_bits": 9}, {"fractional_bits": 24}]
)
def test_refuses_parameters_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SpzFormat(**wrong)


# Extensions


def record(kind: int, payload: bytes) -> bytes:
    return struct.pack("<II", kind, len(payload)) + payload


@pytest.mark.parametrize("version", [3, 4])
def test_skips_extensions_and_turns_named_axes(
    tmp_path: Path, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.spz"
    unknown = record(0xADBE0002, b"x" * 12)
    path.write_bytes(spell_out(version, two(version), flags=2, extensions=unknown))
    assert load(path).means[0].tolist() == [1, 2, -0.5]
    assert load(path, axes="RDF").means[0].tolist() == [1, -2, 0.5]
    axes = unknown + record(0xADBE0003, struct.pack("<I", 4))  # right, up, back
    path.write_bytes(spell_out(version, two(version), flags=2, extensions=axes))
    assert load(path).means[0].tolist() == [1, 2, -0.5]
    axes = record(0xADBE0003, struct.pack("<I", 6))  # right, down, front: as in a PLY
    path.write_bytes(spell_out(version, two(version), flags=2, extensions=axes))
    assert load(path).means[0].tolist() == [1, -2, 0.5]
    assert not caplog.records
    axes = record(0xADBE0003, struct.pack("<I", 12))
    path.write_bytes(spell_out(version, two(version), flags=2, extensions=axes))
    assert load(path).means[0].tolist() == [1, -2, 0.5]
    assert "coordinate system 12 is unknown" in caplog.text
    path.write_bytes(
        spell_out(version, two(version), flags=2, extensions=struct.pack("<II", 1, 99))
    )
    refused(lambda: load(path), "extension 0x00000001", "99 bytes")


def test_axes_of_the_specification(tmp_path: Path) -> None:
    """Stored as right, up, back; what tells otherwise is the file itself, or who reads it."""
    scene = make_scene(100, 2)
    settings = {"sh1_bits": 8, "sh_rest_bits": 8}
    save(scene, tmp_path / "a.spz", settings=settings)
    back = load(tmp_path / "a.spz")
    assert_within(matched(scene, back), back, **bounds(0.5 / 128 + 1e-6))
    stored = load(tmp_path / "a.spz", axes="RDF")
    assert np.array_equal(stored.means, back.means * np.array([1, -1, -1]))
    save(scene, tmp_path / "b.spz", axes="RDF", settings=settings)
    assert (tmp_path / "a.spz").read_bytes() != (tmp_path / "b.spz").read_bytes()
    plain = load(tmp_path / "b.spz", axes="RDF")
    assert_within(matched(scene, plain), plain, **bounds(0.5 / 128 + 1e-6))
    with pytest.raises(ConfigError, match="axes"):
        SpzFormat(axes="up")


@pytest.mark.parametrize("system", range(1, 9))
def test_turned_spherical_harmonics_and_rotations(tmp_path: Path, system: int) -> None:
    """Colours seen from, and covariances in, the turned frame are those of the file's frame."""
    scene = make_scene(40, 4)
    SpzFormat(version=3, sh1_bits=8, sh_rest_bits=8, axes="RDF").save(scene, tmp_path / "a.spz")
    plain = load(tmp_path / "a.spz", axes="RDF")
    data = bytearray(gzip.decompress((tmp_path / "a.spz").read_bytes()))
    data[14] |= 2
    data += record(0xADBE0003, struct.pack("<I", system))
    (tmp_path / "a.spz").write_bytes(gzip.compress(bytes(data)))
    turned = load(tmp_path / "a.spz")
    name = ["LDB", "RDB", "LUB", "RUB", "LDF", "RDF", "LUF", "RUF"][system - 1]
    signs = np.array([1 if a == b else -1 for a, b in zip(name, "RDF", strict=True)])
    assert np.array_equal(turned.means, plain.means * signs)
    directions = np.random.default_rng(0).normal(size=(40, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    np.testing.assert_allclose(
        seen(turned.sh, directions * signs), seen(plain.sh, directions), atol=1e-5
    )
    mirror = np.diag(signs)
    np.testing.assert_allclose(
        covariances(turned), mirror @ covariances(plain) @ mirror, rtol=1e-4, atol=1e-6
    )


def seen(sh: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Colours seen along ``d``, up to a factor per coefficient that symmetry does not depend on."""
    x, y, z = d.T
    basis = [np.ones(len(d)), y, z, x]
    basis += [x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    basis += [y * (3 * x * x - y * y), x * y * z, y * (5 * z * z - 1), z * (5 * z * z - 3)]
    basis += [x * (5 * z * z - 1), z * (x * x - y * y), x * (x * x - 3 * y * y)]
    basis += [x * y * (x * x - y * y), y * z * (3 * x * x - y * y), x * y * (7 * z * z - 1)]
    basis += [y * z * (7 * z * z - 3), z * z * (35 * z * z - 30) + 3, x * z * (7 * z * z - 3)]
    basis += [(x * x - y * y) * (7 * z * z - 1), x * z * (x * x - 3 * y * y)]
    basis += [x**4 - 6 * x * x * y * y + y**4]
    return np.einsum("nk,nkc->nc", np.stack(basis, axis=1), sh)


def covariances(scene: Gaussians) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    rotation = Rotation.from_quat(scene.unit_quats[:, [1, 2, 3, 0]]).as_matrix()
    spread = rotation * np.exp(scene.log_scales.astype(np.float64))[:, None, :]
    return spread @ spread.transpose(0, 2, 1)


# Refusing what is wrong


@pytest.mark.parametrize("version", [3, 4])
def test_refuses_what_is_wrong(tmp_path: Path, version: int) -> None:
    path = tmp_path / "a.spz"

    def wrong(data: bytes, *parts: str) -> None:
        path.write_bytes(data)
        refused(lambda: SpzFormat().load(path), "a.spz", *parts)

    good = two(version)
    wrong(b"", "an empty file")
    wrong(b"hello", "b'hell'")
    wrong(spell_out(version, good, degree=5), "SH degree", "0 to 4")
    wrong(spell_out(version, good, fractional_bits=40), "fractional bits")
    wrong(spell_out(version, [good[0][:-1], *good[1:]]), "bytes")
    wrong(spell_out(version, good, count=2**31), "2147483648 Gaussians", "exhaust memory")
    whole = spell_out(version, good)
    for length in range(4, len(whole)):
        wrong(whole[:length])
    wrong(
        spell_out(version, two(version)).replace(b"NGSP\4", b"NGSP\5")
        if version == 4
        else gzip.compress(b"NGSP\5" + bytes(30)),
        "version",
        "found 5",
    )


def test_bombs_are_not_unpacked(tmp_path: Path) -> None:
    """Streams that would grow a thousandfold, and headers that promise as much."""
    count = 1 << 20
    frame = zstandard.compress(bytes(1 << 28))
    lying = bytearray(spell_out(4, two(4)))
    toc = lying[32:112]
    head = struct.pack("<4sIIBBBBI12x", b"NGSP", 4, 2, 0, 12, 0, 5, 32)
    first = struct.pack("<QQ", len(frame), 18)
    files = [
        head + first + bytes(toc[16:]) + frame + bytes(100),
        spell_out(3, [bytes(1 << 26)], count=2),
        spell_out(3, [bytes(1 << 26)], count=2, flags=2),
        spell_out(3, [bytes(1 << 20)], count=count, degree=4),
        spell_out(4, [bytes(1 << 20)] * 6, count=count, degree=4),
    ]
    assert fuzz(SpzFormat(), tmp_path / "a.spz", files, most_bytes=32 << 20)["refused"] >= 3


@pytest.mark.parametrize("version", [3, 4])
def test_damaged_files(tmp_path: Path, version: int) -> None:
    path = tmp_path / "a.spz"
    SpzFormat(version=version).save(make_scene(60, 1), path)
    data = path.read_bytes()
    files = mutations(data, 250, seed=version)
    if version == 3:
        files += [gzip.compress(x, 1) for x in mutations(gzip.decompress(data), 250, seed=9)]
    outcomes = fuzz(SpzFormat(), path, files)
    assert outcomes["refused"] > 100


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 60), degree=st.integers(0, 3))
def test_any_scene_within_range(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n: int, degree: int
) -> None:
    path = tmp_path_factory.mktemp("spz") / "a.spz"
    scene = make_scene(n, degree, seed=seed)
    save(scene, path)
    back = load(path)
    assert_within(matched(scene, back), back, **bounds(1 / 16 + 1e-6))
