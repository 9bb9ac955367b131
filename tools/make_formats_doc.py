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

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.node_tools import NodeTools

from gscompress.errors import InputError
from gscompress.gaussians import Gaussians, Mode
from gscompress.io import FORMATS
from gscompress.io.base import Format

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "formats.md"
RESULTS = ROOT / "docs" / "conformance.json"
SPZ_ROWS = """
demo | 5/4 | 370,957 | 40.03 (38.73) | 401,906 | 38.75 | 402,727 | 38.69 (37.96)
| 6/6 | 508,633 | 48.96 (47.89) | 550,995 | 46.38 | 552,666 | 45.08 (42.74)
| 8/8 | 718,187 | 54.48 (53.72) | 755,785 | 53.30 | 755,774 | 53.29 (52.51)
bonsai | 5/4 | 2,918,474 | 45.01 (43.74) | 2,973,130 | 38.29 | 2,991,521 | 38.28 (36.72)
| 6/6 | 3,802,435 | 53.03 (51.69) | 3,901,499 | 47.04 | 3,932,108 | 45.88 (41.33)
| 8/8 | 5,327,234 | 54.41 (53.18) | 5,443,706 | 53.40 | 5,458,744 | 53.40 (52.27)
statue | 5/4 | 4,385,442 | 47.08 (45.83) | 4,456,104 | 45.65 | 4,494,560 | 45.99 (43.73)
| 6/6 | 5,473,602 | 57.62 (54.80) | 5,473,602 | 57.62 | 5,515,357 | 55.39 (53.47)
| 8/8 | 6,124,860 | 65.08 (63.04) | 6,124,860 | 65.08 | 6,142,391 | 65.08 (63.04)
biker | - | 2,232,147 | 145.93 | 2,232,147 | 145.93 | 2,239,371 | 145.76
guitar | - | 1,406,932 | 66.32 (65.07) | 1,406,823 | 65.95 | 1,411,208 | 65.95 (64.85)
"""
SOG_ROWS = """
demo, degree 3 | gscompress | 642,814 | 55.73 (54.38) | 6
| gscompress, `--views 0` | 870,062 | 53.97 (52.75) | 3
| splat-transform | 940,897 | 49.10 (48.22) | 148
| gaussforge | 795,614 | 22.50 (21.65) | 4
bonsai, degree 3 | gscompress | 3,418,004 | 52.40 (50.58) | 27
| gscompress, `--views 0` | 3,479,620 | 48.01 (43.00) | 18
| splat-transform, other search | 4,685,308 | 44.09 (42.32) | 430 (30,900)
| gaussforge | 3,298,151 | 29.94 (25.87) | 1,794
statue, degree 3 | gscompress | 5,890,954 | 80.75 (79.56) | 23
| gscompress, `--views 0` | 5,935,503 | 67.76 (62.00) | 6
| splat-transform, other search | 6,104,705 | 64.43 (60.53) | 222 (49,400)
| gaussforge | 5,477,574 | 63.90 (60.66) | 3,382
biker, degree 0 | gscompress | 1,809,320 | 73.26 (69.25) | 6
| splat-transform | 1,854,778 | 62.59 (61.26) | 5
| gaussforge | 1,850,696 | 72.94 (71.35) | 3
guitar, degree 0 | gscompress | 1,183,516 | 72.01 (62.68) | 3
| splat-transform | 1,195,995 | 62.54 (58.94) | 4
| gaussforge | 1,160,080 | 66.78 (64.62) | 2
"""
COMPARED_ROWS = """
balanced.gsz | 1,009,933 | 44.61 (42.25) | 0.9961 | 27.79, lost 0.18
small.gsz | 471,619 | 34.16 (29.41) | 0.9631 | 28.46, gained 0.50
bonsai.spz | 2,916,047 | 44.64 (42.64) | 0.9975 | 27.73, lost 0.23
bonsai_8bit.spz | 5,333,584 | 54.27 (51.13) | 0.9996 | 27.95, lost 0.01
bonsai.sog | 3,417,752 | 52.45 (50.07) | 0.9995 | 27.95, lost 0.01
bonsai.compressed.ply | 10,113,188 | 43.12 (37.41) | 0.9910 | 27.83, lost 0.13
"""
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
the scene from the training cameras beside it, from `--cameras`, or from virtual ones, and rounds so
that those views change least: entries, steps and constant terms, opacities, and in a SOG rotations
and scales too (`--views 0`: to the nearest, in half the time or less). In Python:

