"""Ways to damage a file. Mutation ``number`` of a file and a seed is always the same."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzing.clips import clip_changed, pack
from fuzzing.sogs import pack_folder, sog_changed
from gscompress.container import Container
from gscompress.errors import GscompressError

__all__ = ["mutation", "subject"]

NUMBERS = [0, 1, -1, 2, 3, 7, 16, 255, 65535, 65536, 10**6, 2**31 - 1, 2**31, 2**32, 2**53, 2**63]
OTHERS: list[Any] = [
    "", "x", None, True, [], {}, -1, 0.5, 1e308, -1e-308, "0" * 1000, [[]], "../a", "nan",
]  # fmt: skip
PLY_WORDS = [
    b"ply", b"format", b"ascii 1.0", b"binary_little_endian 1.0", b"binary_big_endian 1.0",
    b"element vertex", b"element face", b"property", b"list uchar int", b"float", b"double",
    b"uchar", b"int", b"end_header", b"comment", b"x", b"opacity", b"f_rest_0", b"rot_0",
    b"0", b"-1", b"1", b"4294967296", b"99999999999999999999", b"1e9", b"nan", b"\n", b"\r\n",
    b"\xff",
]  # fmt: skip


def subject(mode: str, file: Path) -> bytes:
    """The data that is damaged: a file or, of a clip or folder, all that its manifest names."""
    if mode == "stream":
        return pack(file)
    return pack_folder(file) if mode == "sog-folder" else file.read_bytes()


def mutation(mode: str, data: bytes, seed: int, number: int) -> bytes:
    """Damaged ``data``."""
    rng = random.Random(f"{mode} {seed} {number}")
    ways: list[Callable[[bytes, random.Random], bytes]]
    if mode == "gsz":
        ways = [bytes_changed, chunk_changed, chunk_changed, chunk_changed, header_changed]
    elif mode == "ply":
        ways = [bytes_changed, ply_header_changed, ply_header_changed, ply_body_changed]
    elif mode == "stream":
        return clip_changed(data, rng, bytes_changed, chunk_changed, json_changed)
    elif mode == "sog-folder" or (mode == "sog" and rng.random() < 0.8):
        return sog_changed(data, rng, bytes_changed, json_changed)
    elif mode in ("glb", "gltf"):
        ways = [bytes_changed, json_changed, json_changed, json_changed]
    else:
        ways = [bytes_changed, bytes_changed, words_changed]
    return rng.choice(ways)(data, rng)


def bytes_changed(data: bytes, rng: random.Random) -> bytes:
    """Bits flipped, bytes set, or a piece cut out, doubled, put in or cut off."""
    if not data:
        return rng.randbytes(rng.randrange(20))
    out = bytearray(data)
    at = rng.randrange(len(out))
    if rng.random() < 0.5:
        at = rng.randrange(min(len(out), 64))  # heads are where lengths are
    size = rng.choice([1, 1, 2, 4, 8, 100])
    way = rng.randrange(7)
    if way == 0:
        out[at] ^= 1 << rng.randrange(8)
    elif way == 1:
        for _ in range(rng.randrange(1, 20)):
            out[rng.randrange(len(out))] = rng.randrange(256)
    elif way == 2:
        out[at : at + size] = rng.choice([b"\0", b"\xff", b"\x80", b"\x7f"]) * size
    elif way == 3:
        del out[at : at + size]
    elif way == 4:
        out[at:at] = rng.randbytes(size)
    elif way == 5:
        out[at:at] = out[at : at + rng.randrange(1, 2000)]
    else:
        del out[at:]
    return bytes(out)


def chunk_changed(data: bytes, rng: random.Random) -> bytes:
    """One chunk damaged, removed, emptied, renamed or exchanged; checksums are right."""
    container = _container(data)
    if container is None or not container.chunks:
        return bytes_changed(data, rng)
    chunks = dict(container.chunks)
    name, other = rng.choice(list(chunks)), rng.choice(list(chunks))
    way = rng.randrange(12)
    if way == 0:
        del chunks[name]
    elif way == 1:
        chunks[name] = b""
    elif way == 2:
        chunks[name], chunks[other] = chunks[other], chunks[name]
    elif way == 3:
        chunks[name + "x"] = chunks.pop(name)
    elif way == 4:
        chunks[name] = rng.randbytes(rng.randrange(1, 300))
    else:
        chunks[name] = bytes_changed(chunks[name], rng)
    return Container(container.header, chunks).to_bytes()


def header_changed(data: bytes, rng: random.Random) -> bytes:
    """A value of the header exchanged for another, removed or moved; checksums are right."""
    container = _container(data)
    if container is None:
        return bytes_changed(data, rng)
    header = json.loads(json.dumps(container.header))
    _values_changed(header, rng)
    return Container(header, dict(container.chunks)).to_bytes()


def json_changed(data: bytes, rng: random.Random) -> bytes:
    """A value of JSON, or of that of a .glb, exchanged or removed; lengths are right."""
    binary = data.startswith(b"glTF")
    size = struct.unpack_from("<I", data, 12)[0] if binary and len(data) >= 20 else len(data)
    start = 20 if binary else 0
    try:
        document = json.loads(data[start : start + size])
    except ValueError:
        return bytes_changed(data, rng)
    _values_changed(document, rng)
    text = json.dumps(document).encode()
    if not binary:
        return text
    text += b" " * (-len(text) % 4)
    rest = data[start + size :]
    head = struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON")
    return head + text + rest


def words_changed(data: bytes, rng: random.Random) -> bytes:
    """Numbers of 16 or 32 bits, in the head or anywhere, exchanged for others."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        width = rng.choice([2, 4])
        span = rng.choice([64, 5000, len(out)])
        at = rng.randrange(max(1, min(len(out), span) // width)) * width
        value = rng.choice([*NUMBERS, rng.getrandbits(32)]) & ((1 << 8 * width) - 1)
        out[at : at + width] = value.to_bytes(width, "little")
    return bytes(out)


def ply_header_changed(data: bytes, rng: random.Random) -> bytes:
    """A word or line of the header exchanged, doubled, removed or put in."""
    head, mark, body = data.partition(b"end_header\n")
    lines = (head + mark).split(b"\n")
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(lines))
        words = lines[at].split(b" ")
        way = rng.randrange(6)
        if way == 0:
            del lines[at]
        elif way == 1:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif way == 2:
            lines.insert(at, rng.choice(PLY_WORDS) + b" " + rng.choice(PLY_WORDS))
        else:
            words[rng.randrange(len(words))] = rng.choice(PLY_WORDS)
            lines[at] = b" ".join(words)
        if not lines:
            lines = [b""]
    return b"\n".join(lines) + body


def ply_body_changed(data: bytes, rng: random.Random) -> bytes:
    """Bytes behind the header changed."""
    head, mark, body = data.partition(b"end_header\n")
    return head + mark + bytes_changed(body, rng)


def _values_changed(document: Any, rng: random.Random) -> None:
    """Some values of nested lists and objects exchanged for others, or removed."""
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        places = list(_places(document))
        if not places:
            break
        holder, key = rng.choice(places)
        old = holder[key]
        if rng.random() < 0.1:
            del holder[key]
        elif isinstance(old, int | float) and not isinstance(old, bool) and rng.random() < 0.7:
            holder[key] = rng.choice([*NUMBERS, old + 1, old - 1, old * 2, -old, float(old)])
        else:
            holder[key] = rng.choice([*OTHERS, *NUMBERS])


def _container(data: bytes) -> Container | None:
    try:
        return Container.from_bytes(data)
    except GscompressError:
        return None


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (holder, key) in nested lists and objects."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    places = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            places += _places(value[key])
    return places
