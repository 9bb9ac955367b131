"""Codecs with codebooks: the shared checks, what they promise, and damaged streams."""

from dataclasses import replace

import numpy as np
import pytest

from gscompress.codecs.additive import as_vectors
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.guidance import Guidance, Sightings
from gscompress.codecs.harmonics import image_metric
from gscompress.codecs.log import Log
from gscompress.codecs.rotation24 import Rotation24
from gscompress.codecs.rvq import RVQ
from gscompress.codecs.scene import arrange
from gscompress.codecs.svq import SVQ
from gscompress.codecs.vectree import VecTree
from gscompress.codecs.words import get_indices, put_indices, put_words, tree_order
from gscompress.codecs.ycocg import YCoCg
from gscompress.config import Config
from gscompress.entropy.mix import Mix
from gscompress.entropy.rans import Rans
from gscompress.errors import ConfigError, CorruptFileError
from gscompress.gaussians import SH_C0
from gscompress.pipeline import compress, decompress
from tests.checks import (
    CODECS_OF_EACH_GROUP,
    check_codec,
    decode,
    encode,
    importances,
    make_scene,
    round_trip,
)

SAME = {"step": SH_C0 / 64, "sh_step": 1 / 64, "word_step": 1 / 64}
"""Steps in which words and own values of equal Gaussians are equal."""

CASES = [
    ("scales", SVQ(length=1, words=64)),
    ("scales", SVQ(length=2, words=16)),
    ("quats", SVQ(length=2, words=64, canonical=True)),
    ("sh", SVQ(length=5, words=16, klt=True)),
    ("scales", RVQ(stages=3, words=16)),
    ("quats", RVQ(stages=2, words=32)),
    ("sh", VecTree(codebook=64, **SAME)),
    ("sh", VecTree(codebook=32, joint=False, keep_exact=0.2, split="error", **SAME)),
    ("sh", VecTree(codebook=16, keep_exact=1.0)),
    ("sh", VecTree(codebook=16, keep_exact=0.0)),
]


@pytest.mark.parametrize(
    ("group", "codec"), CASES, ids=lambda x: x if isinstance(x, str) else type(x).__name__
)
def test_shared_checks(group, codec):
    check_codec(group, codec)


@pytest.mark.parametrize("coder", [Mix(), Rans()])
def test_indices_round_trip(coder):
    rng = np.random.default_rng(0)
    decoded = Decoded(3000, 0)
    decoded.set_grid(rng.integers(0, 30, (3000, 3)).astype(np.uint32))
    sizes = [1, 2, 300, 65536]
    indices = np.stack([rng.integers(0, size, 3000) for size in sizes]).astype(np.int32)
    used = rng.random(3000) < 0.6
    for mask in (None, used):
        writer = StreamWriter(coder, decoded.levels)
        put_indices(writer, "a", indices, sizes, decoded.side, mask)
        reader = StreamReader(coder, writer.chunks, "test", decoded.levels)
        back = get_indices(reader, "a", sizes, decoded.side, mask)
        kept = slice(None) if mask is None else mask
        assert (back[:, kept] == indices[:, kept]).all()


def test_clones_cost_next_to_nothing():
    rng = np.random.default_rng(0)
    decoded = Decoded(4000, 0)
    own = rng.integers(0, 4096, 2000).astype(np.int32)
    sizes = [4096]
    bits = {}
    for name, index in (("clones", np.repeat(own, 2)), ("none", rng.integers(0, 4096, 4000))):
        writer = StreamWriter(Mix(), decoded.levels)
        put_indices(writer, "a", index[None].astype(np.int32), sizes, decoded.side)
        bits[name] = len(writer.chunks["a"]) * 8 / 4000
    assert 11.9 < bits["none"] < 12.6
    assert bits["clones"] < 7.3  # half of 12, and a flag whose order only the coder can tell


def test_saying_again_who_has_an_index_is_free():
    rng = np.random.default_rng(0)
    decoded = Decoded(8000, 0)
    writer = StreamWriter(Mix(), decoded.levels)
    used = rng.random(8000) < 0.5
    put_indices(writer, "a", np.zeros((1, 8000), np.int32), [1], decoded.side, used)
    assert len(writer.chunks["a"]) * 8 / 8000 < 0.02


