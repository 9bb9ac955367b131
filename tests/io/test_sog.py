from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gscompress.codecs.kmeans import nearest as nearest_vectors
from gscompress.errors import ConfigError
from gscompress.gaussians import Gaussians
from gscompress.io import detect_format, load, save
from gscompress.io.codebook import (
    even_codebook,
    nearest_level,
    palette,
    palette_codebook,
    scalar_codebook,
    visibility,
)
from gscompress.io.sog import SogFormat
from tests.io.format_checks import assert_within, fuzz, make_scene, matched, mutations, refused


def unpack(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def webp(texels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(texels.astype(np.uint8)).save(out, "WEBP", lossless=True, exact=True)
    return out.getvalue()


def check(scene: Gaussians, path: Path, sh: float) -> Gaussians:
    save(scene, path, overwrite=True)
    assert detect_format(path).id == "sog"
    back = load(path)
    scene = matched(scene, back)
    logs = np.log1p(np.abs(scene.means.astype(np.float64))).max()
    assert_within(
        scene,
        back,
        means=float(2 * logs / 65535 / 2 * np.exp(logs)) + 1e-5,
        log_scales=0.2,  # of what is hardly seen; the rest is checked below
        degrees=1.1,
        opacities=0.5 / 255 + 1e-6,
        dc=0.1,
        sh=sh,
    )
    assert np.abs(scene.log_scales - back.log_scales).mean() < 11 / 256 / 2
    assert np.abs(scene.sh[:, 0] - back.sh[:, 0]).mean() < 3.4 / 256 / 2
    return back


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("mode", ["default", "mip", "2dgs"])
def test_round_trip(
    tmp_path: Path, degree: int, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    # 512 Gaussians have a palette of 512 entries: one each, so that the codebook alone is lossy.
    check(make_scene(512, degree, mode), tmp_path / "a.sog", sh=0.4)  # type: ignore[arg-type]
    assert not caplog.records


@pytest.mark.parametrize("n", [0, 1, 2, 17])
@pytest.mark.parametrize("degree", [0, 2])
def test_few_gaussians(tmp_path: Path, n: int, degree: int) -> None:
    save(make_scene(n, degree), tmp_path / "a.sog")
    back = load(tmp_path / "a.sog")
    assert len(back) == n
    assert back.sh_degree == (degree if n else 0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 300))
def test_any_scene(tmp_path_factory: pytest.TempPathFactory, seed: int, n: int) -> None:
    check(make_scene(n, seed=seed), tmp_path_factory.mktemp("sog") / "a.sog", sh=0)


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path) -> None:
    scene = make_scene(3000, 1)
    for name in "ab":
        SogFormat(palette=256).save(scene, tmp_path / f"{name}.sog")
    assert (tmp_path / "a.sog").read_bytes() == (tmp_path / "b.sog").read_bytes()


def test_a_folder_is_read_by_its_description(tmp_path: Path) -> None:
    save(make_scene(300, 1), tmp_path / "a.sog")
    whole = load(tmp_path / "a.sog")
    for name, data in unpack(tmp_path / "a.sog").items():
        (tmp_path / name).write_bytes(data)
    assert detect_format(tmp_path / "meta.json").id == "sog"
    folder = load(tmp_path / "meta.json")
    assert np.array_equal(folder.sh, whole.sh)
    assert np.array_equal(folder.means, whole.means)
    refused(lambda: save(whole, tmp_path / "meta.json", overwrite=True), "meta.json", ".sog")
    (tmp_path / "quats.webp").unlink()
    refused(lambda: load(tmp_path / "meta.json"), "quats.webp", "no such file")


def test_reads_version_1(tmp_path: Path) -> None:
    """Ranges instead of codebooks, written out by hand."""

    def texture(rows: list[list[int]]) -> bytes:
        texels = np.zeros((4, 4, 4), np.uint8)
        texels.reshape(16, 4)[: len(rows)] = rows
        return webp(texels)

    images = {
        "means_l.webp": texture([[255, 0, 0, 255], [0, 255, 0, 255]]),
        "means_u.webp": texture([[255, 0, 0, 255], [0, 255, 0, 255]]),
        "scales.webp": texture([[0, 255, 51, 255], [0, 0, 0, 255]]),
        "quats.webp": texture([[128, 128, 128, 252], [128, 128, 128, 255]]),
        "sh0.webp": texture([[0, 255, 0, 255], [0, 0, 0, 0]]),
        "shN_labels.webp": texture([[65, 0, 0, 255], [0, 0, 0, 255]]),
    }
    centroids = np.zeros((2, 64 * 3, 4), np.uint8)
    centroids[1, 3:6, :3] = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    images["shN_centroids.webp"] = webp(centroids)
    meta = {
        "means": {"shape": [2, 3], "mins": [-1, -1, 0], "maxs": [1, 1, 0]},
        "scales": {"mins": [-5, -5, -5], "maxs": [0, 0, 0]},
        "quats": {"encoding": "quaternion_packed"},
        "sh0": {"mins": [-1, -1, -1, -4], "maxs": [2, 2, 2, 8]},
        "shN": {"shape": [2, 9], "mins": -0.5, "maxs": 0.5},
    }
    for name, part in meta.items():
        part["files"] = [image for image in images if image.startswith(name)]
    meta["shN"]["files"].sort()
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    for name, data in images.items():
        (tmp_path / name).write_bytes(data)
    scene = load(tmp_path / "meta.json")
    e = np.e - 1
    np.testing.assert_allclose(scene.means, [[e, -e, 0], [-e, e, 0]], rtol=1e-6)
    np.testing.assert_allclose(scene.log_scales, [[-5, 0, -4], [-5, -5, -5]], rtol=1e-6)
    np.testing.assert_allclose(scene.quats, [[1, 0, 0, 0], [0, 0, 0, 1]], atol=5e-3)
    np.testing.assert_allclose(scene.sh[:, 0], [[-1, 2, -1], [-1, -1, -1]])
    assert scene.opacity_logits.tolist() == [8, -4]
    np.testing.assert_allclose(scene.sh[0, 1:], np.eye(3) - 0.5)
    np.testing.assert_allclose(scene.sh[1, 1:], -0.5)


def test_says_what_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(make_scene(20, 4), tmp_path / "a.sog")
    (record,) = caplog.records
    assert "above degree 3" in record.getMessage()
    assert load(tmp_path / "a.sog").sh_degree == 3


def test_refuses_parameters_out_of_range() -> None:
    for wrong in ({"palette": 0}, {"palette": 65537}, {"effort": 7}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            SogFormat(**wrong)


# Codebooks


def test_a_scalar_codebook_is_near_the_optimum() -> None:
    """Against the high-rate bound of Panter and Dite for a normal distribution, and of a grid."""
    x = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    levels = scalar_codebook(x, np.ones(len(x)), 256)
    assert (np.diff(levels) >= 0).all()
    error = np.mean((x - levels[nearest_level(x, levels)]) ** 2)
    bound = np.sqrt(3) * np.pi / 2 / 256**2
    assert error < 1.05 * bound
    assert error < 0.5 * np.mean((np.ptp(x) / 256) ** 2 / 12)


def test_values_on_a_lattice_get_the_best_levels() -> None:
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=20_000) * 80).astype(np.float32)
    assert 256 < len(np.unique(x)) <= 1024
    levels = scalar_codebook(x, np.ones(len(x)), 256)
    assert levels.shape == (256,)
    assert (np.diff(levels) > 0).all()
    error = np.mean((x - levels[nearest_level(x, levels)]) ** 2)
    # Of all ways to join rare neighbours, by hand: the rarest values, two by two.
    _, counts = np.unique(x, return_counts=True)
    rarest = np.sort(counts)[: 2 * (len(counts) - 256)]
    assert error < 2 * np.sum(rarest) / 4 / len(x)


