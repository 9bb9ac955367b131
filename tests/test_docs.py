"""What the documentation shows is run."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import gscompress
from gscompress.cli import main
from gscompress.cli.examples import Verb
from gscompress.cli.session import Session
from gscompress.report import CSV_COLUMNS

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


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command of the console blocks of a document, and what it shall print."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            yield command, expected


def test_the_tutorial_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text()
    monkeypatch.chdir(tmp_path)
    for name in ("demo.ply", "cameras.json", "split.json"):
        shutil.copy(ROOT / "scenes" / name, name)
    checker = doctest.OutputChecker()
    ran = 0
    for command, expected in commands(text):
        program, *arguments = shlex.split(command)
        assert program == "gscompress"
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        printed = capsys.readouterr()
        said = printed.out + printed.err
        if exit_.value.code:
            said += f"[exit code {exit_.value.code}]\n"
        assert checker.check_output(expected, said, OPTIONS), f"{command}\n{said}"
        ran += 1
    assert ran == 9
    python = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    check(doctest.DocTestParser().get_doctest(python, {}, "tutorial.md", None, 0))
    assert len((tmp_path / "compare.html").read_text()) > 100_000


def test_the_plugin_works_as_the_page_shows_it(tmp_path: Path) -> None:
    """The three files, with the entry point where an installation would put it."""
    text = (ROOT / "docs" / "plugin.md").read_text()
    files = dict(re.findall(r"```\w+\n# file: (\S+)\n(.*?)```", text, re.DOTALL))
    assert set(files) == {"linear_opacity.py", "pyproject.toml", "test_linear_opacity.py"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    entry = re.search(r"\[project.entry-points.\"(.*?)\"\]\n(.*?)\n\n", files["pyproject.toml"])
    assert entry
    metadata = tmp_path / "linear_opacity-1.0.dist-info"
    metadata.mkdir()
    target = entry[2].replace('"', "")
    (metadata / "entry_points.txt").write_text(f"[{entry[1]}]\n{target}\n")
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: linear-opacity\nVersion: 1.0\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:dash", "test_linear_opacity.py"]
    done = subprocess.run(
        tests, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    shown = re.search(r"^gscompress (scene\.ply --set .*)$", text, re.MULTILINE)
    assert shown
    shutil.copy(ROOT / "scenes" / "demo.ply", tmp_path / "scene.ply")
    command = [sys.executable, "-m", "gscompress", *shown[1].split(), "--preset", "fast", "--json"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    without = environment | {"PYTHONPATH": str(ROOT)}
    convert = [sys.executable, "-m", "gscompress", "convert", str(tmp_path / "scene.gsz"), "x.ply"]
    told = subprocess.run(
        convert, cwd=metadata, env=without, capture_output=True, text=True, check=False
    )
    assert told.returncode == 1
    assert "linear-opacity" in told.stderr


def test_the_page_on_reports_names_every_key() -> None:
    text = (ROOT / "docs" / "reports.md").read_text()
    from tests.report.test_compare import FILE_KEYS, TOP_KEYS

    for key in (*FILE_KEYS, *TOP_KEYS, *CSV_COLUMNS):
        assert f"`{key}`" in text, key


@pytest.mark.parametrize("document", sorted((ROOT / "docs").rglob("*.md")), ids=lambda p: p.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_verb_shows_examples_that_are_well_formed() -> None:
    from gscompress.cli import cli
    from gscompress.cli.lazy import LazyGroup

    def check_verb(group: LazyGroup, names: list[str]) -> int:
        seen = 0
        for name in group.verbs:
            verb = group.get_command(click.Context(group), name)
            if isinstance(verb, LazyGroup):
                seen += check_verb(verb, [*names, name])
                continue
            assert isinstance(verb, Verb)
            assert verb.examples, name
            for line, purpose in verb.examples:
                words = shlex.split(line)
                before = [*names, name]
                if words[: len(before)] != before:  # the verb compress may be left out
                    assert (name, words[0]) == ("compress", "gscompress")
                    before = names
                verb.make_context(name, words[len(before) :], obj=Session())
                assert purpose.endswith(".")
            seen += 1
        return seen

    assert isinstance(cli, LazyGroup)
    assert check_verb(cli, ["gscompress"]) == 17