def test_tree_order_keeps_alike_words_together():
    rng = np.random.default_rng(0)
    words = rng.normal(0, 1, (256, 3)).astype(np.float32)
    order = tree_order(words)
    assert sorted(order) == list(range(256))
    spread = [words[part].var(axis=0).sum() for part in np.split(order, 16)]
    assert np.mean(spread) < 0.35 * words.var(axis=0).sum()


def test_more_words_are_better():
    scene = make_scene(1200, 1)

    def errors(group, name, codecs):
        trips = (round_trip(scene, **{group: codec}) for codec in codecs)
        return [float(np.square(getattr(a, name) - getattr(d, name)).mean()) for a, d in trips]

    for codecs in (
        [SVQ(1, words) for words in (8, 32, 128)],
        [RVQ(3, words) for words in (4, 16, 64)],
        [RVQ(stages, 16) for stages in (1, 2, 4)],
    ):
        first, second, third = errors("scales", "log_scales", codecs)
        assert first > 2 * second > 4 * third
    first, second, third = errors("sh", "sh", [VecTree(words) for words in (4, 32, 256)])
    assert first > second > third


def test_scalar_words_are_within_their_cells():
    scene = make_scene(3000)
    arranged, decoded = round_trip(scene, scales=SVQ(length=1, words=256))
    assert np.abs(as_vectors(arranged.log_scales, "scales") - decoded.log_scales).max() < 0.2


def test_rotations_are_unit_and_near():
    scene = make_scene(1500)
    for codec in (SVQ(2, 512, canonical=True), RVQ(3, 128, canonical=True)):
        arranged, decoded = round_trip(scene, quats=codec)
        assert np.abs(np.linalg.norm(decoded.quats, axis=1) - 1).max() < 1e-6
        dot = np.abs(np.sum(arranged.quats * decoded.quats, axis=1))
        assert np.degrees(2 * np.arccos(np.clip(dot, 0, 1))).mean() < 5


def test_turning_helps_correlated_vectors():
    rng = np.random.default_rng(0)
    scene = make_scene(1500, 1)
    sh = (rng.normal(0, 1, (1500, 2)) @ rng.normal(0, 1, (2, 12))).reshape(-1, 4, 3)
    scene = scene.replace(sh=sh.astype(np.float32))
    plain, turned = (
        np.square(np.subtract(*(s.sh for s in round_trip(scene, sh=SVQ(3, 64, klt=klt))))).mean()
        for klt in (False, True)
    )
    assert turned < 0.3 * plain


def test_the_least_important_get_words():
    scene = make_scene(4000, 1)
    weights = importances(scene)
    codec = VecTree(codebook=32, keep_exact=0.3, step=1e-3, sh_step=1e-3)
    codecs = {**CODECS_OF_EACH_GROUP, "sh": codec}
    _, guidance, _ = arrange(scene, Guidance(weights), codecs, (0.1, 0.5))
    arranged, decoded = round_trip(scene, weights, sh=codec)
    error = np.abs(arranged.sh - decoded.sh).max(axis=(1, 2))
    kept = guidance.importance > np.quantile(weights, 0.7)
    assert error[kept].max() < 0.01
    assert np.median(error[~kept]) > 0.05


def test_the_worst_served_keep_their_own():
    scene = make_scene(1500, 1)
    loud = np.where(np.arange(1500) % 5, 1, 8).astype(np.float32)
    scene = scene.replace(sh=scene.sh * loud[:, None, None])
    worst = {}
    for split in ("importance", "error"):
        codec = VecTree(32, keep_exact=0.3, split=split, step=1e-3, sh_step=1e-3)
        arranged, decoded = round_trip(scene, sh=codec)
        worst[split] = np.square(arranged.sh - decoded.sh).sum()
    assert worst["error"] < 0.6 * worst["importance"]


def test_values_on_words_are_exact():
    scene = make_scene(1000, 1)
    grid = np.random.default_rng(0).integers(-3, 4, (50, 3)) / 8
    scales = grid[np.random.default_rng(1).integers(50, size=1000)].astype(np.float32)
    scene = scene.replace(log_scales=scales)
    arranged, decoded = round_trip(scene, scales=SVQ(3, 64), quats=SVQ(2, 16))
    assert (arranged.log_scales == decoded.log_scales).all()


