"""The shape of the package: which part may import which, and what stays free of torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gscompress

PACKAGE = Path(gscompress.__file__).parent

BASE = {"gaussians", "cameras", "errors", "registry", "files", "extent"}
"""What is below everything else. ``files``, ``extent``: shared by their neighbours."""

LAYERS = [
    BASE
    | {"camera_files", "colmap", "virtual_cameras", "pseudo_views", "photos"}
    | {"_open3d", "_serving"},
    {"io", "render", "metrics", "entropy", "codecs", "importance", "stages"},
    {"container", "_chunk_index", "_header_json", "config", "_components", "_overrides", "format"},
    {"rate", "pipeline", "report", "stream", "batch", "cleaning", "desktop"},
    {"cli", "viewer"},
]
"""A part may import what is in its own layer or below."""

UPWARD = {
    # (importer, imported): why
    ("io.gsz", "pipeline"): "a format is read by what decodes it; imported when it is used",
    ("io.gsz", "container"): "the magic number",
}

TORCH = {"render", "importance", "stages", "metrics"}
"""Parts that may import torch; codecs only in their encoders: CODEC_ENCODERS."""

LEARNED = "stream.training."
"""So may what learns a clip from photos."""

CODEC_ENCODERS = {"codecs.kmeans"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        yield name, ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of all modules that are imported, anywhere but for type checkers."""
    hidden = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            if node.module == "gscompress":
                yield from (f"gscompress.{alias.name}" for alias in node.names)
            else:
                yield node.module


def layer(part: str) -> int:
    for level, parts in enumerate(LAYERS):
        if part in parts:
            return level
    raise AssertionError(f"{part} is in no layer of tests/test_layout.py")


def edges() -> Iterator[tuple[str, str]]:
    """(importing module, imported part of ours) as names inside the package."""
    for name, tree in modules():
        for target in imports(tree):
            top, _, inner = target.partition(".")
            part = inner.partition(".")[0]
            if top == "gscompress" and part not in ("", "_native", "__version__"):
                yield name, part


def test_imports_go_one_way() -> None:
    found = list(edges())
    assert len(found) > 50
    wrong = [
        f"gscompress.{name} imports gscompress.{part}"
        for name, part in found
        if name not in ("", "__main__")
        and layer(name.partition(".")[0]) < layer(part)
        and (name, part) not in UPWARD
    ]
    assert wrong == []


def test_nobody_imports_the_command_line() -> None:
    outside = [name for name, part in edges() if part == "cli" and not name.startswith("cli")]
    assert outside in (["__main__"], [])


def test_torch_is_imported_where_it_may_be() -> None:
    users = {
        name
        for name, tree in modules()
        for target in imports(tree)
        if target.partition(".")[0] in ("torch", "gsplat", "torchac")
    }
    allowed = {
        name for name in users if name.partition(".")[0] in TORCH or name.startswith(LEARNED)
    }
    assert users - allowed <= CODEC_ENCODERS | {"entropy.torchac", "cli.doctor"}


def test_no_module_imports_torch_when_it_is_imported() -> None:
    for name, tree in modules():
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        targets = set(imports(ast.Module(top, [])))
        assert not {target.partition(".")[0] for target in targets} & {"torch", "torchac"}, name


@pytest.mark.parametrize("verb", ["info", "decompress", "convert"])
def test_decoding_needs_no_torch(verb: str, tmp_path: Path) -> None:
    program = f"""
import sys
sys.modules["torch"] = None  # importing it fails
import numpy as np
import gscompress as gs
from gscompress.cli import main

rng = np.random.default_rng(0)
scene = gs.Gaussians(
    means=rng.normal(size=(50, 3)), quats=rng.normal(size=(50, 4)),
    log_scales=rng.normal(size=(50, 3)), opacity_logits=rng.normal(size=50),
    sh=rng.normal(size=(50, 4, 3)),
)
gs.compress(scene, "fast").save("a.gsz")
if {verb!r} == "decompress":
    assert len(gs.decompress("a.gsz")) == 50
else:
    arguments = {{"info": ["info", "a.gsz"], "convert": ["convert", "a.gsz", "b.ply"]}}
    try:
        main(arguments[{verb!r}])
    except SystemExit as done:
        assert done.code == 0
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
