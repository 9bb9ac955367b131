#!/usr/bin/env python3
"""Write docs/formats.md: which formats there are and what each keeps.

    tools/make_formats_doc.py            # writes it
    tools/make_formats_doc.py --check    # exit code 1 where it is not up to date
    tools/make_formats_doc.py --measure  # first runs the conformance suite anew

Degrees and modes are found by writing scenes and reading them back; the words are below. What other
programs agree on is kept in docs/conformance.json. ``--measure`` needs all of them: those from npm
are installed in build/npm, or in the folder that GSCOMPRESS_NPM names.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.node_tools import NodeTools  # noqa: E402

from gscompress.errors import InputError  # noqa: E402
from gscompress.gaussians import Gaussians, Mode  # noqa: E402
from gscompress.io import FORMATS  # noqa: E402
from gscompress.io.base import Format  # noqa: E402

DOCUMENT = ROOT / "docs" / "formats.md"
RESULTS = ROOT / "docs" / "conformance.json"
SPZ_ROWS = [
    ["gscompress", "5/4", "2,973,130", "38.31 (37.23)", "4,456,104", "47.67 (46.97)"],
    ["@adobe/spz, others", "5/4", "2,991,521", "38.26 (37.18)", "4,494,560", "47.82 (47.07)"],
    ["gscompress", "6/6", "3,901,499", "47.84 (47.24)", "5,473,602", "57.94 (57.04)"],
    ["@adobe/spz", "6/6", "3,932,108", "46.65 (44.20)", "5,515,357", "56.67 (56.56)"],
    ["gscompress", "8/8", "5,443,706", "54.43 (52.93)", "6,124,860", "64.78 (63.75)"],
    ["@adobe/spz", "8/8", "5,458,744", "54.44 (52.93)", "6,142,391", "64.78 (63.75)"],
    ["gsply", "8/8", "5,444,155", "54.44 (52.94)", "6,124,849", "64.77 (63.75)"],
]
SOG_ROWS = [
    ["gscompress, 32 training cameras", "3,228,099", "51.67 (49.96)"],
    ["the same, `--sog-palette 16384`", "2,274,244", "49.04 (48.02)"],
    ["gscompress, 32 virtual cameras", "3,165,866", "50.90 (49.33)"],
    ["gscompress, `--views 0`", "3,185,321", "44.82 (36.52)"],
    ["splat-transform, 1 iteration", "4,664,064", "44.08 (42.29)"],
]
SEEN_ROWS = [
    ["demo, 6 test views", "5/4", "370,944", "40.02 (38.73)", "402,727", "38.69 (37.96)"],
    ["the same", "6/6", "508,620", "48.79 (47.90)", "552,666", "45.08 (42.74)"],
    ["the same", "8/8", "718,174", "53.87 (53.12)", "755,774", "53.29 (52.51)"],
    ["bonsai, 4 test views", "5/4", "2,918,394", "44.81 (44.09)", "2,979,059", "38.13 (37.94)"],
    ["statue, 3 virtual views", "5/4", "4,544,270", "48.03 (44.72)", "4,475,469", "44.22 (39.52)"],
]
DEMO_ROWS = [
    ["gscompress, training cameras", "601,234", "53.59 (52.67)", "4.7"],
    ["gscompress, `--views 0`", "876,728", "53.97 (52.75)", "1.5"],
    ["splat-transform 3.7.0, 10 iterations", "940,059", "48.91 (47.82)", "151.3"],
    ["gaussforge 0.6.0", "795,614", "22.50 (21.65)", "3.9"],
]
"""What was measured once."""

DATA = ROOT.parent / "shared" / "data"


class Words(NamedTuple):
    """What no measurement says."""

    title: str
    reads: str
    writes: str
    loses: str


WORDS = {
    "gsz": Words(
        "gscompress",
        "all versions",
        "preset `fast`; `gscompress compress` has the choice",
        "as the preset says",
    ),
    "ply": Words(
        "PLY (INRIA layout)",
        "text, both byte orders, any number type and order; 2DGS; Mip-Splatting filters",
        "little-endian float32",
        "nothing",
    ),
    "spz": Words(
        "SPZ",
        "versions 1 to 4",
        "version 4; 3 where asked for",
        "positions in steps of 1/4096 (coarser where they would not fit), log-scales of 1/16 from "
        "-10 to 5.9, 8-bit colours and opacities, harmonics of 5 bits in degree 1 and 4 above "
        "(more where asked for)",
    ),
    "compressed-ply": Words(
        "PlayCanvas compressed PLY",
        "with and without colour ranges and harmonics",
        "the newest variant",
        "positions and log-scales on 11, 10 and 11 bits, colours on 8, in chunks of 256 Gaussians; "
        "harmonics in steps of 1/32 from -4 to 4",
    ),
    "splat": Words(
        "splat (antimatter15)",
        "all",
        "the most visible Gaussians first",
        "8-bit rotations, colours (0 to 1 only) and opacities",
    ),
    "sog": Words(
        "PlayCanvas SOG",
        "version 2, zip or folder; version 1, folder (named by its meta.json)",
        "version 2, zip",
        "positions on 16 bits of their logarithm, 8-bit rotations and opacities, 256 log-scales "
        "and colours; harmonics from a palette of at most 65536",
    ),
    "gltf": Words(
        "glTF with KHR_gaussian_splatting",
        "`.glb`, `.gltf`; splats of every node, turned and moved as placed; SPZ inside",
        "one file, float32, with colours for viewers that know points only",
        "nothing; the mode is kept in `extras`, for ourselves",
    ),
    "ksplat": Words(
        "GaussianSplats3D",
        "compression levels 0 to 2",
        "",
        "",
    ),
    "usd": Words(
        "OpenUSD, ParticleField3DGaussianSplat",
        "`.usd`, `.usda`, `.usdc`, `.usdz`; float32 and half; Y or Z up; needs the extra `usd`",
        "`.usd`, `.usda`, `.usdc`; float32",
        "nothing; the mode is kept in custom data, for ourselves",
    ),
}

TEXT = """# Formats