```python
from gscompress.importance.scores import sight
from gscompress.render import get_renderer
seen = sight(scene, cameras, get_renderer("cpu"))
gscompress.save(scene, "scene.sog", settings={{"sightings": seen}})
```

`--mode mip` says that a scene was trained with antialiasing, where its file cannot.

## Against their own writers

PSNR in dB against renders of the input, in brackets that of the worst view; at held-out cameras
(demo, bonsai: 6) or virtual ones that no writer knows (4 of the statue, else 6). demo has 19,000
Gaussians, bonsai 165,000, the statue 289,444, all of degree 3; bonsai's cameras have half their
size. Files are read by the decoder of the program that wrote them, those of bonsai and the statue
as SOG by ours. The statue is a SOG of version 1 itself: what lay on levels and in palettes can come
back exactly.

```sh
tools/bench exchange scenes/demo.ply --cameras scenes/cameras.json --max-views 6 --slow
tools/bench exchange bonsai/point_cloud.ply --max-views 6 --scale 0.5
tools/bench exchange statue.ply --max-views 4 --scale 0.5
tools/bench exchange small/biker.spz --max-views 6 --scale 0.5
```

SPZ version 4, against Niantic's own library (@adobe/spz); gaussforge and splat-transform write
files of the same size and quality at 5/4 bits, gsply at 8/8. "Seen" is what `gscompress convert`
does; it rounds to the nearest where that would be larger: on the statue the same 45 numbers occur
again and again, until they are fitted to cameras.

{spz}

At 5/4 bits Niantic's library rounds twice, to 1/128 and then to the step, which happens to suit the
statue better than rounding once.

SOG, every writer at its default, palettes of up to 65536 entries:

{sog}

splat-transform 3.7.0 takes hours for bonsai and the statue on a CPU: its search for the nearest
entries takes 3,089 and 4,943 CPU seconds for one of its ten iterations, going by a sample of the
points. The rows are of a copy with all ten iterations in which another exact search stands for its
own; in brackets what its own would take. A million Gaussians of degree 3 (248 MB of PLY) are a SOG
of 12,330,661 bytes after 62 s on two cores, the look from 32 virtual cameras included:
`gscompress convert million.ply million.sog`.

## Six files of one scene

`gscompress compare point_cloud.ply ... --cameras cameras.json -o report.html` of bonsai: two
presets and what `gscompress convert` writes. Against renders of the input at every second test
camera, and against the photos of every sixth with `--images` (where the input has 27.96 dB):

{compared}

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
        means=rng.normal(size=(n, 3)).astype(np.float32),
        quats=rng.normal(size=(n, 4)).astype(np.float32),
        log_scales=rng.uniform(-5, 0, (n, 3)).astype(np.float32),
        opacity_logits=rng.normal(size=n).astype(np.float32),
        sh=rng.uniform(-0.9, 0.9, (n, (degree + 1) ** 2, 3)).astype(np.float32),
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


def cells(rows: str) -> list[list[str]]:
    """Those of a table that is written down here."""
    return [[cell.strip() for cell in row.split("|")] for row in rows.strip().splitlines()]


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
    pair = ["Bytes", "PSNR, dB (worst)"]
    headings = ["Scene", "SH bits", "Seen, bytes", pair[1], "Nearest, bytes", "PSNR, dB"]
    spz = table([*headings, "Niantic's, bytes", pair[1]], cells(SPZ_ROWS))
    sog = table(["Scene", "Writer", *pair, "CPU s"], cells(SOG_ROWS))
    compared = table(["File", *pair, "SSIM", "PSNR on photos, dB"], cells(COMPARED_ROWS))
    tables = {"spz": spz, "sog": sog, "compared": compared}
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