def test_even_levels() -> None:
    x = np.random.default_rng(0).laplace(size=100_000).astype(np.float32)
    levels = even_codebook(x, 0.2, 256)
    assert len(levels) < 256
    np.testing.assert_allclose(np.diff(levels), 0.2, rtol=1e-5)
    assert np.abs(x - levels[nearest_level(x, levels)]).max() < 0.1 + 1e-6
    few = even_codebook(x, 0.01, 64)
    assert len(few) == 63
    assert (np.diff(few) > 0.0099).all()
    assert few.max() == pytest.approx(np.abs(x).max(), rel=1e-4)
    inner = np.abs(x) < 0.2
    assert np.abs(x - few[nearest_level(x, few)])[inner].max() < 0.0051
    assert even_codebook(np.zeros(4, np.float32), 0.1, 256).tolist() == [0]


def test_levels_of_a_palette_cost_less_and_add_little() -> None:
    rng = np.random.default_rng(0)
    x = rng.laplace(0, 0.05, (20_000, 9)).astype(np.float32)
    weights = np.ones(len(x))
    entries, labels = palette(x, weights, 2048)
    levels = palette_codebook(x, weights, entries, labels, 256)
    index = nearest_level(entries, levels)
    base = np.mean((x - entries[labels]) ** 2)
    assert np.mean((x - levels[index][labels]) ** 2) < 1.1 * base

    def entropy(index: np.ndarray) -> float:
        share = np.bincount(index.ravel()) / index.size
        return float(-np.sum(share[share > 0] * np.log2(share[share > 0])))

    nearest = scalar_codebook(entries.ravel(), np.ones(entries.size), 256)
    assert entropy(index) < entropy(nearest_level(entries, nearest)) - 1
    exact = palette_codebook(entries, np.ones(2048), entries, np.arange(2048), 256)
    assert len(exact) == 256  # a palette without error gets the nearest levels


