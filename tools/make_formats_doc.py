#!/usr/bin/env python3
"""Write docs/formats.md: which formats there are and what each keeps.

    tools/make_formats_doc.py          # writes it
    tools/make_formats_doc.py --check  # exit code 1 where it is not up to date

Degrees and modes are found by writing scenes and reading them back; the words are below.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from gscompress.gaussians import Gaussians, Mode  # noqa: E402
from gscompress.io import FORMATS  # noqa: E402
from gscompress.io.base import Format  # noqa: E402

DOCUMENT = ROOT / "docs" / "formats.md"


class Words(NamedTuple):
    """What no measurement says."""

    title: str
    reads: str
    writes: str
    loses: str
    checked: str


WORDS = {
    "gsz": Words(
        "gscompress",
        "all versions",
        "preset `fast`; `gscompress compress` has the choice",
        "as the preset says",
        "golden files",
    ),
    "ply": Words(
        "PLY (INRIA layout)",
        "text, both byte orders, any number type and order; 2DGS; Mip-Splatting filters",
        "little-endian float32",
        "nothing",
        "plyfile",
    ),
    "spz": Words(
        "SPZ",
        "versions 1 to 4",
        "version 4; 3 from Python",
        "positions in steps of 1/4096 (coarser where they would not fit), log-scales of 1/16 from "
        "-10 to 5.9, 8-bit colours and opacities, harmonics of 5 bits in degree 1 and 4 above "
        "(more from Python)",
        "gsply, gaussforge; a real file",
    ),
    "compressed-ply": Words(
        "PlayCanvas compressed PLY",
        "with and without colour ranges and harmonics",
        "the newest variant",
        "positions and log-scales on 11, 10 and 11 bits, colours on 8, in chunks of 256 Gaussians; "
        "harmonics in steps of 1/32 from -4 to 4",
        "gsply, gaussforge; two real files",
    ),
    "splat": Words(
        "splat (antimatter15)",
        "all",
        "the most visible Gaussians first",
        "8-bit rotations, colours (0 to 1 only) and opacities",
        "gaussforge",
    ),
    "sog": Words(
        "PlayCanvas SOG",
        "version 2, zip or folder; version 1, folder (named by its meta.json)",
        "version 2, zip",
        "positions on 16 bits of their logarithm, 8-bit rotations and opacities, 256 log-scales "
        "and colours; harmonics from a palette of at most 65536",
        "gsply, gaussforge; a real folder of version 1",
    ),
}

TEXT = """# Formats

<!-- Written by tools/make_formats_doc.py; do not edit. -->

`gscompress convert IN OUT` and `gscompress.load` / `gscompress.save` know these. A file is
recognised by its content, then by the ending of its name; the ending decides what is written.
What a format cannot carry is said in a warning. Files are written in one piece or not at all.

{table}

A PLY of either kind is recognised by its header. All formats but PLY write the Gaussians in an
order of their own.

## Opacities of exactly 0 and 1

Their logits are infinite. They are read as -20 and 20, which render alike.

## Axes

Scenes are passed on as they are stored, in every format. SPZ alone wants axes of its own (right,
up, back where a PLY has right, down, front), which some of its writers turn to and others do not,
and no file says which. If a scene from an SPZ stands on its head, read it in Python with
`SpzFormat(axes="right-up-back").load(path)` (from `gscompress.io.spz`). An SPZ that names its
axes in the extension `SPZ_ADOBE_coordinate_system` is turned accordingly.

## Settings

From Python, a format takes settings that `gscompress.save` leaves at their defaults:

```python
from gscompress.io.spz import SpzFormat

SpzFormat(version=3, sh1_bits=6, sh_rest_bits=6).save(scene, Path("scene.spz"))
```

## What is refused

A file that is cut short, damaged, or made to exhaust memory ends in an error that names the
place. Counts, image sizes and the sizes of compressed streams are checked against the size of the
file before anything is allocated for them.
"""


def make_scene(degree: int, mode: Mode) -> Gaussians:
    """A few Gaussians within the ranges of every format."""
    rng = np.random.default_rng(degree)
    n = 32
    return Gaussians(
        means=rng.normal(size=(n, 3)),
        quats=rng.normal(size=(n, 4)),
        log_scales=rng.uniform(-5, 0, (n, 3)),
        opacity_logits=rng.normal(size=n),
        sh=rng.uniform(-0.9, 0.9, (n, (degree + 1) ** 2, 3)),
        mode=mode,
    )


def kept(known: Format, degree: int, mode: Mode) -> Gaussians:
    """What a format keeps of a scene."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"scene{known.extensions[0]}"
        known.save(make_scene(degree, mode), path)
        return known.load(path)


def row(name: str) -> str:
    """A line of the table."""
    known, words = FORMATS.get(name)(), WORDS[name]
    degrees = [d for d in range(5) if kept(known, d, "default").sh_degree == d]
    assert degrees == list(range(len(degrees)))
    modes: list[str] = [m for m in get_args(Mode) if kept(known, 0, m).mode == m]
    cells = [
        f"{words.title}, `{known.extensions[0]}`",
        words.reads,
        words.writes,
        f"0 to {degrees[-1]}" if len(degrees) > 1 else "0",
        ", ".join(f"`{m}`" for m in modes),
        words.loses,
        words.checked,
    ]
    return "| " + " | ".join(cells) + " |"


def document() -> str:
    """The whole page."""
    head = ["Format", "Reads", "Writes", "SH degrees", "Modes", "What is lost", "Checked against"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [row(name) for name in FORMATS.names() if name in WORDS]
    return TEXT.format(table="\n".join(lines))


def main(arguments: list[str]) -> int:
    """Write the page, or compare."""
    logging.disable(logging.WARNING)
    text = document()
    if arguments == ["--check"]:
        return int(not DOCUMENT.is_file() or DOCUMENT.read_text() != text)
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
