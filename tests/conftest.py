from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def programs_find_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that a test starts in another folder import this gscompress, installed or not."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


@pytest.fixture
def shared_data() -> Path:
    """Real scenes, which are not part of the repository."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real scenes in ../shared/data, which are not here")
    return folder
