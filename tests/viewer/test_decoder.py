"""The browser's decoder gives the bits of the native one, and refuses what that one refuses."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import gscompress as gs
from gscompress.codecs import CODECS
from gscompress.codecs.octree import Octree
from gscompress.codecs.rvq import RVQ
from gscompress.codecs.svq import SVQ
from gscompress.codecs.vectree import VecTree
from gscompress.config import load_config
from gscompress.entropy.base import Symbols
from gscompress.entropy.mix import Mix
from gscompress.entropy.rans import Rans
from gscompress.entropy.zstd import Zstd
from gscompress.errors import GscompressError
from tests.checks import digest, make_scene
from tests.entropy.test_rans_golden import cases as frozen_cases

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
FLOAT = "refused for an integer that is written as a float"


def digests() -> dict[str, str]:
    return dict(line.split() for line in (GOLDEN / "digests.txt").read_text().splitlines())


def test_golden_files(node):
    frozen = digests()
    answers = node([{"file": str(GOLDEN / name)} for name in frozen])
    assert len(frozen) >= 4
    assert {n: a.get("digest", a) for n, a in zip(frozen, answers, strict=True)} == frozen


def test_every_coder_and_degree(node, tmp_path):
    """Each coder and preset, small and empty scenes, every degree, mode and number of levels."""
    expected = {}
    for preset, coder, degree, mode, count, levels in [
        ("fast", Rans("adaptive"), 3, "mip", 150, ()),
        ("fast", Rans("binary"), 1, "2dgs", 150, (0.1, 0.2, 0.6)),
        ("fast", Rans("smallest"), 4, "default", 60, (0.3,)),
        ("fast", Zstd(3), 3, "default", 150, (0.3,)),
        ("fast", Mix(), 3, "default", 400, (0.05, 0.2)),
        ("balanced", Mix(), 1, "default", 200, (0.2,)),
        ("lossless", Rans("static"), 1, "default", 80, ()),
        ("lossless", Zstd(), 0, "default", 80, (0.2, 0.4)),
        ("lossless", Mix(), 2, "default", 150, (0.2, 0.4)),
        ("fast", Mix(), 0, "default", 1, (0.2,)),
        ("fast", Rans(), 2, "default", 2, ()),
        ("fast", Mix(), 2, "default", 0, ()),
        ("lossless", Mix(), 1, "default", 0, (0.2,)),
        ("lossless", Mix(), 1, "default", 1, ()),
    ]:
        config = load_config(preset, stages="none")
        config = dataclasses.replace(config, entropy=coder, levels=levels)
        path = tmp_path / f"{len(expected)}.gsz"
        gs.compress(make_scene(count, degree, 3, mode), config, device="cpu").save(path)
        expected[path] = digest(gs.decompress(path))
    answers = node([{"file": str(path)} for path in expected])
    assert [answer.get("digest", answer) for answer in answers] == list(expected.values())


def configured(preset, coder=None, levels=(), **codecs):
    """A preset with other codecs."""
    config = load_config(preset, stages="none")
    return dataclasses.replace(
        config,
        attributes={**config.attributes, **codecs},
        entropy=coder or config.entropy,
        levels=levels,
    )


def test_octree(node, tmp_path):
    """From coarse grids, where cells hold many Gaussians, to the finest one; any levels."""
    expected = {}
    for bits, coder, count, levels in [
        (4, Mix(), 500, (0.2,)),
        (10, Rans(), 1500, (0.01, 0.1, 0.5)),
        (16, Mix(), 400, ()),
        (21, Zstd(3), 300, (0.1, 0.5)),
        (14, Mix(), 1, ()),
        (14, Mix(), 0, (0.2,)),
    ]:
        config = configured("fast", coder, levels, means=Octree(bits))
        path = tmp_path / f"{len(expected)}.gsz"
        gs.compress(make_scene(count, 0, 3), config, device="cpu").save(path)
        expected[path] = digest(gs.decompress(path))
    answers = node([{"file": str(path)} for path in expected])
    assert [answer.get("digest", answer) for answer in answers] == list(expected.values())


def test_vectree(node, tmp_path):
    """Words with and without the constant term, few or many, for none, some or all Gaussians."""
    expected = {}
    for codec, coder, count, degree, levels in [
        (VecTree(codebook=40), Mix(), 300, 3, (0.1, 0.4)),
        (VecTree(codebook=3, joint=False, adapt=2), Rans(), 200, 2, (0.3,)),
        (VecTree(codebook=1, keep_exact=0), Mix(), 100, 1, (0.3,)),
        (VecTree(codebook=300, keep_exact=1, split="error"), Zstd(3), 60, 1, ()),
        (VecTree(codebook=17, joint=False), Mix(), 60, 0, (0.3,)),
        (VecTree(codebook=5), Rans(), 60, 0, ()),
        (VecTree(), Mix(), 1, 1, ()),
        (VecTree(), Mix(), 0, 2, (0.2,)),
    ]:
        config = configured("fast", coder, levels, means=Octree(14), sh=codec)
        path = tmp_path / f"{len(expected)}.gsz"
        gs.compress(make_scene(count, degree, 3), config, device="cpu").save(path)
        expected[path] = digest(gs.decompress(path))
    answers = node([{"file": str(path)} for path in expected])
    assert [answer.get("digest", answer) for answer in answers] == list(expected.values())


def test_svq_and_rvq(node, tmp_path):
    """Sums of words, from turned pieces too."""
    expected = {}
    for scales, quats, sh, coder, count, levels in [
        (SVQ(1, 64), SVQ(2, 50), SVQ(5, 9, klt=True), Mix(), 200, (0.1, 0.4)),
        (RVQ(6, 8, canonical=True), RVQ(2, 30, canonical=True), RVQ(2, 20), Rans(), 150, (0.3,)),
        (SVQ(3, 1), SVQ(3, 5, klt=True), RVQ(1, 1), Zstd(3), 100, ()),
        (RVQ(), SVQ(), SVQ(), Mix(), 1, ()),
        (RVQ(), SVQ(), RVQ(), Mix(), 0, ()),
    ]:
        config = configured("fast", coder, levels, scales=scales, quats=quats, sh=sh)
        path = tmp_path / f"{len(expected)}.gsz"
        gs.compress(make_scene(count, 1, 3), config, device="cpu").save(path)
        expected[path] = digest(gs.decompress(path))
    answers = node([{"file": str(path)} for path in expected])
    assert [answer.get("digest", answer) for answer in answers] == list(expected.values())


def container_at(path, container):
    path.write_bytes(container.to_bytes())
    return path


def test_frozen_rans_streams(node):
    streams = json.loads((GOLDEN / "rans.json").read_text())
    cases, expected = [], []
    for name, (values, contexts) in frozen_cases().items():
        for model in ("static", "adaptive", "binary"):
            data = bytes.fromhex(streams.pop(f"{name} {model}"))
            listed = None if contexts is None else contexts.tolist()
            cases.append(stream_case("rans", data, len(values), listed))
            expected.append(values.tolist())
    assert streams == {}
    assert [answer.get("values", answer) for answer in node(cases)] == expected


@pytest.mark.parametrize(
    "coder", [Mix(), Zstd(3), *map(Rans, ("static", "adaptive", "binary"))], ids=str
)
def test_symbols_of_all_sizes(node, coder):
    rng = np.random.default_rng(4)
    name = type(coder).__name__.lower()
    cases, expected = [], []
    for count in (0, 1, 5, 2500):
        for spread in (0.3, 4, 900, 2e8):
            values = np.clip(rng.normal(0, spread, count), -(2**31), 2**31 - 1).astype(np.int32)
            for contexts in (None, rng.integers(0, 40, count).astype(np.uint16)):
                data = coder.encode(Symbols(values, contexts))
                listed = None if contexts is None else contexts.tolist()
                cases.append(stream_case(name, data, count, listed))
                expected.append(values.tolist())
    assert [answer.get("values", answer) for answer in node(cases)] == expected


def stream_case(coder, data, count, contexts):
    encoded = base64.b64encode(data).decode()
    return {"coder": coder, "data": encoded, "count": count, "contexts": contexts}


@pytest.fixture(scope="module")
def mutation():
    """The damages of tools/fuzz."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from fuzzing.mutate import mutation
    finally:
        sys.path.remove(str(ROOT / "tools"))
    return mutation


