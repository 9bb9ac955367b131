"""Files spelled out by hand; files of the format's own tools are in test_conformance.py."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gscompress.gaussians import Gaussians
from gscompress.io import detect_format, load, save
from gscompress.io.ksplat import KsplatFormat
from tests.io.format_checks import assert_within, fuzz, make_scene, mutations, refused

BLOCK = 6.0
STEPS = 32767


def header(sections: int, count: int, level: int, sh_range: tuple[float, float]) -> bytes:
    head = struct.pack(
        "<BBxxIIIIHxx3fff", 0, 1, sections, sections, count, count, level, 0, 0, 0, *sh_range
    )
    return head.ljust(4096, b"\0")


def section(count: int, room: int, buckets: int, full: int, partial: int, degree: int) -> bytes:
    fields = (count, room, 4, buckets, BLOCK, 12, STEPS, 0, full, partial, degree)
    return struct.pack("<IIIIfHxxIIIIH", *fields).ljust(1024, b"\0")


def rows(scene: Gaussians, level: int, centres: np.ndarray, sh_range: tuple[float, float]) -> bytes:
    """Row by row; ``centres`` [N, 3] are those of each one's bucket."""
    out = b""
    number = "<f4" if level == 0 else "<f2"
    for i in range(len(scene)):
        if level == 0:
            out += scene.means[i].astype("<f4").tobytes()
        else:
            steps = np.round((scene.means[i] - centres[i]) / (BLOCK / 2 / STEPS)) + STEPS
            out += steps.astype("<u2").tobytes()
        out += np.exp(scene.log_scales[i]).astype(number).tobytes()
        out += scene.unit_quats[i].astype(number).tobytes()
        colour = np.clip(scene.sh[i, 0] * 0.28209479 + 0.5, 0, 1)
        out += bytes(np.round([*(colour * 255), scene.opacities[i] * 255]).astype(int).tolist())
        for band in range(1, scene.sh_degree + 1):
            part = scene.sh[i, band * band : (band + 1) ** 2].T  # channel by channel
            if level < 2:
                out += part.astype(number).tobytes()
            else:
                low, high = sh_range
                out += np.round((part - low) / (high - low) * 255).astype(np.uint8).tobytes()
    return out


