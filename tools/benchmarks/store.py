"""What earlier runs have measured, so that a run goes on where the last one ended."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import gscompress

__all__ = ["Store", "code_digest"]


class Store:
    """A JSON file of results by what they depend on. Without a path it only lives in memory.

    Args:
        path: The file; it is written anew after every result.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Any] = {}
        if path is not None and path.exists():
            self._known = json.loads(path.read_text())

    def get(self, key: dict[str, Any], make: Callable[[], Any]) -> Any:
        """The result for ``key`` (JSON-able), made now if it is not known."""
        name = json.dumps(key, sort_keys=True)
        if name not in self._known:
            self._known[name] = make()
            self._write()
        return self._known[name]

    def knows(self, key: dict[str, Any]) -> bool:
        """Whether there is a result for ``key``."""
        return json.dumps(key, sort_keys=True) in self._known

    def _write(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(f"{self._path.name}.partial")
        partial.write_text(json.dumps(self._known, indent=1) + "\n")
        os.replace(partial, self._path)


@cache
def code_digest(part: str = "") -> str:
    """Of everything in the package that may change what it encodes: results of ours depend on it.

    Documentation changes it too: better to measure once too often.

    Args:
        part: Only of this folder of the package.
    """
    folder = Path(gscompress.__file__).parent / part
    total = hashlib.sha256()
    files = [*folder.rglob("*.py"), *folder.glob("_native*.so"), *folder.glob("_native*.pyd")]
    files += [*folder.glob("configs/*.toml"), *folder.parent.glob("configs/*.toml")]
    for path in sorted(files):
        total.update(path.name.encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:24]
