from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from gscompress.container import MAGIC, Container, Index
from gscompress.errors import CorruptFileError, InputError

HEADER = {"count": 3, "mode": "default", "config": {"bits": 14, "steps": [0.5, 1e-3]}, "name": "é"}
CHUNKS = {"means": b"abcdef", "sh": b"", "quats": bytes(range(256))}

# Frozen: a file of version 1, which every later version must read.
GOLDEN = (
    "8947535a010002000b0000000b00000013000000c44ce26f"
    "7b22636f756e74223a337d"
    "056d65616e73029242ccb6"
    "0273680000000000"
    "0102"
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


def sealed(header=b'{"a":1}', index=b"", chunks=b"", *, count=0, flags=0, text=None, version=1):
    """A container with a right CRC around parts that need not be right."""
    size = len(header) if text is None else text
    head = struct.pack("<4sBBHIII", MAGIC, version, flags, count, len(header), size, len(index))
    crc = zlib.crc32(head + header + index)
    return head + struct.pack("<I", crc) + header + index + chunks


def entry(name=b"x", length=b"\x01", data=b"a"):
    return bytes([len(name)]) + name + length + struct.pack("<I", zlib.crc32(data))


@settings(max_examples=100, deadline=None)
@given(
    header=st.dictionaries(st.text(max_size=8), json_values, max_size=5),
    chunks=st.dictionaries(names, st.binary(max_size=200), max_size=5),
)
def test_round_trip(header, chunks):
    container = Container(header, chunks)
    back = Container.from_bytes(container.to_bytes())
    assert back == container
    assert list(back.chunks) == list(chunks)


def test_file_round_trip_and_lazy_index(tmp_path):
    path = tmp_path / "scene.gsz"
    size = Container(HEADER, CHUNKS).write(path)
    assert path.stat().st_size == size
    assert Container.read(path) == Container(HEADER, CHUNKS)
    index = Index.read(path)
    assert index.header == HEADER
    assert {name: e.length for name, e in index.entries.items()} == {
        name: len(data) for name, data in CHUNKS.items()
    }
    assert [p.name for p in tmp_path.iterdir()] == ["scene.gsz"]
    with path.open("rb") as file:
        assert index.read_chunk(file, "quats") == CHUNKS["quats"]
        with pytest.raises(CorruptFileError, match="'colour'"):
            index.read_chunk(file, "colour")


def test_index_does_not_read_the_chunks(tmp_path):
    path = tmp_path / "scene.gsz"
    Container(HEADER, {"a": b"x" * 1000}).write(path)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert Index.read(path).entries["a"].length == 1000
    with pytest.raises(CorruptFileError, match=r"scene\.gsz: chunk 'a': found CRC"):
        Container.read(path)


def test_framing_is_small():
    chunks = dict.fromkeys(("means", "opacities", "scales", "quats", "sh"), b"")
    assert len(Container({}, chunks).to_bytes()) < 90


def test_a_long_header_is_compressed():
    header = {"config": {f"field{k}": "value" for k in range(200)}}
    data = Container(header, {}).to_bytes()
    assert len(data) < len(json.dumps(header)) // 3
    assert Container.from_bytes(data).header == header


def test_every_truncation_and_extension_is_noticed():
    data = Container(HEADER, CHUNKS).to_bytes()
    for size in range(len(data)):
        with pytest.raises(CorruptFileError):
            Container.from_bytes(data[:size])
    with pytest.raises(CorruptFileError, match="1 bytes after the last chunk"):
        Container.from_bytes(data + b"\0")


def test_every_bit_flip_is_noticed():
    data = Container(HEADER, CHUNKS).to_bytes()
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            with pytest.raises(InputError):
                Container.from_bytes(bytes(damaged))


def test_newer_version_says_to_upgrade():
    with pytest.raises(InputError, match=r"new\.gsz: version: found 2.*upgrade"):
        Container.from_bytes(sealed(version=2), "new.gsz")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Container.read(tmp_path / "none.gsz")
    with pytest.raises(InputError, match="a directory"):
        Container.read(tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        b"[]", b"1", b"", b"{", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e999}',
        b'{"a":1,"a":2}', b'{"a":' + b"9" * 5000 + b"}", b'{"a":"\xff"}', b'{"a":"\\ud800"}',
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", b'{"a":' * 100_000, b"[" * 1_000_000,
        b'"\\' * 500_000, b'{"a":1}x',
    ],
    ids=lambda h: repr(h[:16]),
)  # fmt: skip
def test_bad_headers(header):
    with pytest.raises(CorruptFileError, match="header"):
        Container.from_bytes(sealed(header))