<!-- Written by tools/make_formats_doc.py; do not edit. -->

`gscompress convert IN OUT` and `gscompress.load` / `gscompress.save` know these. A file is
recognised by its content, then by the ending of its name; the ending decides what is written.
What a format cannot carry is said in a warning. Files are written in one piece or not at all.

{table}

A PLY of either kind is recognised by its header. PLY, glTF and USD keep the order of the
Gaussians, the others write them in one of their own.

## Opacities of exactly 0 and 1

Their logits are infinite. They are read as -20 and 20, which render alike.

## Axes

A scene in memory has the axes of its trainer: right, down, front (`RDF`). So have PLY, compressed
PLY, .splat, .ksplat and SOG. SPZ has right, up, back (`RUB`), glTF left, up, front (`LUF`), USD
right, up, back where Y is up: such scenes are turned when they are read and when they are written,
with their rotations and harmonics.

Some converters write into an SPZ what a PLY holds, unturned, and no file says so. If a scene from
an SPZ stands on its head, say what its axes are:

```sh
gscompress convert scene.spz scene.ply --axes-in RDF    # or gscompress.load(path, axes="RDF")
gscompress convert scene.ply scene.spz --axes-out RDF   # a file such as those converters write
```

An SPZ that names its axes in the extension `SPZ_ADOBE_coordinate_system` is turned accordingly.

## Settings

A format's settings are flags of `gscompress convert` (`--spz-version`, `--sh-bits`,
`--fractional-bits`, `--sog-palette`, `--webp-effort`), and fields of its class in Python:

```python
gscompress.save(scene, "scene.spz", settings={{"version": 3, "sh1_bits": 6, "sh_rest_bits": 6}})
```

