from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gscompress import io
from gscompress.errors import ConfigError, InputError
from gscompress.gaussians import Gaussians
from gscompress.io.ply import PlyFormat
from tests.io.format_checks import make_scene


@pytest.fixture
def scene() -> Gaussians:
    one = np.ones((2, 1), np.float32)
    return Gaussians(
        means=np.zeros((2, 3)),
        quats=np.tile(one, 4),
        log_scales=np.tile(one, 3),
        opacity_logits=np.zeros(2),
        sh=np.zeros((2, 1, 3)),
    )


def test_detects_by_content_before_name(scene: Gaussians, tmp_path: Path) -> None:
    PlyFormat().save(scene, tmp_path / "scene.dat")
    assert io.detect_format(tmp_path / "scene.dat").id == "ply"
    assert len(io.load(tmp_path / "scene.dat")) == 2
    assert len(io.load(str(tmp_path / "scene.dat"))) == 2


def test_unknown_content_and_name(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"hello")
    with pytest.raises(InputError, match=r"found the ending '.xyz', expected one of .*\.ply"):
        io.load(tmp_path / "a.xyz")
    (tmp_path / "b.ply").write_bytes(b"hello")
    with pytest.raises(InputError, match="expected a PLY"):
        io.load(tmp_path / "b.ply")
    (tmp_path / "c.ply").write_bytes(b"")
    with pytest.raises(InputError, match="an empty file"):
        io.load(tmp_path / "c.ply")


def test_the_longest_ending_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(PlyFormat):
        id = "other"
        extensions = (".special.ply",)

    monkeypatch.setattr(io, "_formats", lambda: iter([Other(), PlyFormat()]))
    assert io.format_for_name("A.SPECIAL.PLY").id == "other"
    assert io.format_for_name("special.ply").id == "ply"


def test_a_broken_plug_in_takes_nothing_with_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry = io.Registry("format", "nobody", {"x": "no_such_module:X", **io.FORMATS._builtins})
    monkeypatch.setattr(io, "FORMATS", registry)
    assert io.format_for_name("a.ply").id == "ply"
    assert "'x' is not available: No module named 'no_such_module'" in caplog.text


def test_refuses_paths_that_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such file"):
        io.load(tmp_path / "none.ply")
    with pytest.raises(InputError, match="a directory"):
        io.load(tmp_path)
    with pytest.raises(InputError, match="null"):
        io.load("a\0b.ply")
    with pytest.raises(InputError, match="too long"):
        io.load(tmp_path / ("a" * 5000))
    os.mkfifo(tmp_path / "pipe.ply")
    with pytest.raises(InputError, match="a pipe or device"):
        io.load(tmp_path / "pipe.ply")

    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("builtins.open", forbidden)
    with pytest.raises(InputError, match="no permission"):
        io.load(__file__)


