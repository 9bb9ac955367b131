"""The fuzz tool sees what it has to see, and a short run of it finds nothing."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

import gscompress
from gscompress.container import Container
from gscompress.errors import CorruptFileError
from gscompress.gaussians import Gaussians
from tests.io.test_ksplat import spell_out
from tests.stream.clips import write_clip

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def fuzzing():
    """The modules of the tool."""
    sys.path.insert(0, str(TOOLS))
    path = list(sys.path)
    try:
        names = ("mutate", "pool", "worker")
        yield {name: importlib.import_module(f"fuzzing.{name}") for name in names}
    finally:
        sys.path[:] = [entry for entry in path if entry != str(TOOLS)]


def scene(n=60):
    rng = np.random.default_rng(0)

    def values(*shape):
        return rng.normal(size=shape).astype(np.float32)

    return Gaussians(
        values(n, 3), values(n, 4), values(n, 3), values(n), values(n, 4, 3), "default"
    )


def file_of(mode, folder):
    if mode == "stream":
        write_clip(folder / "clip", 3, 2)
        return folder / "clip" / "manifest.json"
    file = folder / f"scene.{mode.removesuffix('-folder')}"
    if mode == "gsz":
        gscompress.compress(scene(), "fast").save(file)
    elif mode == "ksplat":
        file.write_bytes(spell_out(scene(), 1))
    else:
        gscompress.save(scene(), file)
    return file


@pytest.mark.parametrize("mode", ["ply", "gsz", "stream", "sog", "sog-folder", "gltf"])
def test_mutations_are_reproducible_and_different(fuzzing, tmp_path, mode):
    data = fuzzing["mutate"].subject(mode, file_of(mode, tmp_path))
    mutation = fuzzing["mutate"].mutation
    first = [mutation(mode, data, 1, k) for k in range(60)]
    assert first == [mutation(mode, data, 1, k) for k in range(60)]
    assert len(set(first)) > 50
    assert first[:5] != [mutation(mode, data, 2, k) for k in range(5)]


def test_most_mutations_of_a_gsz_pass_its_checksums(fuzzing, tmp_path):
    data = file_of("gsz", tmp_path).read_bytes()
    whole = 0
    for k in range(100):
        damaged = fuzzing["mutate"].mutation("gsz", data, 0, k)
        try:
            Container.from_bytes(damaged)
        except gscompress.errors.InputError:
            continue
        whole += damaged != data
    assert whole > 60


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("fine", "read"),
        ("typed", "CorruptFileError"),
        ("untyped", "untyped IndexError"),
        ("exit", "untyped SystemExit"),
        ("slow", "slow"),
        ("memory", "memory"),
    ],
)
def test_each_outcome_is_seen(fuzzing, tmp_path, kind, expected):
    def read(path):
        if kind == "typed":
            raise CorruptFileError(path, found="damage")
        if kind == "untyped":
            return [][1]
        if kind == "exit":
            raise SystemExit(0)
        started = time.process_time()
        while kind == "slow" and time.process_time() - started < 0.3:
            pass
        return np.ones((256 if kind == "memory" else 1) << 17)

    seen = fuzzing["worker"]._outcome(read, tmp_path, 0.2 if kind == "slow" else 10, 32 << 20)
    assert seen["outcome"] == expected
    failed = fuzzing["pool"].Outcome(0, **seen).failed
    assert failed == (expected not in ("read", "CorruptFileError"))


def test_a_dead_child_is_a_crash_and_the_rest_goes_on(fuzzing, tmp_path, monkeypatch):
    class Dying:
        def __init__(self, _mode, _file, _seed, first, last):
            self.first, self.last = first, last

        def messages(self):
            for number in range(self.first, self.last):
                yield {"start": number}
                if number == 3:
                    return
                yield {"number": number, "outcome": "read", "detail": ""}

        def ending(self):
            return "crash", "SIGSEGV"

    pool = fuzzing["pool"]
    monkeypatch.setattr(pool, "_Child", Dying)
    results = sorted(pool.run_all("ply", tmp_path, 0, 6, 1), key=lambda r: r.number)
    assert [r.outcome for r in results] == ["read"] * 3 + ["crash"] + ["read"] * 2
    assert [r.failed for r in results] == [False] * 3 + [True] + [False] * 2


def test_most_mutations_of_a_clip_pass_its_checksums(fuzzing, tmp_path):
    """What is said about them is not that a hash is wrong, but what is wrong inside."""
    data = fuzzing["mutate"].subject("stream", file_of("stream", tmp_path))
    read = importlib.import_module("fuzzing.clips").read_packed
    target = tmp_path / "clip.stream"
    inside = 0
    for k in range(100):
        target.write_bytes(fuzzing["mutate"].mutation("stream", data, 0, k))
        try:
            read(target)
        except gscompress.errors.InputError as error:
            inside += error.field not in ("sha256", "length", "CRC-32") and "gs" in error.where
        else:
            inside += 1
    assert inside > 50


@pytest.mark.parametrize("mode", ["sog", "sog-folder"])
def test_most_mutations_of_a_sog_are_within_its_files(fuzzing, tmp_path, mode):
    """A zip stays one whose checksums are right."""
    mutate = fuzzing["mutate"]
    data = mutate.subject(mode, file_of(mode, tmp_path))
    unpacked = importlib.import_module("fuzzing.sogs")._unzipped
    whole = 0
    for k in range(60):
        damaged = mutate.mutation(mode, data, 0, k)
        try:
            files = unpacked(damaged) if mode == "sog" else msgspec.msgpack.decode(damaged)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            continue
        whole += damaged != data and files is not None
    assert whole > 35


@pytest.mark.parametrize("mode", ["ply", "gsz", "stream"])
def test_a_short_run_finds_nothing(tmp_path, mode):
    command = [sys.executable, TOOLS / "fuzz.py", mode, file_of(mode, tmp_path), "-n", "150"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["failures"] == []
    assert done.returncode == 0
    assert sum(report["outcomes"].values()) == 150
    assert report["outcomes"]["InputError" if mode == "ply" else "CorruptFileError"] > 70


@pytest.mark.parametrize("mode", ["ksplat", "glb", "gltf", "sog", "sog-folder"])
def test_a_few_damaged_files_of_others_find_nothing(fuzzing, tmp_path, mode):
    """Without a process of their own, which takes longer than they do."""
    worker, mutate = fuzzing["worker"], fuzzing["mutate"]
    data = mutate.subject(mode, file_of(mode, tmp_path))
    read, target = worker.reader(mode), tmp_path / f"damaged.{mode}"
    target.write_bytes(data)
    assert worker._outcome(read, target, 10, 1 << 30)["outcome"] == "read"
    outcomes = []
    for number in range(60):
        target.write_bytes(mutate.mutation(mode, data, 0, number))
        outcomes.append(worker._outcome(read, target, 3, 64 << 20)["outcome"])
    assert set(outcomes) == {"read", "InputError"}
    assert outcomes.count("InputError") > 5
