"""Words that learn: what they stand for, their gradients, and their way to the encoder."""

import dataclasses

import numpy as np
import pytest

from gscompress.codecs.additive import as_vectors
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.exact import Exact
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.morton import Morton
from gscompress.codecs.rvq import RVQ
from gscompress.codecs.scene import arrange, decode_scene, encode_scene
from gscompress.codecs.svq import SVQ
from gscompress.codecs.tuning import TrainableWords, _sums
from gscompress.codecs.vectree import VecTree
from gscompress.codecs.word_metric import WordMetric
from gscompress.entropy.mix import Mix
from tests.checks import CODECS_OF_EACH_GROUP, make_scene

CASES = [
    ("scales", "log_scales", SVQ(1, 16)),
    ("quats", "quats", RVQ(2, 16)),
    ("sh", "sh", SVQ(6, 16, klt=True)),
    ("sh", "sh", VecTree(32, keep_exact=0.3)),
    ("sh", "sh", VecTree(32, keep_exact=0.3, joint=False)),
]


def trainable(group, codec, values, together=False):
    assigned = codec.assign(values, group, np.ones(len(values)))
    vectors = as_vectors(values, group)[:, -assigned.axes[0].shape[1] :]
    return TrainableWords.fit(codec, vectors, assigned, together)


@pytest.mark.parametrize(("group", "name", "codec"), CASES, ids=lambda x: str(x)[:9])
def test_words_get_the_gradients_of_their_gaussians(group, name, codec):
    """A step against the sum of squares makes words smaller, and leaves kept values alone."""
    values = getattr(make_scene(400, 1), name)
    words = trainable(group, codec, values)
    before = words.shown(values)
    assert before.shape == values.shape
    gradients = words.own(2 * before)
    used = np.ones(400, bool) if words.assigned.used is None else words.assigned.used
    assert used.sum() == (280 if isinstance(codec, VecTree) else 400)
    assert not gradients[~used].any()
    losses = [np.square(before[used]).sum()]
    for _ in range(20):
        words.learn(words.own(2 * words.shown(values)), 0.1)
        losses.append(np.square(words.shown(values)[used]).sum())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.999 * losses[0]
    assert (words.shown(values)[~used] == values[~used]).all()
    if isinstance(codec, VecTree) and not codec.joint:
        assert (words.shown(values)[:, 0] == values[:, 0]).all()


def test_the_gradient_of_a_word_is_that_of_its_gaussians():
    """Against the loss itself, numerically."""
    values = make_scene(60, 1).sh
    codec = SVQ(6, 4, klt=True)
    words = trainable("sh", codec, values)
    rng = np.random.default_rng(0)
    wanted = rng.normal(0, 1, (60, 12))
    gradients = 2 * (words.assigned.vectors() - wanted).astype(np.float32)
    for s, axes in enumerate(words.assigned.axes):
        sums = _sums(gradients @ axes.T.astype(np.float32), words.assigned.indices[s], 4)
        book = words.assigned.words[s]
        for entry in ((0, 0), (3, 5)):
            losses = []
            for shift in (-0.01, 0.01):
                book[entry] += shift
                losses.append(np.square(words.assigned.vectors() - wanted).sum())
                book[entry] -= shift
            assert sums[entry] == pytest.approx((losses[1] - losses[0]) / 0.02, rel=0.01, abs=0.05)


@pytest.mark.parametrize("codec", [SVQ(6, 16, klt=True), VecTree(32, keep_exact=0.3)], ids=str)
def test_words_that_move_together_follow_one_map(codec):
    """All words stay one affine map of the first ones, also those that nobody asks for."""
    values = make_scene(400, 1).sh
    words = trainable("sh", codec, values, together=True)
    first = [book.copy() for book in words.assigned.words]
    assert np.allclose(words._learned[0].words(), first[0], atol=1e-6)
    losses = [np.square(words.shown(values)).sum()]
    silent = words.assigned.indices[0] == words.assigned.indices[0, 0]
    for _ in range(20):
        gradients = 2 * words.shown(values)
        gradients[silent] = 0
        words.learn(words.own(gradients), 0.1)
        losses.append(np.square(words.shown(values)).sum())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.999 * losses[0]
    for before, after in zip(first, words.assigned.words, strict=True):
        source = np.column_stack([before, np.ones(len(before))])
        found, _, _, _ = np.linalg.lstsq(source, after, rcond=None)
        assert np.abs(source @ found - after).max() < 1e-5
        assert (np.abs(after - before).max(axis=1) > 1e-4).all()


