"""docs/formats.md says what the formats do now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gscompress.io import FORMATS

ROOT = Path(__file__).parents[2]


def test_the_table_of_formats_is_up_to_date() -> None:
    """If this fails, run tools/make_formats_doc.py and look at what it changed."""
    tool = [sys.executable, str(ROOT / "tools" / "make_formats_doc.py"), "--check"]
    done = subprocess.run(tool, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or "docs/formats.md is not up to date"


def test_every_format_of_ours_is_in_it() -> None:
    text = (ROOT / "docs" / "formats.md").read_text()
    for name in FORMATS._builtins:
        assert f"`{FORMATS.get(name).extensions[0]}`" in text
