"""Clips as one piece of data, so that they are damaged and kept like files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from gscompress.errors import GscompressError
from gscompress.stream.clip import Clip
from gscompress.stream.manifest import MANIFEST, Manifest
from gscompress.stream.segment import Frame, Paths, Segment

__all__ = ["clip_changed", "pack", "read_packed"]

_CRC = struct.Struct("<I")
_CRC_AT, _CRC_FROM = 6, 10
Change = Callable[[bytes, random.Random], bytes]


def pack(manifest: Path) -> bytes:
    """A clip's manifest and segments."""
    files = {segment.url: segment for segment in Manifest.read(manifest).segments()}
    names = [MANIFEST, *files]
    return msgspec.msgpack.encode({n: (manifest.parent / n).read_bytes() for n in names})


def read_packed(path: Path) -> int:
    """Decode all frames of a packed clip."""
    folder = path.parent / "clip"
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in msgspec.msgpack.decode(path.read_bytes(), type=dict[str, bytes]).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return sum(len(frame) for frame in Clip.open(folder).frames())


def clip_changed(
    data: bytes, rng: random.Random, bytes_changed: Change, chunk_changed: Change, values: Change
) -> bytes:
    """A packed clip with its manifest or a segment damaged; mostly, checksums are right.

    Args:
        data: The packed clip.
        rng: Where chance comes from.
        bytes_changed: Damages any bytes.
        chunk_changed: Damages a key frame behind its checksums.
        values: Damages JSON.
    """
    files = msgspec.msgpack.decode(data, type=dict[str, bytes])
    keys = [name for name in files if name.endswith(".gsz")]
    others = [name for name in files if name.endswith(".gsr")] or keys
    way = rng.randrange(10)
    if way == 0:
        files[MANIFEST] = bytes_changed(files[MANIFEST], rng)
    elif way <= 2:
        files[MANIFEST] = values(files[MANIFEST], rng)
    elif way == 3:
        name = rng.choice([*keys, *others])
        files[name] = bytes_changed(files[name], rng)
    elif way == 4:
        _replace(files, {(name := rng.choice(keys)): chunk_changed(files[name], rng)})
    elif way == 5:
        one, other = rng.choice([*keys, *others]), rng.choice(others)
        _replace(files, {one: files[other], other: files[one]})
    elif way <= 7:
        name = rng.choice(others)
        _replace(files, {name: _with_crc(bytes_changed(files[name], rng))})
    else:
        name = rng.choice(others)
        _replace(files, {name: _segment_changed(files[name], rng, bytes_changed)})
    return msgspec.msgpack.encode(files)


def _replace(files: dict[str, bytes], changed: dict[str, bytes]) -> None:
    """Exchange segments, and let the manifest say so."""
    files.update(changed)
    document: dict[str, Any] = json.loads(files[MANIFEST])
    for group in document["groups"]:
        for segment in group["segments"]:
            data = files[segment["url"]]
            segment["bytes"], segment["sha256"] = len(data), hashlib.sha256(data).hexdigest()
    document["bytes"] = sum(s["bytes"] for group in document["groups"] for s in group["segments"])
    files[MANIFEST] = json.dumps(document).encode()


def _with_crc(data: bytes) -> bytes:
    """A residual segment with the right checksum."""
    if len(data) < _CRC_FROM:
        return data
    return data[:_CRC_AT] + _CRC.pack(zlib.crc32(data[_CRC_FROM:])) + data[_CRC_FROM:]


def _segment_changed(data: bytes, rng: random.Random, bytes_changed: Change) -> bytes:
    """A field, or a frame, of a residual segment exchanged; lengths and checksum are right."""
    try:
        segment = Segment.from_bytes(data)
    except GscompressError:
        return _with_crc(bytes_changed(data, rng))
    frames = list(segment.frames)
    at = rng.randrange(len(frames))
    frame = frames[at]
    way = rng.randrange(8)
    if segment.paths is not None and rng.random() < 0.5:
        return _with_paths_changed(segment, segment.paths, rng, bytes_changed)
    if way == 0:
        kind: Any = rng.choice(["residual", "trajectory", "latent", "run"])
        return dataclasses.replace(segment, kind=kind).to_bytes()
    if way == 1:
        slots = rng.choice([0, segment.slots + 1, segment.slots - 1, 2**31, 2**32 - 1])
        return dataclasses.replace(segment, slots=slots & 0xFFFFFFFF).to_bytes()
    if way == 2:
        steps = list(segment.steps.by_group)
        steps[rng.randrange(len(steps))] = rng.choice([0.0, -1.0, 1e-30, 1e30, 2.0**-60, 2.0**20])
        new = dataclasses.replace(segment.steps, by_group=tuple(steps))
        return dataclasses.replace(segment, steps=new).to_bytes()
    if way == 3:
        frames[at] = Frame(frame.changes, bytes_changed(frame.turnover or b"\0\0", rng))
    elif way == 4:
        frames.insert(at, rng.choice(frames))
    elif way == 5:
        frames[at] = Frame(b"", rng.choice([None, b"\0\0", b"\1\0\0", b"\0\1\0", b"\0\2\0\0"]))
    else:
        frames[at] = Frame(bytes_changed(frame.changes, rng), frame.turnover)
    return dataclasses.replace(segment, frames=tuple(frames)).to_bytes()


def _with_paths_changed(
    segment: Segment, paths: Paths, rng: random.Random, bytes_changed: Change
) -> bytes:
    """A run whose words or coefficients are damaged, missing or exchanged."""
    blocks, words = list(paths.coefficients), paths.words
    way = rng.randrange(5)
    if way == 0 and blocks:
        at = rng.randrange(len(blocks))
        blocks[at] = bytes_changed(blocks[at], rng)
    elif way == 1 and blocks:
        blocks.insert(rng.randrange(len(blocks)), rng.choice([b"", rng.choice(blocks)]))
    elif way == 2:
        words = rng.choice([b"", b"\0", b"\1", b"\2", b"\1" + words[1:], b"\0" + words[1:]])
    else:
        head = bytearray(words)
        for _ in range(rng.randrange(1, 3)):  # mostly where books are told of
            if head:
                head[min(int(rng.expovariate(0.1)), len(head) - 1)] ^= rng.randrange(1, 256)
        words = bytes(head)
    return dataclasses.replace(segment, paths=Paths(tuple(blocks), words)).to_bytes()
