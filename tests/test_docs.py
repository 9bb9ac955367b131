"""What the documentation shows is run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import gscompress

ROOT = Path(__file__).parents[1]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FUNCTIONS = [name for name in gscompress.__all__ if callable(getattr(gscompress, name))]
FUNCTIONS = [name for name in FUNCTIONS if name[0].islower()]


def check(examples: doctest.DocTest) -> None:
    assert examples.examples, f"{examples.name} shows no example"
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=OPTIONS).run(examples, out=said.append)
    assert result.failed == 0, "".join(said)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_public_function_has_an_example_that_runs(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    finder = doctest.DocTestFinder(recurse=False)
    (examples,) = finder.find(getattr(gscompress, name), name)
    check(examples)


def test_there_are_nine_of_them() -> None:
    assert len(FUNCTIONS) == 9


@pytest.mark.parametrize("document", ["README.md", "gscompress/__init__.py"])
def test_longer_examples_run(document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / document).read_text()
    if document.endswith(".md"):
        text = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    else:
        text = gscompress.__doc__ or ""
    check(doctest.DocTestParser().get_doctest(text, {}, document, document, 0))


def test_contributing_quotes_what_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    quotes = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    sources = [
        (ROOT / name).read_text()
        for name in re.findall(r"`((?:gscompress|tests)/codecs/\w+\.py)`", text)
    ]
    assert len(quotes) == 4
    for quote in quotes:
        assert any(quote in source for source in sources), quote
