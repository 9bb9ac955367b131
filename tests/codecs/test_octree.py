"""The octree: exact, smaller than differences of codes, bounded on damaged streams."""

import numpy as np
import pytest

from gscompress import _native
from gscompress.codecs.morton import Morton
from gscompress.codecs.octree import Octree
from gscompress.errors import CorruptFileError
from tests.checks import check_codec, decode, encode, make_scene, round_trip


def test_shared_checks():
    check_codec("means", Octree(bits=12))


@pytest.mark.parametrize("depth", [1, 4, 13, 21])
@pytest.mark.parametrize("kind", ["random", "clustered", "one cell", "corners"])
def test_cells_round_trip(depth, kind):
    rng = np.random.default_rng(depth)
    last = 2**depth - 1
    grid = {
        "random": rng.integers(0, last + 1, (700, 3)),
        "clustered": np.clip(rng.normal(last / 2, last / 50 + 1, (700, 3)), 0, last),
        "one cell": np.full((700, 3), last // 3),
        "corners": rng.integers(0, 2, (700, 3)) * last,
    }[kind]
    codes = np.sort(_native.morton_encode(grid.astype(np.uint32)))
    data = _native.encode_octree(codes, depth)
    assert (_native.decode_octree(data, len(codes), depth) == codes).all()


def test_no_points():
    assert _native.encode_octree(np.zeros(0, np.uint64), 5) == b""
    assert len(_native.decode_octree(b"", 0, 5)) == 0


def test_gives_what_morton_gives_with_fewer_bytes():
    scene = make_scene(4000, 0)
    sizes, means = {}, {}
    for codec in (Morton(bits=13), Octree(bits=13)):
        _, chunks, _ = encode(scene, means=codec)
        _, decoded = round_trip(scene, means=codec)
        means[type(codec)] = decoded.means
        sizes[type(codec)] = sum(len(d) for n, d in chunks.items() if n.startswith("means"))
    assert (means[Morton] == means[Octree]).all()
    assert sizes[Octree] < 0.98 * sizes[Morton]


def test_a_surface_is_cheaper_than_its_density():
    """Neighbours tell where a plane goes on: without them, a child of a node costs log2(70)/4."""
    x, y = np.meshgrid(np.arange(256), np.arange(256))
    grid = np.stack([x.ravel(), y.ravel(), (x.ravel() + 2 * y.ravel()) // 8], axis=1)
    codes = np.sort(_native.morton_encode(grid.astype(np.uint32)))
    assert len(_native.encode_octree(codes, 8)) * 8 / len(codes) < 1.2


def test_codes_must_ascend_within_the_tree():
    with pytest.raises(ValueError, match="ascend"):
        _native.encode_octree(np.array([2, 1], np.uint64), 4)
    with pytest.raises(ValueError, match="outside"):
        _native.encode_octree(np.array([1 << 12], np.uint64), 4)
    for depth in (0, 22):
        with pytest.raises(ValueError, match="depth"):
            _native.decode_octree(b"", 0, depth)


def test_damaged_streams_are_refused_or_decode():
    scene = make_scene(300)
    _, chunks, levels = encode(scene, means=Octree(bits=14))
    rng = np.random.default_rng(5)
    refused = 0
    for trial in range(80):
        data = bytearray(chunks["means"])
        if trial % 3 == 0:
            del data[rng.integers(len(data)) :]
        elif trial % 3 == 1:
            data += bytes(rng.integers(1, 9))
        else:
            for position in rng.integers(0, len(data), 3):
                data[position] ^= 1 << rng.integers(8)
        try:
            decode(scene, {**chunks, "means": bytes(data)}, levels, means=Octree(bits=14))
        except CorruptFileError:
            refused += 1
    assert refused >= 60


@pytest.mark.parametrize("count", [0, 1, 299, 301, 10**6])
def test_a_wrong_count_is_refused(count):
    scene = make_scene(300)
    _, chunks, _ = encode(scene, shares=(), means=Octree(bits=14))
    with pytest.raises(_native.BrokenOctree):
        _native.decode_octree(chunks["means"], count, 14)
