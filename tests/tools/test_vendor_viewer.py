"""The viewer's third-party files are the pinned ones, and the tool notices when they are not."""

from __future__ import annotations

import importlib
import json
import shutil

import pytest

from gscompress.viewer.scenes import SITE
from tests.tools.test_bench import TOOLS


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("vendor_viewer")


def test_what_is_shipped_is_what_was_pinned(tool):
    pins = json.loads(tool.PINS.read_text())
    assert all({"version", "licence", "integrity", "files"} <= set(p) for p in pins.values())
    assert all("LICENSE" in package["files"] for package in pins.values())
    assert SITE / "vendor" == tool.VENDOR
    tool.check(pins, tool.VENDOR)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "fzstd" / "index.mjs").write_text("x"), "fzstd/index.mjs: found"),
        (lambda folder: (folder / "fzstd" / "LICENSE").unlink(), "not pinned: fzstd/LICENSE"),
        (lambda folder: (folder / "more.js").write_text(""), "not pinned: more.js"),
    ],
)
def test_other_files_are_refused(tool, tmp_path, damage, message):
    shutil.copytree(tool.VENDOR, tmp_path / "vendor")
    damage(tmp_path / "vendor")
    with pytest.raises(tool.WrongContent, match=message):
        tool.check(json.loads(tool.PINS.read_text()), tmp_path / "vendor")
