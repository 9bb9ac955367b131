"""Words as torch parameters: what they stand for, their gradients, and their way to the encoder."""

import numpy as np
import pytest

from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.exact import Exact
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.morton import Morton
from gscompress.codecs.rvq import RVQ
from gscompress.codecs.scene import arrange, decode_scene, encode_scene
from gscompress.codecs.svq import SVQ
from gscompress.codecs.tuning import TrainableWords
from gscompress.codecs.vectree import VecTree
from gscompress.entropy.mix import Mix
from tests.checks import CODECS_OF_EACH_GROUP, make_scene

torch = pytest.importorskip("torch")

CASES = [
    ("scales", "log_scales", SVQ(1, 16)),
    ("quats", "quats", RVQ(2, 16)),
    ("sh", "sh", SVQ(6, 16, klt=True)),
    ("sh", "sh", VecTree(32, keep_exact=0.3)),
    ("sh", "sh", VecTree(32, keep_exact=0.3, joint=False)),
]


@pytest.mark.parametrize(("group", "name", "codec"), CASES, ids=lambda x: str(x)[:9])
def test_gradients_reach_the_words_and_the_values_that_are_kept(group, name, codec):
    values = getattr(make_scene(400, 1), name)
    words = TrainableWords(codec, group, values, np.ones(400))
    given = torch.from_numpy(values.copy()).requires_grad_(True)
    out = words(given)
    assert out.shape == given.shape
    out.square().sum().backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in words.parameters())
    kept = given.grad.reshape(400, -1).abs().sum(dim=1) > 0
    if isinstance(codec, VecTree):
        assert int(kept.sum()) == (120 if codec.joint else 400)
        worded = ~(given.grad[:, 1:] != 0).any(dim=(1, 2))
        assert int(worded.sum()) == 280
    else:
        assert not kept.any()


@pytest.mark.parametrize(("group", "name", "codec"), CASES, ids=lambda x: str(x)[:9])
def test_the_encoder_takes_trained_words(group, name, codec):
    scene = make_scene(400, 1)
    scene = scene.select(Morton().order(scene.means))
    words = TrainableWords(codec, group, getattr(scene, name), np.ones(400))
    with torch.no_grad():
        for parameter in words.parameters():
            parameter += 0.25
    wanted = words(torch.from_numpy(getattr(scene, name).copy())).detach().numpy()
    got = _decoded(scene, group, codec, Guidance(trained={group: words.trained()}))
    if group == "quats":
        wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.abs(getattr(got, name) - wanted).max() < 0.05
    other = _decoded(scene, group, codec, Guidance())
    assert np.abs(getattr(other, name) - wanted).max() > 0.2


def test_words_of_another_codec_or_scene_are_ignored():
    scene = make_scene(400, 1)
    trained = {"sh": TrainableWords(VecTree(32), "sh", scene.sh, np.ones(400)).trained()}
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
