from __future__ import annotations

import os
import stat

import pytest

from gscompress.errors import InputError
from gscompress.io.atomic import atomic_write


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_appears_complete(tmp_path):
    path = tmp_path / "a.gsz"
    with atomic_write(path) as file:
        file.write(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["a.gsz"]


def test_an_error_leaves_nothing_or_the_old_file(tmp_path):
    path = tmp_path / "a.gsz"

    def fail():
        with atomic_write(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names(tmp_path) == []
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.gsz"]


def test_overwrite(tmp_path):
    path = tmp_path / "a.gsz"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="the file exists"), atomic_write(path, overwrite=False):
        pytest.fail("must refuse before any work")
    with atomic_write(path, overwrite=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "a.gsz"

    def write():
        with atomic_write(path, overwrite=False) as file:
            file.write(b"ours")
            path.write_bytes(b"theirs")

    with pytest.raises(InputError, match="the file exists"):
        write()
    assert path.read_bytes() == b"theirs"
    assert names(tmp_path) == ["a.gsz"]


def test_missing_folder(tmp_path):
    missing = tmp_path / "none" / "a.gsz"
    with pytest.raises(InputError, match=r"a\.gsz: found No such file"), atomic_write(missing):
        pytest.fail("must refuse before any work")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_mode_follows_the_umask(tmp_path):
    path = tmp_path / "a.gsz"
    before = os.umask(0o027)
    try:
        with atomic_write(path) as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
