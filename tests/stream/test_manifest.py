"""Manifests: what is written is read again, and what makes no sense is refused by its name."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from gscompress.errors import CorruptFileError, GscompressError, InputError
from gscompress.stream.manifest import Group, Manifest, Segment

SHA = hashlib.sha256(b"").hexdigest()


def segment(number: int, first: int, kind: Any = "residual", frames: int = 1) -> Segment:
    ending = "gsz" if kind == "key" else "gsr"
    return Segment(f"a/{number:06d}.{ending}", kind, first, frames, 100 + number, SHA)


def manifest(**changes: Any) -> Manifest:
    """Two groups of 4 and 3 frames."""
    groups = (
        Group(0, 4, (segment(0, 0, "key"), segment(1, 1), segment(2, 2, "trajectory", 2))),
        Group(4, 3, (segment(3, 4, "key"), segment(4, 5, "latent", 2))),
    )
    fields = {"fps": 29.97, "sh_degree": 1, "gaussians": 50, "groups": groups}
    return Manifest(**(fields | changes))


def document() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(manifest(provenance={"version": "1"}).to_json())
    return content


def test_what_is_written_is_read(tmp_path: Path) -> None:
    made = manifest(mode="mip", color_space="linear", complete=False, provenance={"a": [1, "é"]})
    assert Manifest.from_json(made.to_json()) == made
    path = made.write(tmp_path)
    assert path == tmp_path / "manifest.json"
    assert Manifest.read(path) == Manifest.read(tmp_path) == made
    assert made.write(tmp_path) == path  # a live clip replaces its manifest
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]


def test_the_json_is_that_of_the_contract() -> None:
    content = document()
    assert list(content) == [
        "format", "version", "fps", "frames", "sh_degree", "mode", "color_space", "gaussians",
        "bytes", "groups", "complete", "provenance",
    ]  # fmt: skip
    assert (content["format"], content["version"]) == ("gscompress clip", 1)
    assert (content["frames"], content["bytes"]) == (7, 510)
    assert content["groups"][1]["segments"][0] == {
        "url": "a/000003.gsz", "kind": "key", "first": 4, "frames": 1, "bytes": 103, "sha256": SHA,
    }  # fmt: skip


def test_groups_are_found() -> None:
    made = manifest()
    assert [made.group_index(n) for n in range(7)] == [0, 0, 0, 0, 1, 1, 1]
    assert made.seconds == 7 / 29.97
    for frame in (-1, 7):
        with pytest.raises(InputError, match=rf"^frame {frame}: .*expected 0 to 6$"):
            made.group_index(frame)


def test_a_live_clip_may_be_empty() -> None:
    empty = manifest(groups=(), complete=False)
    assert Manifest.from_json(empty.to_json()).frames == 0
    with pytest.raises(InputError, match="no frames yet"):
        empty.group_index(0)


def change(path: str, value: Any) -> bytes:
    """The document with one value exchanged; None removes it."""
    content = document()
    place: Any = content
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in way:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("path", "value", "field", "found", "expected"),
    [
        ("format", "x", "format", "'x'", "'gscompress clip'"),
        ("version", 0, "version", "0", "1"),
        ("version", "1", "version", "`str`", "`int`"),
        ("fps", None, "", "object missing required field `fps`", ""),
        ("fps", 0, "fps", "expected `float` > 0.0", ""),
        ("fps", 1001, "fps", "expected `float` <= 1000.0", ""),
        ("fps", True, "fps", "`bool`", "`float`"),
        ("frames", 8, "frames", "8", "7, their sum"),
        ("bytes", 511, "bytes", "511", "510, their sum"),
        ("sh_degree", 5, "sh_degree", "expected `int` <= 4", ""),
        ("mode", "3dgs", "mode", "invalid enum value '3dgs'", ""),
        ("color_space", "hsv", "color_space", "invalid enum value 'hsv'", ""),
        ("complete", 1, "complete", "`int`", "`bool`"),
        ("extra", 1, "", "object contains unknown field `extra`", ""),
        ("groups", [], "groups", "none", "one, being complete"),
        ("groups.1", 7, "groups[1]", "`int`", "`object`"),
        ("groups.1.first", 5, "groups[1].first", "5", "4"),
        ("groups.0.frames", 3, "groups[0].frames", "3", "4"),
        ("groups.0.segments", [], "groups[0].segments", "expected `array` of length >= 1", ""),
        ("groups.0.extra", 1, "groups[0]", "object contains unknown field `extra`", ""),
        ("groups.1.segments.0.kind", "residual", "groups[1].segments[0].kind", "residual", "key,"),
        ("groups.0.segments.1.kind", "key", "groups[0].segments[1].kind", "key", "residual,"),
        ("groups.0.segments.1.kind", "x", "groups[0].segments[1].kind", "invalid enum", ""),
        ("groups.0.segments.0.frames", 2, "groups[0].segments[0].frames", "2", "1"),
        ("groups.0.segments.1.first", 2, "groups[0].segments[1].first", "2", "1"),
        ("groups.0.segments.1.frames", 2, "groups[0].segments[2].first", "2", "3"),
        ("groups.0.segments.1.frames", 0, "groups[0].segments[1].frames", "expected `int` >=", ""),
        ("groups.0.segments.1.bytes", 0, "groups[0].segments[1].bytes", "expected `int` >= 1", ""),
        ("groups.0.segments.1.bytes", 1e300, "groups[0].segments[1].bytes", "`float`", "`int`"),
        ("groups.0.segments.1.bytes", 10**30, "groups[0].segments[1].bytes", "", ""),
        ("groups.0.segments.1.sha256", SHA.upper(), "groups[0].segments[1].sha256", "", ""),
        ("groups.0.segments.1.sha256", SHA + "\n", "groups[0].segments[1].sha256", "", ""),
        ("groups.1.segments.1.url", "a/000001.gsr", "groups[1].segments[1].url", "'a/000001", ""),
        ("groups.1.segments.1.url", "manifest.json", "groups[1].segments[1].url", "", ""),
        ("provenance", [], "provenance", "list", "a JSON object"),
        ("provenance", {"a": "\ud800"}, "", "", "the JSON of a clip"),
    ],
)  # fmt: skip
def test_errors_name_the_field(
    path: str, value: Any, field: str, found: str, expected: str
) -> None:
    with pytest.raises(CorruptFileError) as error:
        Manifest.from_json(change(path, value), "clip/manifest.json")
    assert error.value.where == "clip/manifest.json"
    assert error.value.field == field
    assert error.value.found.startswith(found)
    assert error.value.expected.startswith(expected)


@pytest.mark.parametrize(
    "url",
    [
        "", ".", "..", "../a.gsz", "a/../../b.gsz", "/etc/passwd", "//host/a", "a//b", "a/", "./a",
        "http://host/a.gsz", "file:a", "c:a", "a\\b", "..\\a", ".hidden", "a/.b", "a b", "a%2e",
        "a?b", "a#b", "a\0", "a\n", "é.gsz", "a" * 256, "%2e%2e/a", "-rf",
    ],
)  # fmt: skip
def test_addresses_lead_nowhere_else(url: str) -> None:
    with pytest.raises(CorruptFileError) as error:
        Manifest.from_json(change("groups.0.segments.1.url", url))
    assert error.value.field == "groups[0].segments[1].url"


def test_newer_versions_ask_for_an_upgrade() -> None:
    content = document() | {"version": 2, "new": True}
    with pytest.raises(InputError, match="upgrade") as error:
        Manifest.from_json(json.dumps(content).encode())
    assert error.value.field == "version"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"null", b"[]", b"\xff\xfe", b"{}", b'{"format": 1}', b"[" * 100_000,
        b'{"format":"gscompress clip","version":1,"provenance":' + b"[" * 100_000,
        b'{"format":"gscompress clip","version":1,"groups":[' + b"0," * 100_000 + b"0]}",
        b" " * (1 << 26) + b"{}",
    ],
    ids=lambda data: f"{data[:8]!r}, {len(data)} bytes",
)  # fmt: skip
def test_what_is_no_manifest(data: bytes) -> None:
    with pytest.raises(CorruptFileError):
        Manifest.from_json(data)


def test_provenance_is_bounded() -> None:
    for odd in ("[" * 40 + "]" * 40, '"' + "x" * (1 << 20) + '"', "1e999", '{"a":1,"a":2}'):
        data = manifest(provenance={"x": 0}).to_json().replace(b'"x":0', b'"x":' + odd.encode())
        with pytest.raises(CorruptFileError) as error:
            Manifest.from_json(data)
        assert error.value.field == "provenance"


def test_only_what_can_be_read_is_written() -> None:
    for wrong in (
        {"fps": 0.0},
        {"sh_degree": 9},
        {"groups": (Group(1, 1, (segment(0, 1, "key"),)),)},
        {"groups": (Group(0, 1, (Segment("../a", "key", 0, 1, 1, SHA),)),)},
    ):
        with pytest.raises(CorruptFileError):
            manifest(**wrong).to_json()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Manifest.read(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        Manifest.read(tmp_path / "manifest.json")


VALUES = [None, True, 0, 1, -1, 2, 7, 2**31, 2**63, 2**70, 0.5, 1e308, "", "x", "..", [], {}, [[]]]


def places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def test_500_mutations_are_read_or_refused_by_name() -> None:
    rng = random.Random(6)
    refused = 0
    for _ in range(500):
        content = document()
        for _ in range(rng.choice([1, 1, 2])):
            holder, key = rng.choice(places(content))
            if rng.random() < 0.2:
                del holder[key]
            else:
                holder[key] = rng.choice(VALUES)
        data = bytearray(json.dumps(content).encode())
        if rng.random() < 0.3:
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            made = Manifest.from_json(bytes(data), "m.json")
        except GscompressError as error:
            assert str(error).startswith("m.json")  # noqa: PT017
            refused += 1
        else:
            assert Manifest.from_json(made.to_json()) == made
    assert refused > 400
