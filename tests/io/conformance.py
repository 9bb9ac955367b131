"""What is checked between our formats and other implementations, and how closely.

Used by the tests and by the tool that writes the table in docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gscompress.gaussians import SH_C0, Gaussians
from gscompress.io import load, save
from tests.io.format_checks import assert_within, differences, make_scene, matched
from tests.io.implementations import Implementation, all_implementations

COUNT = 700
ANY = float("inf")

EXACT = {
    "means": 2e-5,
    "log_scales": 2e-5,
    "degrees": 0.02,
    "opacities": 5e-5,  # some clamp the logits of 0 and 255 to +-10
    "dc": 2e-5,
    "sh": 2e-5,
}
"""Two readers of one file: they agree but for rounding of float32."""


class Kind(NamedTuple):
    """A format, or a variant of it.

    Attributes:
        ending: Of its files.
        axes: In which its files are read for comparison.
        settings: Of our writer; None where we only read.
        steps: How far what is read may be from what was written: one step of the format, where
            others truncate.
    """

    ending: str
    axes: str
    settings: Mapping[str, Any] | None
    steps: Mapping[str, float]


_FLOAT = {"means": 0, "log_scales": 2e-6, "degrees": 1e-3, "opacities": 2e-7, "dc": 0, "sh": 0}
_BYTES = {"opacities": 1 / 255 + 1e-6, "dc": 1 / 255 / SH_C0 + 1e-6}
_SPZ = {
    "means": 1 / 4096,
    "log_scales": 1 / 16,
    "degrees": 0.6,
    "opacities": 1 / 255 + 1e-6,
    "dc": 1 / 255 / 0.15 + 1e-6,
    "sh": 1 / 8,
}
_PACKED = {"means": 0.03, "log_scales": 0.012, "degrees": 0.3, "dc": 0.015, "sh": 1 / 32}
_HALF = {"means": 8e-5, "log_scales": 1e-3, "degrees": 0.06, "sh": 1e-3}
# What codebooks lose is the writer's affair: there is no step.
_SOG = {"means": 2e-3, "log_scales": ANY, "degrees": 2.2, "dc": ANY, "sh": ANY}

KINDS = {
    "ply": Kind("ply", "RDF", {}, _FLOAT),
    "spz 3": Kind("spz", "RDF", {"version": 3, "axes": "RDF"}, _SPZ),
    "spz 4": Kind("spz", "RDF", {"version": 4, "axes": "RDF"}, _SPZ),
    "compressed.ply": Kind("compressed.ply", "RDF", {}, _BYTES | _PACKED),
    "splat": Kind("splat", "RDF", {}, _FLOAT | _BYTES | {"degrees": 1.6}),
    "ksplat": Kind("ksplat", "RDF", None, _FLOAT | _BYTES),
    "ksplat 1": Kind("ksplat", "RDF", None, _BYTES | _HALF),
    "ksplat 2": Kind("ksplat", "RDF", None, _BYTES | _HALF | {"sh": 3 / 255}),
    "sog": Kind("sog", "RDF", {}, _BYTES | _SOG),
    "glb": Kind("glb", "LUF", {}, _FLOAT),
    "usd": Kind("usdc", "RUB", {}, _FLOAT),
}

DEGREE_0_ONLY = {"splat"}

REAL_FILES = {
    "small/biker.spz": "spz 3",
    "small/biker.compressed.ply": "compressed.ply",
    "small/guitar.compressed.ply": "compressed.ply",
    "statue_sog_v1/meta.json": "sog 1",
}


class Pair(NamedTuple):
    """One thing to check."""

    other: Implementation
    kind: str
    verb: str  # what the other does
    degree: int

    def __str__(self) -> str:
        return f"{self.other.name} {self.verb}s {self.kind}, degree {self.degree}"


def pairs() -> Iterator[Pair]:
    """All that is checked, whether the other implementation is here or not."""
    for other in all_implementations():
        for verb, kinds in (("read", other.reads), ("write", other.writes)):
            for kind in kinds:
                if kind not in KINDS or (verb == "read" and KINDS[kind].settings is None):
                    continue  # files that we do not write are read along with the next kind
                for degree in other.degrees(kind, verb):
                    if degree == 0 or kind not in DEGREE_0_ONLY:
                        yield Pair(other, kind, verb, degree)


def check(pair: Pair, folder: Path) -> dict[str, float]:
    """Largest differences; an AssertionError where they are too large."""
    kind = KINDS[pair.kind]
    path = folder / f"a.{kind.ending}"
    scene = make_scene(COUNT, pair.degree)
    if pair.verb == "read":
        assert kind.settings is not None
        save(scene, path, settings=kind.settings)
        return _same(pair, load_stored(path, kind), path)
    pair.other.writes[pair.kind](scene.replace(quats=scene.unit_quats), path)
    ours = load_stored(path, kind)
    if pair.kind == "glb":  # which splat-transform writes in the axes of glTF
        ours = load(path)
    for reader in _readers(pair):
        _same(pair._replace(other=reader), ours, path)
    found = differences(matched(scene, ours), ours)
    worse = {name: value for name, value in found.items() if value > kind.steps[name]}
    assert not worse, f"{pair}: {worse}, at most {kind.steps}"
    return {name: value for name, value in found.items() if kind.steps[name] < ANY}


def _readers(pair: Pair) -> list[Implementation]:
    """Who reads what another wrote: itself, or else whoever can."""
    name = pair.kind.split()[0] if pair.kind.startswith("ksplat") else pair.kind
    if pair.kind in pair.other.reads:
        return [pair.other]
    if pair.kind == "glb":  # whose axes only we turn
        return []
    able = [other for other in all_implementations() if name in other.reads and not other.missing]
    return [other for other in able if pair.degree in other.degrees(name, "read")]


def load_stored(path: Path, kind: Kind) -> Gaussians:
    """What we read, in the file's own axes."""
    return load(path, axes="RDF" if kind.axes != "RDF" or kind.ending == "spz" else None)


def _same(pair: Pair, ours: Gaussians, path: Path) -> dict[str, float]:
    bounds = EXACT | dict(pair.other.looser.get(pair.kind, {}))
    name = "ksplat" if pair.kind.startswith("ksplat") else pair.kind
    theirs = pair.other.reads[name](path)
    assert_within(theirs, ours, **bounds)
    return differences(theirs, ours)


def check_real(other: Implementation, name: str, folder: Path, data: Path) -> dict[str, float]:
    """A file that another tool made, read by us and by a third."""
    kind = REAL_FILES[name]
    source = data / name
    ours = load(source, axes="RDF")
    if other.name != "gsply":  # which reads files only, the others leave some beside them
        copy = folder / f"copy.{KINDS[kind].ending}"
        copy.write_bytes(source.read_bytes())
        source = copy
    theirs = other.reads[kind](source)
    bounds = EXACT | dict(other.looser.get(kind, {}))
    assert len(theirs) == len(ours)
    if not np.allclose(theirs.means, ours.means, atol=bounds["means"]):
        theirs = matched(theirs, ours)
    assert_within(theirs, ours, **bounds)
    return differences(theirs, ours)


def real_pairs() -> Iterator[tuple[Implementation, str]]:
    """Which implementation reads which real file."""
    for other in all_implementations():
        for name, kind in REAL_FILES.items():
            if kind in other.reads:
                yield other, name