A SOG has one palette for all harmonics, an SPZ coarse steps for them. `gscompress convert` looks at
the scene from the training cameras beside it, from `--cameras`, or from virtual ones, and chooses
entries, steps and constant terms so that those views change least (`--views 0`: the nearest ones,
in a tenth of the time). In Python:

```python
from gscompress.importance.scores import sight
from gscompress.render import get_renderer
seen = sight(scene, cameras, get_renderer("cpu"))
gscompress.save(scene, "scene.sog", settings={{"sightings": seen}})
```

`--mode mip` says that a scene was trained with antialiasing, where its file cannot.

## Against their own writers

Bonsai, 165,000 Gaussians of degree 3, at held-out cameras, half size; PSNR in dB against renders of
the input, in brackets that of the worst view. SPZ version 4, as
`tools/bench exchange point_cloud.ply --max-views 4 --scale 0.5 --only spz` prints it; on the right
the statue, 289,444 Gaussians of degree 3, 3 virtual cameras:

{spz}

Here ours are rounded to the nearest steps (`--views 0`). @adobe/spz is Niantic's library; the
others are gaussforge and splat-transform, with files of the same size and quality. At 5/4 bits it
rounds twice, to 1/128 and then to the step, which happens to suit the statue (0.15 dB). What
`gscompress convert` does by default, for 32 training cameras (of the statue: virtual ones):

{seen}

Bonsai and statue have views of their own, other than those of the table above, and Niantic's
rounding in a container of ours, which takes 0.4 % less than its own. The statue's harmonics come
from the palette of a SOG: the same 45 numbers occur again and again, and Zstandard finds them.
Fitted to cameras they differ, and take more bytes.

SOG with a palette of up to 65536 entries, 6 views:

{sog}

splat-transform 3.7.0 takes hours for it on a CPU: going by a sample of the points, its search takes
3,089 CPU seconds for one of the 10 iterations of its default (statue: 4,943). Its row is of a copy
in which another exact search stands for its own, after 1 iteration. gaussforge 0.6.0 did not end
within an hour beside other work, of which it got 7 CPU minutes. On the demo scene, 19,000 Gaussians
of degree 3 at 6 held-out views, all end with their defaults (`tools/bench exchange scenes/demo.ply
--cameras scenes/cameras.json --max-views 6 --only sog --slow`):

{demo}

## What is refused

A file that is cut short, damaged, or made to exhaust memory ends in an error that names the
place. Counts, image sizes and the sizes of compressed streams are checked against the size of the
file before anything is allocated for them. USD is parsed by the OpenUSD library, of which none of
this is promised: open what you trust.

## Conformance

Files of ours are read by other programs, and theirs by us, with spherical harmonics of the degrees
named. Two readers of a file must agree but for the rounding of float32; what another program wrote
must be what it was given, within the steps of the format. Largest differences found are in
[conformance.json](conformance.json). Programs: {programs}.

{conformance}

Real files, made by other tools, as those programs and ours read them:

{real}
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
    title = f"{words.title}, `{known.extensions[0]}`"
    if not words.writes:
        return line([title, words.reads, "no", "0 to 3", "`default`", ""])
    degrees = [d for d in range(5) if kept(known, d, "default").sh_degree == d]
    assert degrees == list(range(len(degrees)))
    modes: list[str] = [m for m in get_args(Mode) if kept(known, 0, m).mode == m]
    cells = [
        title,
        words.reads,
        words.writes,
        f"0 to {degrees[-1]}" if len(degrees) > 1 else "0",
        ", ".join(f"`{m}`" for m in modes),
        words.loses,
    ]
    return line(cells)