def test_damaged_files(node, mutation, tmp_path):
    """Whatever the native decoder gives or refuses, so does this one, and with a typed error.

    But for integers that are written as floats, 2.0: JavaScript does not tell them apart.
    Mutations that the index's checksums would catch have their checksums mended.
    """
    cases, expected = [], []
    for name, config in {
        "balanced": configured("balanced", levels=(0.1, 0.4)),
        "fast": configured("fast", levels=(0.1, 0.4)),
        "lossless": configured("lossless", levels=(0.1, 0.4)),
        "octree": configured("fast", levels=(0.1, 0.4), means=Octree(9)),
        "vectree": configured("fast", Mix(), levels=(0.1, 0.4), sh=VecTree(codebook=20)),
        "svq and rvq": configured(
            "fast", Mix(), levels=(0.1, 0.4), scales=SVQ(1, 20), quats=RVQ(2, 9), sh=SVQ(5, 4)
        ),
    }.items():
        data = gs.compress(make_scene(150, 1), config, device="cpu").to_bytes()
        for number in range(50):
            path = tmp_path / f"{name}-{number}.gsz"
            path.write_bytes(mutation("gsz", data, 5, number))
            cases.append({"file": str(path)})
            expected.append(outcome(path))
    answers = node(cases)
    assert [answer for answer in answers if "defect" in answer] == []
    wrong = {
        case["file"]: (answer, native)
        for case, answer, native in zip(cases, answers, expected, strict=True)
        if answer.get("digest") != native and native != FLOAT
    }
    assert wrong == {}
    assert expected.count(None) > 50
    assert expected.count(FLOAT) < 5
    assert len(expected) - expected.count(None) - expected.count(FLOAT) > 5


