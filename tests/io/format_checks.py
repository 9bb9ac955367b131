"""What the tests of the quantised formats share: scenes, comparisons, damaged files."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gscompress.codecs.guidance import Sightings
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians, Mode
from gscompress.io.base import Format

EYES = np.array([[6, 0, 1], [5, 3, 0], [-1, 6, 2]], np.float32)
"""Where cameras stand that look at such a scene."""


def make_scene(n: int, degree: int = 0, mode: Mode = "default", seed: int = 0) -> Gaussians:
    """A scene that is within the ranges of every format."""
    rng = np.random.default_rng(seed)
    sh = rng.normal(0, 0.2, (n, (degree + 1) ** 2, 3)).clip(-0.9, 0.9)
    sh[:, 0] = rng.uniform(-1.7, 1.7, (n, 3))
    return Gaussians(
        means=rng.normal(0, 4, (n, 3)),
        quats=rng.normal(size=(n, 4)) * rng.uniform(0.1, 10, (n, 1)),
        log_scales=rng.uniform(-9, 2, (n, 3)),
        opacity_logits=rng.normal(0, 3, n),
        sh=sh,
        mode=mode,
    )


def seen(scene: Gaussians, seed: int = 0) -> Sightings:
    """Each Gaussian from two of three cameras, or one."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 20, (len(scene), 3))
    weights[np.arange(len(scene)), rng.integers(3, size=len(scene))] = 0
    return Sightings.of(EYES, weights)


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles between rotations [N, 4], in degrees."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    b = np.where(np.sum(a * b, axis=1, keepdims=True) < 0, -b, b)
    return np.degrees(4 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=1) / 2, 0, 1)))


def turns(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles between ellipsoids, in degrees: half a turn about one of its axes changes none."""
    w, x, y, z = b.T
    same = [
        b,
        np.stack([-x, w, z, -y], 1),
        np.stack([-y, -z, w, x], 1),
        np.stack([-z, y, -x, w], 1),
    ]
    return np.min([angles(a, quats) for quats in same], axis=0)


def matching(scene: Gaussians, back: Gaussians) -> np.ndarray:  # [N]
    """The order of ``scene`` in ``back``, by the nearest position; each is used once."""
    from scipy.spatial import cKDTree

    _, index = cKDTree(scene.means).query(back.means)
    assert len(np.unique(index)) == len(scene) == len(back)
    return np.asarray(index)


def matched(scene: Gaussians, back: Gaussians) -> Gaussians:
    """``scene`` in the order of ``back``."""
    return scene.select(matching(scene, back))


def differences(a: Gaussians, b: Gaussians) -> dict[str, float]:
    """The largest differences, in units in which formats are precise."""
    assert a.sh.shape == b.sh.shape
    assert a.mode == b.mode

    def most(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.abs(x.astype(np.float64) - y).max(initial=0))

    return {
        "means": most(a.means, b.means),
        "log_scales": most(a.log_scales, b.log_scales),
        "degrees": float(turns(a.quats, b.quats).max(initial=0)),
        "opacities": most(a.opacities, b.opacities),
        "dc": most(a.sh[:, 0], b.sh[:, 0]),
        "sh": most(a.sh[:, 1:], b.sh[:, 1:]),
    }


def assert_within(a: Gaussians, b: Gaussians, **bounds: float) -> None:
    """Every attribute of two scenes agrees; ``bounds`` as `differences` names them."""
    found = differences(a, b)
    assert set(bounds) == set(found)
    worse = {name: (found[name], bound) for name, bound in bounds.items() if found[name] > bound}
    assert not worse, f"(found, bound): {worse}"


def mutations(data: bytes, count: int, seed: int) -> list[bytes]:
    """Damaged copies: bits flipped, ranges overwritten, bytes removed or inserted, cut short."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        copy = bytearray(data)
        # Half of the damage goes to the head, which is where the decisions are made.
        span = len(copy) if number % 2 else min(len(copy), 200)
        at = int(rng.integers(span))
        kind = int(rng.integers(6))
        if kind == 0:
            copy[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            copy[at : at + 4] = bytes([int(rng.choice([0, 1, 127, 128, 255]))]) * 4
        elif kind == 2:
            copy[at : at + 8] = rng.bytes(8)
        elif kind == 3:
            del copy[at : at + int(rng.integers(1, 100))]
        elif kind == 4:
            copy[at:at] = rng.bytes(int(rng.integers(1, 100)))
        else:
            del copy[at:]
        made.append(bytes(copy))
    return made


def fuzz(
    reader: Format,
    path: Path,
    files: list[bytes],
    *,
    seconds: float = 2.0,
    most_bytes: int = 350 << 20,
) -> Counter[str]:
    """Read damaged files: each is a valid scene or an InputError, in bounded time and memory."""
    outcomes: Counter[str] = Counter()
    tracemalloc.start()
    try:
        for number, data in enumerate(files):
            path.write_bytes(data)
            tracemalloc.reset_peak()
            started = time.process_time()
            text = read_or_refuse(reader, path)
            assert text is None or str(path) in text
            outcomes["read" if text is None else "refused"] += 1
            assert time.process_time() - started < seconds, f"file {number} took too long"
            peak = tracemalloc.get_traced_memory()[1]
            assert peak < most_bytes, f"file {number} took {peak >> 20} MB"
    finally:
        tracemalloc.stop()
    return outcomes


def read_or_refuse(reader: Format, path: Path) -> str | None:
    """The text of the InputError, if there is one; otherwise the scene read is valid."""
    try:
        scene = reader.load(path)
    except InputError as error:
        return str(error)
    scene.validate()
    return None


def refused(load: Callable[[], object], *parts: str) -> None:
    """An InputError is raised whose text has all ``parts``."""
    with pytest.raises(InputError) as caught:
        load()
    for part in parts:
        assert part in str(caught.value), str(caught.value)