def test_weights_count() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, 50_000).astype(np.float32)
    weights = np.where(x > 0, 100.0, 1.0)
    levels = scalar_codebook(x, weights, 64)
    assert (levels > 0).sum() > 48
    few = scalar_codebook(x[:10], weights[:10], 64)
    assert np.array_equal(few[nearest_level(x[:10], few)], x[:10])


def test_the_palette_is_near_plain_k_means() -> None:
    scipy_cluster = pytest.importorskip("scipy.cluster.vq")
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(40, 6))[rng.integers(40, size=12_000)] * 2).astype(np.float32)
    x += rng.normal(0, 0.5, x.shape).astype(np.float32)
    weights = np.ones(len(x))
    entries, labels = palette(x, weights, 1024)
    assert entries.shape == (1024, 6)
    error = np.sum((x - entries[labels]) ** 2)
    best, _ = scipy_cluster.kmeans2(x, x[:1024].copy(), iter=8, minit="matrix")
    plain = np.sum((x - best[nearest_vectors(x, best.astype(np.float32))]) ** 2)
    assert error < 1.1 * plain
    exact = np.sum((x - entries[nearest_vectors(x, entries)]) ** 2)
    assert error < 1.05 * exact
    heavy = np.where(x[:, 0] > 0, 50.0, 1.0)
    entries, labels = palette(x, heavy, 1024)
    errors = np.sum((x - entries[labels]) ** 2, axis=1)
    assert errors[x[:, 0] > 0].mean() < 0.8 * errors[x[:, 0] <= 0].mean()


def test_visibility_is_bounded() -> None:
    weights = visibility(make_scene(1000))
    assert weights.max() == 1
    assert weights.min() >= 1e-3
    assert visibility(make_scene(0)).shape == (0,)


# Refusing what is wrong


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    save(make_scene(300, 1), tmp_path / "good.sog")
    return unpack(tmp_path / "good.sog")