def outcome(path):
    """The digest of a file, None if it is refused, FLOAT if only for how a number is written."""
    try:
        with np.errstate(all="ignore"):  # numbers that no encoder writes may overflow
            return digest(gs.decompress(path))
    except GscompressError as error:
        return FLOAT if re.search(r"the float \S+\.0, expected integer", str(error)) else None


def test_an_unknown_codec_is_named(node, tmp_path):
    path = tmp_path / "other.gsz"
    container = gs.compress(make_scene(20, 0), "fast", device="cpu").container
    container.header["config"]["entropy"] = {"use": "torchac"}
    path.write_bytes(container.to_bytes())
    (answer,) = node([{"file": str(path)}])
    assert answer["error"] == (
        "header, 'entropy': found the coder \"torchac\", "
        "expected one that the browser knows: mix, rans, zstd"
    )


def test_every_codec_is_known_and_others_are_named(node, tmp_path):
    container = gs.compress(
        make_scene(20, 0), load_config("balanced", stages="none"), device="cpu"
    ).container
    tables = container.header["config"]["attributes"]
    paths = []
    for group, table in tables.items():
        use, table["use"] = table["use"], "a-plugin"
        paths.append(container_at(tmp_path / group, container))
        table["use"] = use
    known = set()
    for group, answer in zip(tables, node([{"file": str(path)} for path in paths]), strict=True):
        said, _, names = answer["error"].partition(" one that the browser knows: ")
        assert said == f"header, '{group}': found the codec \"a-plugin\", expected"
        known.update(names.split(", "))
    assert known == set(CODECS.names())