def test_the_gradient_of_the_map_is_that_of_the_words():
    """Against the loss itself, numerically."""
    values = make_scene(60, 1).sh
    words = trainable("sh", SVQ(6, 16, klt=True), values, together=True)
    wanted = np.random.default_rng(0).normal(0, 1, (60, 12))
    for s, learned in enumerate(words._learned):
        gradients = 2 * (words.assigned.vectors() - wanted).astype(np.float32)
        axes = words.assigned.axes[s].T.astype(np.float32)
        found = learned.gradients(_sums(gradients @ axes, words.assigned.indices[s], 16))
        books = list(words.assigned.words)
        for entry in ((0, 0), (1, 1)):
            losses = []
            for shift in (-0.01, 0.01):
                learned.values[entry] += shift
                books[s] = learned.words()
                shown = dataclasses.replace(words.assigned, words=tuple(books))
                losses.append(np.square(shown.vectors() - wanted).sum())
                learned.values[entry] -= shift
            assert found[entry] == pytest.approx((losses[1] - losses[0]) / 0.02, rel=0.01, abs=0.05)


def test_gaussians_choose_anew():
    values = make_scene(300, 1).sh
    words = trainable("sh", VecTree(16, keep_exact=0.2), values)
    used = words.assigned.used
    metric = WordMetric.plain(np.ones(300))
    before = words.assigned
    assert words.reassign(before.vectors(), metric) == 0
    wanted = values.reshape(300, -1) + np.float32(0.5)
    assert words.reassign(wanted, metric) > 30
    errors = [np.square(wanted - one.vectors())[used].sum() for one in (before, words.assigned)]
    assert errors[1] < errors[0]
    assert (words.assigned.indices[:, ~used] == before.indices[:, ~used]).all()


@pytest.mark.parametrize(("group", "name", "codec"), CASES, ids=lambda x: str(x)[:9])
def test_the_encoder_takes_trained_words(group, name, codec):
    scene = make_scene(400, 1)
    scene = scene.select(Morton().order(scene.means))
    values = getattr(scene, name)
    words = trainable(group, codec, values)
    for book in words.assigned.words:
        book += 0.25
    wanted = words.shown(values)
    got = _decoded(scene, group, codec, Guidance(trained={group: words.trained()}))
    if group == "quats":
        wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.abs(getattr(got, name) - wanted).max() < 0.05
    other = _decoded(scene, group, codec, Guidance())
    assert np.abs(getattr(other, name) - wanted).max() > 0.2


def test_words_of_another_codec_or_scene_are_ignored():
    scene = make_scene(400, 1)
    trained = {"sh": trainable("sh", VecTree(32), scene.sh).trained()}
    guidance = Guidance(trained=trained)
    assert guidance.trained_for("sh", VecTree(32), 400) is not None
    assert guidance.trained_for("sh", VecTree(33), 400) is None
    assert guidance.trained_for("sh", VecTree(32), 399) is None
    assert guidance.trained_for("scales", VecTree(32), 400) is None
    few = guidance.select(np.arange(0, 400, 2))
    assert few.trained_for("sh", VecTree(32), 200).indices.shape == (1, 200)


def _decoded(scene, group, codec, guidance):
    codecs = {**CODECS_OF_EACH_GROUP, "quats": Exact(), group: codec}
    arranged, guidance, levels = arrange(scene, guidance, codecs)
    streams = StreamWriter(Mix(), levels)
    encode_scene(arranged, guidance, codecs, streams)
    decoded = Decoded(len(scene), scene.sh_degree, levels=levels)
    return decode_scene(decoded, codecs, StreamReader(Mix(), streams.chunks, "test", levels))
