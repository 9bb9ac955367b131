from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gscompress import io
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.io.ply import PlyFormat


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