def test_header_bomb():
    bomb = zstandard.ZstdCompressor(level=19).compress(b" " * (1 << 28))
    with pytest.raises(CorruptFileError):
        Container.from_bytes(sealed(bomb, flags=1, text=100))
    with pytest.raises(CorruptFileError, match=r"268435456 bytes, expected \d+ at most"):
        Container.from_bytes(sealed(bomb, flags=1, text=1 << 28))
    with pytest.raises(CorruptFileError):
        Container.from_bytes(sealed(b"no frame", flags=1))


@pytest.mark.parametrize(
    ("index", "count", "chunks", "message"),
    [
        (entry() + entry(), 2, b"aa", "two of that name"),
        (entry(length=b"\x05"), 1, b"a", "1 bytes left in the file"),
        (entry(length=b"\xff" * 8 + b"\x7f"), 1, b"a", "bytes left in the file"),
        (entry(length=b"\xff" * 12 + b"\x01"), 1, b"a", "damaged"),
        (entry(), 1, b"ab", "1 bytes after the last chunk"),
        (entry() + b"z", 1, b"a", "1 bytes left over"),
        (entry(), 2, b"a", "entry 1 is damaged"),
        (entry(), 65535, b"a", "entry 1 is damaged"),
        (entry(name=b""), 1, b"a", "entry 0 is damaged"),
        (entry(name=b"\xff\xfe"), 1, b"a", "entry 0 is damaged"),
        (entry()[:-1], 1, b"a", "entry 0 is damaged"),
        (b"\xff" + entry()[1:], 1, b"a", "entry 0 is damaged"),
        (entry(data=b"b"), 1, b"a", "CRC"),
    ],
)
def test_bad_indexes(index, count, chunks, message):
    with pytest.raises(CorruptFileError, match=message):
        Container.from_bytes(sealed(index=index, count=count, chunks=chunks))


def test_declared_sizes_are_checked_before_reading():
    head = struct.pack("<4sBBHIII", MAGIC, 1, 0, 0, 2**32 - 1, 10, 10)
    with pytest.raises(CorruptFileError, match="4294967295 bytes"):
        Container.from_bytes(head + b"\0" * 40)


@pytest.mark.parametrize("name", ["", "x" * 256])
def test_bad_names_are_not_written(name):
    with pytest.raises(ValueError, match="1 to 255 bytes"):
        Container({}, {name: b""}).to_bytes()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_not_written(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        Container({"a": number}, {}).to_bytes()


def test_mutations_raise_typed_errors_only():
    rng = np.random.default_rng(11)
    data = np.frombuffer(Container(HEADER, CHUNKS).to_bytes(), np.uint8)
    for _ in range(3000):
        damaged = data.copy()
        for _ in range(rng.integers(1, 5)):
            damaged[rng.integers(0, len(damaged))] = rng.integers(0, 256)
        part = damaged[: rng.integers(0, len(damaged) + 1)] if rng.random() < 0.3 else damaged
        if (len(part) == len(data)) and (part == data).all():
            continue
        with pytest.raises(InputError):
            Container.from_bytes(part.tobytes())


def test_golden():
    golden = Container({"count": 3}, {"means": b"\x01\x02", "sh": b""})
    assert golden.to_bytes().hex() == GOLDEN
    assert Container.from_bytes(bytes.fromhex(GOLDEN)) == golden
