#!/usr/bin/env python3
"""Write docs/cli: a page for each verb of the command line, from the commands themselves.

tools/make_cli_doc.py          # writes them
tools/make_cli_doc.py --check  # exit code 1 where they are not up to date
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from gscompress.cli import VERBS, cli
from gscompress.cli.examples import Verb
from gscompress.cli.lazy import LazyGroup

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "cli"
NOTE = "<!-- Written by tools/make_cli_doc.py; do not edit. -->"

INDEX = """# Command line

{note}

`gscompress scene.ply` is `gscompress compress scene.ply`: a first word that is no verb is a scene.

| Verb | |
|---|---|
{rows}

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a quality gate was missed, 130 interrupted. Results
go to stdout, everything else to stderr; `--json` makes the result one JSON document. Output files
appear whole or not at all, and never replace one without `-w`.
"""

GROUP = """# gscompress {name}

{note}

```
{usage}
```

{text}

| Verb | |
|---|---|
{rows}

All verbs: [README.md](README.md)
"""

PAGE = """# gscompress {name}

{note}

```
{usage}
```

{text}

```sh
{examples}
```

| Option | |
|---|---|
{rows}

All verbs: [README.md](README.md)
"""


def page(name: str, command: click.Command) -> str:
    """The page of a verb, or of a group of verbs."""
    context = click.Context(command, info_name=f"gscompress {name}")
    if isinstance(command, LazyGroup):
        rows = [
            f"| [{verb}]({name.replace(' ', '-')}-{verb}.md) | {text} |"
            for verb, text in command.verbs.items()
        ]
    else:
        options = [p for p in command.get_params(context) if isinstance(p, click.Option)]
        records = [record for option in options if (record := option.get_help_record(context))]
        rows = [f"| `{cell(names)}` | {cell(code(text))} |" for names, text in records]
    usage = command.get_usage(context).removeprefix("Usage: ")
    text = code(" ".join((command.help or "").split("\n\n")[0].split()))
    rest = [" ".join(part.split()) for part in (command.help or "").split("\n\n")[1:]]
    return (GROUP if isinstance(command, LazyGroup) else PAGE).format(
        name=name,
        note=NOTE,
        usage=re.sub(r"\s+", " ", usage),
        text="\n\n".join([text, *map(code, rest)]),
        rows="\n".join(rows),
        examples="\n".join(examples(command)),
    )


def examples(command: click.Command) -> Iterator[str]:
    """Command lines, each below what it does as a comment."""
    for line, purpose in command.examples if isinstance(command, Verb) else ():
        yield f"# {purpose}\n{line}"


def code(text: str) -> str:
    """Options, and commands in quotes, as code; outside of code a star is a star."""
    text = text.replace("*", r"\*")
    text = re.sub(rf"'((?:gscompress|{'|'.join(VERBS)})( [^']*)?)'", r"`\1`", text)
    return re.sub(r"(?<![\w`-])(--?[a-z][a-z-]*)(?![\w`])", r"`\1`", text)


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return re.sub(r"\s+", " ", text).replace("|", r"\|").strip()


def documents() -> dict[str, str]:
    """All pages by file name."""
    assert isinstance(cli, LazyGroup)
    pages = {f"{'-'.join(names)}.md": page(" ".join(names), verb) for names, verb in verbs(cli)}
    rows = [f"| [{name}]({name}.md) | {text} |" for name, text in cli.verbs.items()]
    return {"README.md": INDEX.format(note=NOTE, rows="\n".join(rows)), **pages}


def verbs(group: LazyGroup) -> Iterator[tuple[list[str], click.Command]]:
    """All commands of a group, and of the groups in it, with their names."""
    context = click.Context(group)
    for name in group.verbs:
        command = group.get_command(context, name)
        assert command is not None
        yield [name], command
        if isinstance(command, LazyGroup):
            yield from (([name, *inner], verb) for inner, verb in verbs(command))


def main(arguments: list[str]) -> int:
    """Write the pages, or compare."""
    pages = documents()
    there = {path.name: path for path in FOLDER.glob("*.md")}
    if arguments == ["--check"]:
        stale = [n for n, text in pages.items() if n not in there or there[n].read_text() != text]
        stale += sorted(set(there) - set(pages))
        if stale:
            print(f"not up to date: {', '.join(stale)}; run tools/make_cli_doc.py", file=sys.stderr)
        return int(bool(stale))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in set(there) - set(pages):
        there[name].unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
