"""What the browser's decoder accepts of a header is what the native one does."""

from __future__ import annotations

import dataclasses
import json
import struct
import typing
import zlib
from typing import Any

import pytest

import gscompress as gs
from gscompress.codecs import CODECS
from gscompress.config import component, load_config
from gscompress.entropy import CODERS
from gscompress.entropy.mix import Mix
from gscompress.entropy.rans import Rans
from gscompress.entropy.zstd import Zstd
from gscompress.errors import ConfigError, GscompressError
from tests.checks import make_scene

GROUPS = {
    "means": ("morton", "octree", "exact"),
    "importance": ("classes",),
    "opacities": ("arcsine", "exact"),
    "scales": ("log", "svq", "rvq", "exact"),
    "quats": ("rotation24", "svq", "rvq", "exact"),
    "sh": ("ycocg", "vectree", "svq", "rvq", "exact"),
}
NUMBERS = (
    -1, 0, 1, 2, 3, 4, 8, 9, 16, 17, 21, 22, 23, 64, 65, 75, 76, 256, 257, 4096, 4097, 65536, 65537,
    2**31, -(2**31), -0.5, 0.5, 0.51, 0.75, 0.999, 1.001, 1.5, 5e-324, 1e308, -1e-300,
)  # fmt: skip
OTHERS = (True, False, None, "", "x", "importance", "error", "static", "weight_sum", [], [1], {})
VALUES = (
    -1, 0, 1, 30, 31, 2**31, 2**53, 0.5, None, True, "mip", "linear", "2dgs", "srgb", "x", [], [30],
    [10, 30], [30, 30], [-1, 30], [0, 30], ["30"], list(range(14, 31)), {},
)  # fmt: skip
MEMORY = 300e6  # 130e6 to 180e6, as garbage is collected
SECONDS = 30


def native(group: str, table: dict[str, Any]) -> bool:
    """Whether the native decoder accepts a component of the header."""
    try:
        component(CODERS if group == "entropy" else CODECS, table, group)
    except ConfigError:
        return False
    return True


def tables() -> list[tuple[str, dict[str, Any]]]:
    """Every component that the browser knows, with every field set to all sorts of values."""
    found: list[tuple[str, dict[str, Any]]] = []
    listed = [(group, use) for group, uses in GROUPS.items() for use in uses]
    for group, use in [*listed, *(("entropy", use) for use in ("mix", "rans", "zstd"))]:
        cls = (CODERS if group == "entropy" else CODECS).get(use)
        found += [(group, {"use": use}), (group, {"use": use, "other": 1})]
        for field in dataclasses.fields(cls):
            whole = typing.get_type_hints(cls)[field.name] is int
            for value in (*NUMBERS, *OTHERS):
                # 1.0 is an integer in JavaScript, which cannot see that it was written as a float.
                if not (whole and isinstance(value, float) and value.is_integer()):
                    found.append((group, {"use": use, field.name: value}))
    return found


def test_every_field_of_every_component(node):
    cases = tables()
    expected = [native(group, table) for group, table in cases]
    answers = node([{"component": group, "table": table} for group, table in cases])
    wrong = [
        (case, answer)
        for case, accepted, answer in zip(cases, expected, answers, strict=True)
        if answer.get("accepted", False) != accepted or "defect" in answer
    ]
    assert wrong == []
    assert len(cases) > 1500
    assert 100 < sum(expected) < len(cases) - 500


@pytest.fixture(scope="module")
def container():
    return gs.compress(make_scene(30, 1), "fast", device="cpu").container


def with_header(tmp_path, container, name, text):
    """The file with other bytes as its header."""
    data = container.to_bytes()
    stored, _, index, _ = struct.unpack_from("<4I", data, 8)
    rest = data[24 + stored :]
    head = data[:5] + b"\0" + data[6:8] + struct.pack("<3I", len(text), len(text), index)
    crc = zlib.crc32(text + rest[:index], zlib.crc32(head))
    path = tmp_path / f"{name}.gsz"
    path.write_bytes(head + struct.pack("<I", crc) + text + rest)
    return path


