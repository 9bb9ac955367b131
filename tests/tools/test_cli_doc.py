"""docs/cli says what the command line does now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gscompress.cli import VERBS, stream

ROOT = Path(__file__).parents[2]


def test_the_pages_of_the_verbs_are_up_to_date() -> None:
    """If this fails, run tools/make_cli_doc.py and look at what it changed."""
    tool = [sys.executable, str(ROOT / "tools" / "make_cli_doc.py"), "--check"]
    done = subprocess.run(tool, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_each_verb_has_its_page_with_its_options() -> None:
    pages = {path.stem: path.read_text() for path in (ROOT / "docs" / "cli").glob("*.md")}
    assert set(pages) == {"README", *VERBS, *(f"stream-{verb}" for verb in stream.VERBS)}
    for verb in VERBS:
        assert f"# gscompress {verb}\n" in pages[verb]
        assert f"]({verb}.md)" in pages["README"]
    for verb in stream.VERBS:
        assert f"# gscompress stream {verb}\n" in pages[f"stream-{verb}"]
        assert f"](stream-{verb}.md)" in pages["stream"]
    for name in set(pages) - {"README", "stream"}:
        assert "| `--json` |" in pages[name]
    assert "| `--min-psnr DB` |" in pages["compare"]
    assert r"`--device auto\|cpu\|cuda[:N]`" in pages["compress"]
