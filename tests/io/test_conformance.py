"""Our files read by independent implementations, and theirs by us, attribute by attribute.

A reader is checked against ours on the same file, so within rounding of float32; what a file keeps
of a scene is checked in the tests of its format.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gscompress.gaussians import Gaussians
from gscompress.io import load, save
from gscompress.io.spz import SpzFormat
from tests.io.format_checks import angles, assert_within, differences, make_scene, matched

EXACT = {
    "means": 2e-5,
    "log_scales": 2e-5,
    "degrees": 0.02,
    "opacities": 5e-5,  # some clamp the logits of 0 and 255 to +-10
    "dc": 2e-5,
    "sh": 2e-5,
}


@pytest.fixture(scope="module")
def gsply() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("gsply")


@pytest.fixture(scope="module")
def forge() -> Any:
    return pytest.importorskip("gaussforge").GaussForge()


def as_ours(data: Any, mode: Any = "default") -> Gaussians:
    """What gsply read."""
    n = len(data.means)
    rest = np.zeros((n, 0, 3)) if data.shN is None else data.shN.reshape(n, -1, 3)
    sh = np.concatenate([data.sh0.reshape(n, 1, 3), rest], axis=1)
    logits = np.clip(data.opacities.reshape(n), -20, 20)
    return Gaussians(data.means, data.quats, data.scales, logits, sh, mode)


def as_theirs(gsply: Any, scene: Gaussians) -> Any:
    """A scene for gsply to write."""
    rest = scene.sh[:, 1:].copy() if scene.sh_degree else None
    return gsply.GSData(
        means=scene.means.copy(),
        scales=scene.log_scales.copy(),
        quats=scene.unit_quats.copy(),
        opacities=scene.opacity_logits.copy(),
        sh0=scene.sh[:, 0].copy(),
        shN=rest,
    )


def forged(forge: Any, path: Path, kind: str) -> Gaussians:
    """What gaussforge reads from a file, by way of a PLY."""
    answer = forge.convert(path.read_bytes(), kind, "ply")
    assert "data" in answer, answer
    ply = path.with_name("forged.ply")
    ply.write_bytes(answer["data"])
    return load(ply)


def bounds_of_forge(kind: str) -> dict[str, float]:
    """Its reader of compressed.ply keeps opacities within 0.001..0.999."""
    return EXACT | {"opacities": 1.1e-3} if kind == "compressed.ply" else EXACT


def forge_file(forge: Any, scene: Gaussians, path: Path, kind: str, **options: Any) -> Path:
    """A file that gaussforge writes."""
    ply = path.with_name("source.ply")
    save(scene, ply, overwrite=True)
    answer = forge.convert(ply.read_bytes(), "ply", kind, **options)
    assert "data" in answer, answer
    path.write_bytes(answer["data"])
    return path


OURS: dict[str, tuple[str, Callable[[Gaussians, Path], None]]] = {
    "spz 3": ("a.spz", lambda scene, path: SpzFormat(version=3).save(scene, path)),
    "spz 4": ("a.spz", lambda scene, path: SpzFormat(version=4).save(scene, path)),
    "compressed.ply": ("a.compressed.ply", save),
    "splat": ("a.splat", save),
    "sog": ("a.sog", save),
}
DEGREES = [0, 1, 2, 3]


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("kind", ["spz 3", "spz 4", "compressed.ply", "sog"])
def test_gsply_reads_ours(gsply: Any, tmp_path: Path, kind: str, degree: int) -> None:
    name, write = OURS[kind]
    path = tmp_path / name
    write(make_scene(700, degree), path)
    if kind == "sog":
        pytest.importorskip("imagecodecs", reason="gsply reads SOG with it")
        data = importlib.import_module("gsply.sog_reader").sogread(path)
    else:
        data = gsply.read_spz(path) if name == "a.spz" else gsply.plyread(path)
    assert_within(as_ours(data), load(path), **EXACT)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("kind", OURS)
def test_gaussforge_reads_ours(forge: Any, tmp_path: Path, kind: str, degree: int) -> None:
    name, write = OURS[kind]
    write(make_scene(700, 0 if kind == "splat" else degree), tmp_path / name)
    theirs = forged(forge, tmp_path / name, name[2:])
    assert_within(theirs, load(tmp_path / name), **bounds_of_forge(name[2:]))


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("version", [3, 4])
def test_we_read_spz_of_gsply(gsply: Any, tmp_path: Path, version: int, degree: int) -> None:
    scene = make_scene(700, degree)
    gsply.write_spz(tmp_path / "a.spz", as_theirs(gsply, scene), version=version)
    back = load(tmp_path / "a.spz")
    assert_within(as_ours(gsply.read_spz(tmp_path / "a.spz")), back, **EXACT)
    assert differences(scene, back)["means"] < 1 / 4096
    assert differences(scene, back)["sh"] < 1 / 128


@pytest.mark.parametrize("degree", DEGREES)
def test_we_read_compressed_ply_of_gsply(gsply: Any, tmp_path: Path, degree: int) -> None:
    scene = make_scene(700, degree)
    path = tmp_path / "a.compressed.ply"
    gsply.plywrite(path, as_theirs(gsply, scene), compressed=True)
    back = load(path)
    assert_within(as_ours(gsply.plyread(path)), back, **EXACT)
    assert differences(matched(scene, back), back)["degrees"] < 0.3


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("version", [3, 4])
def test_we_read_spz_of_gaussforge(forge: Any, tmp_path: Path, version: int, degree: int) -> None:
    scene = make_scene(700, degree)
    path = forge_file(forge, scene, tmp_path / "a.spz", "spz", spz_version=version)
    back = load(path)
    assert_within(forged(forge, path, "spz"), back, **EXACT)
    assert differences(scene, back)["means"] < 1 / 4096


@pytest.mark.parametrize("kind", ["compressed.ply", "splat"])
def test_we_read_others_of_gaussforge(forge: Any, tmp_path: Path, kind: str) -> None:
    """Of degree 0: its encoder of compressed.ply mixes up higher coefficients."""
    scene = make_scene(700)
    path = forge_file(forge, scene, tmp_path / f"a.{kind}", kind)
    back = load(path)
    assert_within(forged(forge, path, kind), back, **bounds_of_forge(kind))
    found = differences(matched(scene, back), back)
    assert found["degrees"] < 1.6
    assert found["opacities"] < 1 / 255


@pytest.mark.parametrize("degree", DEGREES)
def test_we_read_sog_of_gaussforge(forge: Any, tmp_path: Path, degree: int) -> None:
    scene = make_scene(1500, degree)
    path = forge_file(forge, scene, tmp_path / "a.sog", "sog")
    back = load(path)
    assert_within(forged(forge, path, "sog"), back, **EXACT)
    assert differences(matched(scene, back), back)["opacities"] < 1 / 255


# Real files


def real(shared_data: Path, name: str) -> Path:
    path = shared_data / name
    if not path.exists():
        pytest.skip(f"needs the real file {name}, which is not here")
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("small/biker.spz", "spz"),
        ("small/biker.compressed.ply", "compressed.ply"),
        ("small/guitar.compressed.ply", "compressed.ply"),
    ],
)
def test_real_files_as_others_read_them(
    shared_data: Path, tmp_path: Path, gsply: Any, forge: Any, name: str, kind: str
) -> None:
    path = real(shared_data, name)
    ours = load(path)
    data = gsply.read_spz(path) if kind == "spz" else gsply.plyread(path)
    assert_within(as_ours(data), ours, **EXACT)
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    assert_within(forged(forge, copy, kind), ours, **bounds_of_forge(kind))


def test_biker_is_the_same_in_both_formats(shared_data: Path) -> None:
    """Written by other tools; that of the SPZ turned the axes as the specification says."""
    b = load(real(shared_data, "small/biker.compressed.ply"))
    a = SpzFormat(axes="right-up-back").load(real(shared_data, "small/biker.spz"))
    assert len(a) == len(b) == 152_746
    from scipy.spatial import cKDTree

    distance, index = cKDTree(a.means).query(b.means)
    assert distance.max() < 1 / 4096
    a = a.select(index)  # a few Gaussians at one place are mistaken for each other
    same = np.abs(a.opacities - b.opacities) < 1.5 / 255
    assert same.mean() > 0.98
    assert np.quantile(angles(a.quats, b.quats), 0.9) < 0.5
    assert np.quantile(np.abs(a.log_scales - b.log_scales), 0.9) < 1 / 16
    assert np.quantile(np.abs(a.sh - b.sh), 0.9) < 0.05


def test_statue_as_another_reads_it(shared_data: Path) -> None:
    pytest.importorskip("imagecodecs", reason="gsply reads SOG with it")
    sog_reader = importlib.import_module("gsply.sog_reader")
    folder = real(shared_data, "statue_sog_v1")
    ours = load(folder / "meta.json")
    assert (len(ours), ours.sh_degree) == (289_444, 3)
    theirs = as_ours(sog_reader.sogread(folder / "meta.json"))
    assert_within(theirs, ours, **EXACT)