@pytest.mark.parametrize(
    "codec", [SVQ(1, 64), SVQ(2, 512), RVQ(6, 64), VecTree(8192, keep_exact=0.4)]
)
def test_scaling(codec):
    finer, coarser = codec.scaled(0.5), codec.scaled(2.0)
    field = "codebook" if isinstance(codec, VecTree) else "words"
    assert getattr(finer, field) > getattr(codec, field) > getattr(coarser, field)
    assert finer.word_step < codec.word_step < coarser.word_step
    assert type(codec.scaled(2.0**-6)) is type(codec.scaled(2.0**9)) is type(codec)
    if isinstance(codec, VecTree):
        assert finer.keep_exact > 0.5 > 0.4 > coarser.keep_exact > 0.2


def test_words_follow_the_law_of_their_dimensions():
    assert SVQ(1, 64).scaled(0.5).words == 128
    assert SVQ(2, 512).scaled(0.5).words == 2048
    assert SVQ(2, 512).scaled(1e-9).words == 65536
    assert SVQ(2, 512).scaled(1e9).words == 1


def test_bounds_are_held_by_equal_steps():
    scene = make_scene(50, 1)
    assert isinstance(SVQ(1).bounded(scene.log_scales, {"scales": 0.01}), Log)
    assert isinstance(RVQ().bounded(scene.quats, {"quats": 1.0}), Rotation24)
    assert isinstance(VecTree().bounded(scene.sh, {"sh0": 0.01}), YCoCg)


def test_positions_have_no_codebooks():
    scene = make_scene(20)
    with pytest.raises(ConfigError, match="means"):
        encode(scene, means=SVQ())


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: SVQ(length=0), "length"),
        (lambda: SVQ(words=65537), "words"),
        (lambda: SVQ(word_step=0), "word_step"),
        (lambda: RVQ(stages=17), "stages"),
        (lambda: RVQ(passes=-1), "passes"),
        (lambda: VecTree(codebook=0), "codebook"),
        (lambda: VecTree(keep_exact=1.1), "keep_exact"),
        (lambda: VecTree(adapt=9), "adapt"),
        (lambda: VecTree(sh_step=float("inf")), "sh_step"),
        (lambda: VecTree(views=-1), "views"),
    ],
)
def test_parameters_out_of_range_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


CODECS = {
    "scales": SVQ(length=2, words=16),
    "quats": RVQ(stages=2, words=20),
    "sh": VecTree(codebook=24),
}


@pytest.mark.parametrize(
    "name",
    ["scales", "scales.book0", "quats", "quats.book1", "sh.own", "sh.book", "sh.words"],
)
def test_damaged_streams_are_refused_or_decode(name):
    scene = make_scene(300)
    _, chunks, levels = encode(scene, importances(scene), **CODECS)
    rng = np.random.default_rng(5)
    refused = 0
    for trial in range(40):
        data = bytearray(chunks[name])
        if trial % 3 == 0:
            del data[rng.integers(len(data)) :]
        else:
            for position in rng.integers(0, len(data), 3):
                data[position] ^= 1 << rng.integers(8)
        try:
            decode(scene, {**chunks, name: bytes(data)}, levels, **CODECS).validate()
        except CorruptFileError:
            refused += 1
    assert refused >= 13


def test_hostile_codebooks_are_refused():
    scene = make_scene(300)
    _, chunks, levels = encode(scene, **CODECS)
    book = chunks["scales.book0"]
    for count in (0, 17, 2**31, 2**32 - 1):
        data = count.to_bytes(4, "little") + book[4:]
        with pytest.raises(CorruptFileError, match=r"scales\.book0.*codebook"):
            decode(scene, {**chunks, "scales.book0": data}, levels, **CODECS)
    with pytest.raises(CorruptFileError, match=r"scales\.book0"):
        decode(scene, {**chunks, "scales.book0": b""}, levels, **CODECS)


