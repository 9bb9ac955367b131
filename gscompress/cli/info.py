"""``gscompress info``: what a file holds. Of a .gsz, header and index are read, nothing else."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any

import click
import msgspec

from gscompress.cli.examples import Verb
from gscompress.cli.session import Session, common_options, pass_session
from gscompress.errors import CorruptFileError

Count = Annotated[int, msgspec.Meta(ge=0)]
Table = dict[str, Any]


class Provenance(msgspec.Struct):
    """Where a .gsz came from; what else it says is not shown."""

    gscompress: str
    input_bytes: Count
    input_gaussians: Count


class Config(msgspec.Struct):
    """How a .gsz was made."""

    attributes: dict[str, Table]
    entropy: Table
    stages: list[Table] = []


class Header(msgspec.Struct):
    """What the header of a .gsz must hold; it may come from anywhere."""

    gaussians: Count
    levels: list[Count]
    sh_degree: Count
    mode: str
    provenance: Provenance
    config: Config


_EXAMPLES = (
    (
        "gscompress info scene.gsz",
        "Counts, bytes per attribute, levels of detail, how it was made.",
    ),
    (
        "gscompress info scene.spz --json",
        "The same for programs.",
    ),
)


@click.command(
    "info",
    cls=Verb,
    short_help="Say what a scene's file holds.",
    examples=_EXAMPLES,
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@common_options
@pass_session
def verb(session: Session, /, file: Path) -> None:
    """Say what a scene's file holds: counts, bytes per attribute, how it was made."""
    document = {"file": str(file), **_facts(file)}
    count = document["gaussians"]
    document["bits_per_gaussian"] = 8 * document["bytes"] / count if count else None
    session.result(document, functools.partial(_show, session, document))


def _facts(file: Path) -> dict[str, Any]:
    from gscompress.container import MAGIC
    from gscompress.files import open_input

    with open_input(file) as content:
        ours = content.read(len(MAGIC)) == MAGIC
    return _of_gsz(file) if ours else _of_scene(file)


def _of_gsz(file: Path) -> dict[str, Any]:
    from gscompress.container import Index

    index = Index.read(file)
    try:
        header = msgspec.convert(index.header, Header)
    except msgspec.ValidationError as error:
        raise CorruptFileError(file, "header", found=error) from error
    size, groups = file.stat().st_size, index.group_bytes()
    return {
        "format": "gsz",
        "bytes": size,
        "gaussians": header.gaussians,
        "sh_degree": header.sh_degree,
        "mode": header.mode,
        "levels": [
            {"gaussians": gaussians, "end": end}
            for gaussians, end in zip(header.levels, index.level_ends(), strict=False)
        ],
        "bytes_by_attribute": {**groups, "container": size - sum(groups.values())},
        "provenance": index.header["provenance"],
        "config": index.header["config"],
    }


def _of_scene(file: Path) -> dict[str, Any]:
    from gscompress.io import bytes_by_attribute, detect_format, scene_bytes

    known = detect_format(file)
    scene = known.load(file)
    return {
        "format": known.id,
        "bytes": scene_bytes(file),
        "gaussians": len(scene),
        "sh_degree": scene.sh_degree,
        "mode": scene.mode,
        "levels": None,
        "bytes_by_attribute": bytes_by_attribute(file),
        "provenance": None,
        "config": None,
    }


def _show(session: Session, document: dict[str, Any]) -> None:
    session.say(f"{document['file']}: {document['format']}, {document['bytes']:,} bytes")
    bits = document["bits_per_gaussian"]
    density = "" if bits is None else f", {bits:.1f} bits each"
    session.say(f"Gaussians  {document['gaussians']:,}{density}")
    session.say(f"SH degree  {document['sh_degree']}")
    session.say(f"mode       {document['mode']}")
    for name, size in (document["bytes_by_attribute"] or {}).items():
        session.say(f"  {name:<12}{size:>14,} bytes {100 * size / document['bytes']:5.1f} %")
    levels = document["levels"] or []
    for number, level in enumerate(levels if len(levels) > 1 else []):
        share = 100 * level["end"] / document["bytes"]
        session.say(
            f"  level {number:<6}{level['end']:>14,} bytes {share:5.1f} %, from 0 on: "
            f"{level['gaussians']:,} Gaussians"
        )
    made = document["provenance"]
    if made:
        ratio = made["input_bytes"] / document["bytes"]
        session.say(f"made from  {made['input_bytes']:,} bytes of PLY, {ratio:.1f}x smaller")
        session.say(f"made by    gscompress {made['gscompress']}")
    for line in _components(document["config"] or {}):
        session.say(line)


def _components(config: dict[str, Any]) -> list[str]:
    """The configuration, one component a line."""
    tables = [("stage", table) for table in config.get("stages", [])]
    tables += list(config.get("attributes", {}).items())
    tables += [("entropy", config["entropy"])] if config else []
    lines = []
    for name, table in tables:
        fields = ", ".join(f"{key} {value}" for key, value in table.items() if key != "use")
        lines.append(f"  {name:<12}{table.get('use')}{': ' if fields else ''}{fields}")
    return ["coded with", *lines] if lines else []
