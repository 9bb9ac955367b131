"""The decoder in JavaScript, run by node."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

CASES = Path(__file__).parent / "cases.mjs"
OLDEST_NODE = 20

Run = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def node() -> Run:
    """Runs cases of cases.mjs in one node, or skips."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("needs node (apt install nodejs)")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    major = re.match(r"v(\d+)", version.stdout)
    if major is None or int(major[1]) < OLDEST_NODE:
        pytest.skip(f"needs node {OLDEST_NODE} or newer, not {version.stdout.strip()}")

    def run(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        lines = "".join(json.dumps(case) + "\n" for case in cases)
        done = subprocess.run(
            [program, CASES], input=lines, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(cases)
        return answers

    return run