def test_an_index_without_a_word_is_refused():
    scene = make_scene(300)
    _, chunks, levels = encode(scene, **CODECS)
    small = StreamWriter(Mix(), (1,))
    put_words(small, "book", np.zeros((5, 2), np.int32))  # as many digits as 16 words have
    with pytest.raises(CorruptFileError, match="scales"):
        decode(scene, {**chunks, "scales.book0": small.chunks["book"]}, levels, **CODECS)


def test_a_hostile_basis_is_refused():
    scene = make_scene(300, 1)
    codec = SVQ(4, 16, klt=True)
    _, chunks, levels = encode(scene, sh=codec)
    for basis in (b"", b"\xff\x7f\xff\x7f" * 144, chunks["sh.basis"][:-4]):
        with pytest.raises(CorruptFileError, match=r"sh\.basis"):
            decode(scene, {**chunks, "sh.basis": basis}, levels, sh=codec)


@pytest.mark.parametrize("codec", [SVQ(1, 32), SVQ(2, 64, klt=True), RVQ(3, 16)])
def test_the_encoder_knows_what_decoding_gives(codec):
    scene = make_scene(500, 0)
    decoded = Decoded(500, 0)
    decoded.set_grid(np.arange(1500, dtype=np.uint32).reshape(500, 3))
    writer = StreamWriter(Mix(), decoded.levels)
    writer.group = "scales"
    promised = codec.encode(scene.log_scales, decoded, writer)
    reader = StreamReader(Mix(), writer.chunks, "test", decoded.levels, "scales")
    assert (codec.decode(decoded, reader) == promised).all()


def test_rate_control_moves_the_words():
    tables = {
        "means": {"use": "octree", "bits": 12},
        "opacities": {"use": "arcsine"},
        "scales": {"use": "svq", "length": 1, "words": 32},
        "quats": {"use": "rvq", "stages": 2, "words": 32},
        "sh": {"use": "vectree", "codebook": 64},
    }
    config = Config.from_dict({"attributes": tables, "entropy": {"use": "rans"}})
    scene = make_scene(600, 1)
    sizes = [len(compress(scene, config, quality=q).to_bytes()) for q in (40, 60, 80)]
    assert sizes[0] < 0.85 * sizes[1] < 0.85**2 * sizes[2]
    result = compress(scene, config, max_error={"scales": 0.01, "sh0": 0.02, "shN": 0.05})
    assert len(decompress(result.to_bytes())) == 600


@pytest.mark.parametrize(
    "codec",
    [
        VecTree(32, keep_exact=0.2),
        VecTree(32, keep_exact=0.2, joint=False),
        VecTree(32, keep_exact=0.2, split="error"),
        SVQ(4, 16, klt=True),
        RVQ(3, 16),
    ],
    ids=["vectree", "constant apart", "by error", "svq", "rvq"],
)
def test_images_lose_less_where_the_views_are_known(codec):
    scene = make_scene(900, 2)
    rng = np.random.default_rng(0)
    eyes = rng.normal(0, 3, (5, 3)).astype(np.float32)
    sightings = Sightings.of(eyes, rng.random((900, 5)) ** 4 + 0.01)
    decoded = Decoded(900, 2)
    decoded.attributes["means"] = scene.means
    metrics = image_metric(scene.means, sightings, 9, 0.1)
    lost, sizes = [], []
    for views in (0, 5):
        streams = StreamWriter(Mix(), decoded.levels)
        streams.group = "sh"
        one = replace(codec, views=views)
        one.encode_guided(scene.sh, decoded, streams, Guidance(sightings=sightings))
        reader = StreamReader(Mix(), streams.chunks, "test", decoded.levels, "sh")
        error = one.decode(decoded, reader) - scene.sh
        lost.append(np.einsum("nac,nab,nbc->", error, metrics, error))
        sizes.append(sum(map(len, streams.chunks.values())))
    assert lost[1] < 0.75 * lost[0]
    assert sizes[1] < 1.15 * sizes[0]


def test_a_beam_finds_better_sums_than_one_stage_after_the_other():
    scene = make_scene(1500)

    def error(**parameters):
        arranged, decoded = round_trip(scene, quats=RVQ(4, 16, canonical=True, **parameters))
        dot = np.abs(np.sum(arranged.unit_quats * decoded.quats, axis=1))
        return float((1 - np.minimum(dot, 1)).sum())

    assert error(beam=8) < 0.8 * error(beam=1)
