from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from gscompress.cli import main, views
from gscompress.gaussians import Gaussians
from gscompress.io import save

VIEWS = 9
GAUSSIANS = 300


class Done(NamedTuple):
    code: int | str | None
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def few_virtual_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "VIRTUAL_VIEWS", 3)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process."""

    def call(*args: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Done(exit_.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def scene() -> Gaussians:
    """A ball of coloured blobs of radius 1."""
    rng = np.random.default_rng(5)
    means = rng.normal(size=(GAUSSIANS, 3))
    means *= rng.uniform(size=(GAUSSIANS, 1)) ** (1 / 3) / np.linalg.norm(means, axis=1)[:, None]
    sh = rng.normal(size=(GAUSSIANS, 4, 3)) * 0.1
    sh[:, 0] = rng.uniform(-1.5, 1.5, size=(GAUSSIANS, 3))
    return Gaussians(
        means=means,
        quats=rng.normal(size=(GAUSSIANS, 4)),
        log_scales=rng.uniform(-3.5, -2, size=(GAUSSIANS, 3)),
        opacity_logits=rng.uniform(-1, 4, size=GAUSSIANS),
        sh=sh,
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ply(folder: Path, scene: Gaussians) -> Path:
    """``scene.ply``, without cameras."""
    save(scene, "scene.ply")
    return folder / "scene.ply"


@pytest.fixture
def cameras(folder: Path) -> Path:
    """``views/cameras.json``: a ring of views around the origin."""
    entries = []
    for i in range(VIEWS):
        angle = 2 * np.pi * i / VIEWS
        back = np.array([np.sin(angle), 0.0, np.cos(angle)])  # from the origin to the camera
        right = np.array([np.cos(angle), 0.0, -np.sin(angle)])
        # Columns: the camera's axes x right, y down, z forward, in the world.
        rotation = np.stack([right, [0.0, -1.0, 0.0], -back], axis=1)
        entries.append(
            {
                "id": i,
                "img_name": f"view_{i:02d}",
                "width": 64,
                "height": 48,
                "position": (3 * back).tolist(),
                "rotation": rotation.tolist(),
                "fx": 70.0,
                "fy": 70.0,
            }
        )
    path = folder / "views" / "cameras.json"
    path.parent.mkdir()
    path.write_text(json.dumps(entries))
    return path