def test_save_refuses_before_it_touches_anything(scene: Gaussians, tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(b"mine")
    with pytest.raises(InputError, match="the file exists"):
        io.save(scene, tmp_path / "a.ply")
    with pytest.raises(InputError, match=r"the ending '\.xyz'"):
        io.save(scene, tmp_path / "a.xyz")
    with pytest.raises(InputError, match="folder that can be written"):
        io.save(scene, tmp_path / "none" / "a.ply")
    with pytest.raises(InputError, match="a directory"):
        PlyFormat().save(scene, tmp_path)
    bad = scene.replace(means=np.full((2, 3), np.nan, np.float32))
    with pytest.raises(InputError, match="means, row 0"):
        io.save(bad, tmp_path / "a.ply", overwrite=True)
    assert (tmp_path / "a.ply").read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["a.ply"]
    io.save(scene, tmp_path / "a.ply", overwrite=True)
    assert len(io.load(tmp_path / "a.ply")) == 2


def test_axes_of_a_format_that_has_none(scene: Gaussians, tmp_path: Path) -> None:
    scene = scene.replace(means=np.array([[1, 2, 3], [4, 5, 6]], np.float32))
    io.save(scene, tmp_path / "a.ply", axes="RUB")
    assert io.load(tmp_path / "a.ply").means.tolist() == [[1, -2, -3], [4, -5, -6]]
    assert io.load(tmp_path / "a.ply", axes="RUB").means.tolist() == scene.means.tolist()
    with pytest.raises(ConfigError, match="axes: found up"):
        io.load(tmp_path / "a.ply", axes="up")
    with pytest.raises(ConfigError, match="axes: found up"):
        io.save(scene, tmp_path / "b.ply", axes="up")


def test_settings(scene: Gaussians, tmp_path: Path) -> None:
    io.save(scene, tmp_path / "a.spz", settings={"version": 3})
    assert (tmp_path / "a.spz").read_bytes()[:2] == b"\x1f\x8b"
    assert io.settings_of(io.format_for_name("a.ply")) == []
    for name, text in (("a.ply", "it has no settings"), ("b.spz", "one of version, sh1_bits")):
        with pytest.raises(ConfigError, match=text):
            io.save(scene, tmp_path / name, settings={"colour": "blue"})
    with pytest.raises(ConfigError, match="version: found 9"):
        io.save(scene, tmp_path / "b.spz", settings={"version": 9})
    assert os.listdir(tmp_path) == ["a.spz"]


def test_size_of_a_scene_in_several_files(scene: Gaussians, tmp_path: Path) -> None:
    io.save(scene, tmp_path / "a.sog")
    assert io.scene_bytes(tmp_path / "a.sog") == os.path.getsize(tmp_path / "a.sog")
    (tmp_path / "folder").mkdir()
    with zipfile.ZipFile(tmp_path / "a.sog") as archive:
        archive.extractall(tmp_path / "folder")
    (tmp_path / "folder" / "other.webp").write_bytes(b"x" * 1000)
    files = [path for path in (tmp_path / "folder").iterdir() if path.name != "other.webp"]
    assert len(files) > 4
    expected = sum(path.stat().st_size for path in files)
    assert io.scene_bytes(tmp_path / "folder" / "meta.json") == expected


def test_scenes_of_different_colours_are_not_joined(scene: Gaussians) -> None:
    linear = scene.replace(colour_space="linear")
    assert Gaussians.concat([linear, linear]).colour_space == "linear"
    with pytest.raises(InputError, match="colour_space"):
        Gaussians.concat([scene, linear])
    with pytest.raises(InputError, match="colour_space: found red"):
        scene.replace(colour_space="red")


@pytest.mark.parametrize("name", ["a.gsz", "a.spz", "a.sog", "a.compressed.ply", "meta.json"])
def test_where_the_bytes_go(name: str, tmp_path: Path) -> None:
    scene = make_scene(600, 2)
    path = tmp_path / name
    if name == "meta.json":
        io.save(scene, tmp_path / "a.sog")
        with zipfile.ZipFile(tmp_path / "a.sog") as archive:
            archive.extractall(tmp_path)
    else:
        io.save(scene, path)
    parts = io.bytes_by_attribute(path)
    assert parts is not None
    assert sum(parts.values()) == io.scene_bytes(path)
    assert {"means", "quats", "scales", "sh0", "shN"} <= set(parts)
    assert min(parts.values()) >= 0
    assert parts["shN"] > parts["sh0"] > 0
    assert 0 < parts["container"] < 0.9 * io.scene_bytes(path)
    plain = make_scene(600, 0)
    other = tmp_path / name.replace("a.", "b.")
    if path.suffix != ".json":
        io.save(plain, other)
        without = io.bytes_by_attribute(other)
        assert without is not None
        assert without["sh0"] > 0
        assert without.get("shN", 0) == 0


def test_formats_that_mix_their_attributes(tmp_path: Path) -> None:
    scene = make_scene(50, 1)
    for name, settings in (("a.ply", {}), ("a.splat", {}), ("a.spz", {"version": 3})):
        io.save(scene, tmp_path / name, settings=settings)
        assert io.bytes_by_attribute(tmp_path / name) is None