def spell_out(
    scene: Gaussians, level: int = 0, sh_range: tuple[float, float] = (0.0, 0.0), spare: int = 0
) -> bytes:
    """One section; from level 1 on, buckets of 4, the last two not full."""
    n = len(scene)
    full = (n - 5) // 4 if level else 0
    lengths = [3, n - 4 * full - 3] if level else []
    bucket = np.repeat(np.arange(full + len(lengths)), [4] * full + lengths) if level else []
    centres = np.array([scene.means[bucket == b].mean(axis=0) for b in range(full + len(lengths))])
    own = centres[bucket] if level else scene.means
    out = header(1, n, level, sh_range)
    out += section(n, n + spare, len(centres), full, len(lengths), scene.sh_degree)
    out += np.array(lengths, "<u4").tobytes() + centres.astype("<f4").tobytes()
    data = rows(scene, level, own, sh_range if any(sh_range) else (-1.5, 1.5))
    return out + data + bytes(len(data) // n * spare)


def small(n: int, degree: int) -> Gaussians:
    """Near enough to each other for one bucket, and large enough for float16."""
    scene = make_scene(n, degree)
    log_scales = scene.log_scales.clip(-5, 2)
    return scene.replace(means=(scene.means / 12).clip(-1, 1), log_scales=log_scales)


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("level", range(3))
def test_reads_every_level(tmp_path: Path, level: int, degree: int) -> None:
    scene = small(21, degree)
    sh_range = (-1.0, 2.0) if degree == 2 else (0.0, 0.0)
    path = tmp_path / "a.ksplat"
    path.write_bytes(spell_out(scene, level, sh_range, spare=3))
    assert detect_format(path).id == "ksplat"
    half = [1e-6, 6e-4, 6e-4][level]
    assert_within(
        scene,
        load(path),
        means=BLOCK / 2 / STEPS if level else 0.0,
        log_scales=half,
        degrees=0.06 if level else 1e-3,
        opacities=0.5 / 255 + 1e-6,
        dc=0.5 / 255 / 0.28 + 1e-6,
        sh=[0, 5e-4, 1.5 / 255 + 1e-6][level],
    )


def test_joins_sections(tmp_path: Path) -> None:
    a, b = small(8, 2), small(9, 1)
    parts = [spell_out(a), spell_out(b)]
    heads = [part[4096:5120] for part in parts]
    data = header(3, 17, 0, (0.0, 0.0)) + heads[0] + heads[1] + section(0, 0, 0, 0, 0, 0)
    (tmp_path / "a.ksplat").write_bytes(data + parts[0][5120:] + parts[1][5120:])
    scene = load(tmp_path / "a.ksplat")
    assert np.array_equal(scene.means, np.concatenate([a.means, b.means]))
    assert np.array_equal(scene.sh[8:, 1:4], b.sh[:, 1:4])
    assert (scene.sh[8:, 4:] == 0).all()


def test_is_not_written(tmp_path: Path) -> None:
    refused(lambda: save(make_scene(3), tmp_path / "a.ksplat"), "a format that is written", ".spz")


def word(at: int, value: int, width: int = 4) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[at : at + width] = value.to_bytes(width, "little")

    return change


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (word(0, 1, 1), ["version 1.1"]),
        (word(1, 0, 1), ["version 0.0"]),
        (word(20, 3, 2), ["level 3"]),
        (word(4, 0), ["no sections"]),
        (word(4, 10**9), ["1000000000 sections"]),
        (word(4096, 50), ["section 0", "50 of 21"]),
        (word(4100, 10**9), ["section 0", "at most"]),
        (word(4104, 0), ["section 0", "buckets of 0"]),
        (word(4108, 10**9), ["section 0"]),
        (word(4116, 11, 2), ["buckets of 11"]),
        (word(4128, 10**9), ["section 0"]),
        (word(4136, 4, 2), ["SH degree 4"]),
        (word(5120, 1), ["6 buckets"]),
        (lambda data: data.__delitem__(slice(4000, None)), ["4000 bytes"]),
        (lambda data: data.__delitem__(slice(-1, None)), ["section 0"]),
    ],
)
def test_refuses_wrong_headers(tmp_path: Path, change: Any, parts: list[str]) -> None:
    data = bytearray(spell_out(small(21, 1), 1))
    change(data)
    path = tmp_path / "a.ksplat"
    path.write_bytes(bytes(data))
    refused(lambda: load(path), "a.ksplat", *parts)


def test_refuses_wrong_numbers(tmp_path: Path) -> None:
    scene = small(10, 1)
    path = tmp_path / "a.ksplat"
    row = 5120 + 80 * 3
    for at, value, text in (
        (row + 4, np.nan, "means, row 3"),
        (row + 12, -1.0, "scale, row 3"),
        (row + 44, np.inf, "sh, row 3"),
    ):
        data = bytearray(spell_out(scene))
        data[at : at + 4] = struct.pack("<f", value)
        path.write_bytes(bytes(data))
        refused(lambda: load(path), "a.ksplat", text)
    data = bytearray(spell_out(scene))
    data[row + 24 : row + 40] = bytes(16)
    path.write_bytes(bytes(data))
    refused(lambda: load(path), "quats, row 3", "length 0")


def test_damaged_files(tmp_path: Path) -> None:
    damaged = []
    for level in range(3):
        damaged += mutations(spell_out(small(21, 1), level), 100, level)
        cut = spell_out(small(21, 1), level)
        damaged += [cut[:4096] + part for part in mutations(cut[4096:], 100, level)]
    outcomes = fuzz(KsplatFormat(), tmp_path / "a.ksplat", damaged)
    assert outcomes["refused"] > 100
    assert outcomes["read"] > 100