def accepted(path) -> bool:
    try:
        gs.decompress(path)
    except GscompressError:
        return False
    return True


def test_every_field_of_the_header(node, tmp_path, container):
    """Counts, levels, degree, mode and colour space; and JSON that is not quite JSON."""
    good = container.header
    texts = [json.dumps(good)]
    for key in ("gaussians", "levels", "sh_degree", "mode", "colour_space", "config"):
        texts.append(json.dumps({k: v for k, v in good.items() if k != key}))
        texts += [json.dumps({**good, key: value}) for value in VALUES]
    plain = json.dumps(good)
    texts += [
        plain.replace("{", '{"sh_degree": 1, ', 1),
        plain.replace("{", '{"note": 1e999, ', 1),
        plain.replace("{", '{"note": -1e999, ', 1),
        plain.replace("{", '{"note": [1, {"a": 1, "a": 2}], ', 1),
        plain.replace("{", '{"note": [{"a": 1}, {"a": "\\u0061"}], ', 1),
        plain.replace("{", '{"note": {"a": 1, "\\u0061": 2}, ', 1),
        plain.replace("{", '{"note": "a\\": 1, \\"a", "a": "b:", ', 1),
        plain.replace("{", '{"note": 123456789012345678901, ', 1),
        plain.replace("{", '{"note": 12345678901234567890, ', 1),
        plain.replace("{", '{"note": "\\ud800", ', 1),
        plain.replace("{", '{"\\udc00": 1, ', 1),
        plain.replace("{", '{"note": "\\ud83d\\ude00", ', 1),
        plain.replace("{", '{"note": NaN, ', 1),
        plain.replace("{", '{"note": "a\nb", ', 1),
        plain.replace("{", '{"note": ' + "[" * 31 + "]" * 31 + ", ", 1),
        plain.replace("{", '{"note": ' + "[" * 32 + "]" * 32 + ", ", 1),
        "\ufeff" + plain,
        plain + " ",
        plain + "x",
        "[]",
        "",
    ]
    paths = [with_header(tmp_path, container, n, text.encode()) for n, text in enumerate(texts)]
    answers = node([{"file": str(path)} for path in paths])
    expected = [accepted(path) for path in paths]
    wrong = [
        (text, answer)
        for text, accept, answer in zip(texts, expected, answers, strict=True)
        if ("digest" in answer) != accept or "defect" in answer
    ]
    assert wrong == []
    assert sum(expected) >= 12


def hostile(tmp_path) -> list[Any]:
    """Small files that claim all that the rules allow, for each coder; and empty streams."""
    paths = []
    for coder in (Mix(), Rans("static"), Rans("adaptive"), Rans("binary"), Zstd(3)):
        for preset in ("fast", "lossless"):
            config = dataclasses.replace(load_config(preset), entropy=coder)
            made = gs.compress(make_scene(40, 1), config, device="cpu").container
            size = sum(map(len, made.chunks.values()))
            for degree in (0, 4):
                most = 256 * size + (1 << 16)
                header = {**made.header, "gaussians": most, "levels": [most], "sh_degree": degree}
                for chunks in (made.chunks, dict.fromkeys(made.chunks, b"")):
                    given = dataclasses.replace(made, header=header, chunks=chunks)
                    path = tmp_path / f"{len(paths)}.gsz"
                    path.write_bytes(given.to_bytes())
                    paths.append(path)
    return paths


def test_small_files_that_claim_much(node, tmp_path):
    """They are refused, with a typed error, in little time and memory."""
    paths = hostile(tmp_path)
    *answers, peak = node([*({"file": str(path)} for path in paths), {"peak": True}])
    assert [answer for answer in answers if "error" not in answer] == []
    assert peak["bytes"] < MEMORY
    assert peak["seconds"] < SECONDS
    assert not any(accepted(path) for path in paths)