def line(cells: list[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    return "\n".join([line(head), "|" + "---|" * len(head), *(line(cells) for cells in rows)])


def measure() -> int:
    """Run the conformance suite and keep what came out; returns how much went wrong."""
    from tests.io.conformance import check, check_real, pairs, real_pairs
    from tests.io.implementations import NPM_FOLDER, NPM_PACKAGES, all_implementations

    NodeTools(NPM_FOLDER).install(NPM_PACKAGES)
    missing = [f"{other.name} {other.missing}" for other in all_implementations() if other.missing]
    if missing or not DATA.is_dir():
        print("not here: " + "; ".join([*missing, "" if DATA.is_dir() else str(DATA)]))
        return 1
    failed = 0
    results: dict[tuple[str, ...], dict[str, Any]] = {}

    def keep(key: tuple[str, ...], found: dict[str, float], degree: int) -> None:
        entry = results.setdefault(key, {"degrees": [], "largest": {}})
        entry["degrees"].append(degree)
        for name, value in found.items():
            rounded = float(f"{max(value, entry['largest'].get(name, 0)):.2g}")
            entry["largest"][name] = rounded

    with tempfile.TemporaryDirectory() as folder:
        for number, pair in enumerate(pairs()):
            place = Path(folder) / str(number)
            place.mkdir()
            try:
                keep((pair.kind, pair.verb, pair.other.name), check(pair, place), pair.degree)
            except (AssertionError, InputError) as error:
                print(f"{pair}: {error}")
                failed += 1
        for other, name in real_pairs():
            try:
                keep((name, "real", other.name), check_real(other, name, Path(folder), DATA), -1)
            except (AssertionError, InputError) as error:
                print(f"{other.name}, {name}: {error}")
                failed += 1
    document = {
        "versions": {other.name: other.version for other in all_implementations()},
        "results": [
            {"kind": kind, "verb": verb, "other": other, **entry}
            for (kind, verb, other), entry in results.items()
        ],
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    return failed


def degrees_of(entry: dict[str, Any]) -> str:
    """A program and the degrees for which it agrees."""
    degrees = entry["degrees"]
    span = str(degrees[0]) if len(degrees) == 1 else f"{degrees[0]} to {degrees[-1]}"
    return f"{entry['other']} ({span})"


def conformance() -> dict[str, str]:
    """The tables of what other programs agree on."""
    document = json.loads(RESULTS.read_text())
    kinds: dict[str, dict[str, list[str]]] = {}
    real: dict[str, list[str]] = {}
    for entry in document["results"]:
        if entry["verb"] == "real":
            real.setdefault(entry["kind"], []).append(entry["other"])
        else:
            verbs = kinds.setdefault(entry["kind"], {"read": [], "write": []})
            verbs[entry["verb"]].append(degrees_of(entry))
    rows = [
        [k, *(", ".join(v[verb]) or "-" for verb in ("read", "write"))] for k, v in kinds.items()
    ]
    return {
        "programs": ", ".join(f"{name} {v}" for name, v in document["versions"].items()),
        "conformance": table(["Format", "Reads ours", "Writes what we read"], rows),
        "real": table(
            ["File", "Read alike by"], [[f"`{k}`", ", ".join(v)] for k, v in real.items()]
        ),
    }


def document() -> str:
    """The whole page."""
    head = ["Format", "Reads", "Writes", "SH degrees", "Modes", "What is lost"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [row(name) for name in FORMATS.names() if name in WORDS]
    quality = "PSNR, dB (worst view)"
    spz = table(["Writer", "SH bits", *2 * ["Bytes", quality]], SPZ_ROWS)
    sog = table(["Writer", "Bytes", quality], SOG_ROWS)
    ours = ["Ours, bytes", quality]
    seen = table(["Scene", "SH bits", *ours, "Niantic's, bytes", quality], SEEN_ROWS)
    demo = table(["Writer", "Bytes", quality, "CPU s"], DEMO_ROWS)
    tables = {"spz": spz, "sog": sog, "seen": seen, "demo": demo}
    return TEXT.format(table="\n".join(lines), **tables, **conformance())


def main(arguments: list[str]) -> int:
    """Write the page, or compare."""
    logging.disable(logging.WARNING)
    if arguments == ["--measure"] and measure():
        return 1
    text = document()
    if arguments == ["--check"]:
        return int(not DOCUMENT.is_file() or DOCUMENT.read_text() != text)
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