def changed(files: dict[str, bytes], change: Callable[[Any], None]) -> dict[str, bytes]:
    meta = json.loads(files["meta.json"])
    change(meta)
    return {**files, "meta.json": json.dumps(meta).encode()}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda m: m.update(version=3), ["version", "found 3"]),
        (lambda m: m.pop("count"), ["no count"]),
        (lambda m: m.update(count=-1), ["count"]),
        (lambda m: m.update(count=10**9), ["1000000000 Gaussians", "exhaust memory"]),
        (lambda m: m.update(count=100_000), ["texels"]),
        (lambda m: m["means"].update(mins=[0, 0]), ["means.mins"]),
        (lambda m: m["means"].update(maxs=[0, 0, 900]), ["means, row"]),
        (lambda m: m["means"].update(files=["../x.webp", "y"]), ["'../x.webp'"]),
        (lambda m: m["means"].update(files=["/etc/passwd", "y"]), ["'/etc/passwd'"]),
        (lambda m: m["quats"].update(files=["none.webp"]), ["none.webp", "no such file"]),
        (lambda m: m["quats"].update(files=["sh0.webp"]), ["alpha"]),
        (lambda m: m["scales"].pop("codebook"), ["scales without a codebook"]),
        (lambda m: m["scales"].update(codebook=[1.0]), ["log_scales, row", "nan"]),
        (lambda m: m["sh0"].update(codebook=[1e39] * 256), ["sh, row", "inf"]),
        (lambda m: m["shN"].update(bands=0), ["bands"]),
        (lambda m: m["shN"].update(bands=2), ["a width of 192"]),
        (lambda m: m["shN"].update(count=5), ["label"]),
        (lambda m: m["shN"].update(files=["shN_labels.webp"]), ["1 files"]),
        (lambda m: m["shN"].update(bands=9), ["shN.bands"]),
    ],
)
def test_refuses_a_wrong_description(
    tmp_path: Path, files: dict[str, bytes], change: Callable[[Any], None], parts: list[str]
) -> None:
    path = repack(tmp_path / "a.sog", changed(files, change))
    refused(lambda: SogFormat().load(path), "a.sog", *parts)


def test_refuses_wrong_files(tmp_path: Path, files: dict[str, bytes]) -> None:
    path = tmp_path / "a.sog"

    def wrong(name: str, data: bytes | None, *parts: str) -> None:
        changed = {key: value for key, value in files.items() if key != name}
        repack(path, changed if data is None else {**changed, name: data})
        refused(lambda: SogFormat().load(path), "a.sog", name, *parts)

    wrong("meta.json", None, "no such file")
    wrong("meta.json", b"{")
    wrong("meta.json", b"[" * 100_000)
    wrong("meta.json", b" " * (5 << 20), "more than")
    wrong("quats.webp", b"hello", "no WebP")
    wrong("quats.webp", files["quats.webp"][:-30])
    wrong("quats.webp", files["quats.webp"][:40])
    wrong("quats.webp", webp(np.zeros((4, 4, 4))), "16 texels", "300 or more")
    wrong("quats.webp", webp(np.zeros((4000, 4000, 4))), "4000 x 4000 texels")
    lying = bytearray(webp(np.zeros((4000, 4000, 4))))
    assert lying[12:16] == b"VP8L"
    lying[21:25] = struct.pack("<I", 19 | 19 << 14 | 1 << 28)
    wrong("quats.webp", bytes(lying))
    path.write_bytes(b"PK\3\4" + b"x" * 100)
    refused(lambda: SogFormat().load(path), "a.sog", "a zip")
    future = bytearray(repack(path, files).read_bytes())
    future[future.index(b"PK\1\2") + 6] = 202  # the version that unpacking needs, times ten
    path.write_bytes(future)
    refused(lambda: SogFormat().load(path), "a.sog", "version 20.2", "a zip")


def test_a_bomb_in_the_zip_is_not_unpacked(tmp_path: Path, files: dict[str, bytes]) -> None:
    path = tmp_path / "a.sog"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, bytes(1 << 28) if name == "sh0.webp" else data)
    data = path.read_bytes()
    assert len(data) < 1 << 20
    outcomes = fuzz(SogFormat(), path, [data], most_bytes=32 << 20)
    assert outcomes == {"refused": 1}


def test_damaged_files(tmp_path: Path, files: dict[str, bytes]) -> None:
    path = tmp_path / "a.sog"
    damaged = mutations((tmp_path / "good.sog").read_bytes(), 200, seed=1)
    for seed, name in enumerate(files):
        for data in mutations(files[name], 60, seed):
            damaged.append(repack(path, {**files, name: data}).read_bytes())
    outcomes = fuzz(SogFormat(), path, damaged)
    assert outcomes["refused"] > 200
