"""Spherical harmonics' integers chosen in the metric of the images."""

import numpy as np
import pytest

from gscompress import _native
from gscompress.codecs.guidance import WEIGHTS, Guidance, Sightings, weight_codes
from gscompress.codecs.morton import Morton
from gscompress.codecs.sh_search import ShSearch, symbol_bits
from gscompress.codecs.ycocg import YCoCg
from tests.checks import decode, encode, make_scene
from tests.codecs import sh_twin

CHROMA = 1.5
DAMPING = 0.1


class Case:
    """Gaussians seen from a cap of directions, every eighth from nowhere."""

    def __init__(self, n: int, terms: int, views: int = 12, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.means = rng.normal(0, 0.3, (n, 3)).astype(np.float32)
        self.rgb = rng.laplace(0, 0.15, (n, terms, 3)).astype(np.float32)
        self.steps = 0.1 * 2 ** rng.uniform(-1, 1, n), 0.08 * 2 ** rng.uniform(-1, 1, n)
        eyes = np.array([0, 0, 4.0]) + rng.normal(0, 1.2, (views, 3))
        weights = np.exp(rng.normal(0, 2, (n, views))) * (rng.random((n, views)) < 0.6)
        weights[::8] = 0
        self.sightings = Sightings.of(eyes.astype(np.float32), weights)
        self.seen = weights.sum(axis=1) > 0

    def plain(self):
        n, terms = self.rgb.shape[:2]
        first, higher = np.empty((3, n), np.int32), np.empty((3 * (terms - 1), n), np.int32)
        luma, chroma = higher[: terms - 1], higher[terms - 1 :]
        _native.quantize_ycocg(self.rgb, self.steps[0], CHROMA, 0, 0.5, first[:1], first[1:])
        _native.quantize_ycocg(self.rgb, self.steps[1], CHROMA, 1, 0.5, luma, chroma)
        return first[:, None], higher.reshape(3, terms - 1, n)

    def search(self, bits=None, price=0.0, threads=2):
        first, higher = self.plain()
        _native.search_sh(
            self.rgb,
            *self.steps,
            CHROMA,
            means=self.means,
            eyes=self.sightings.eyes,
            codes=self.sightings.codes,
            weights=WEIGHTS,
            damping=DAMPING,
            bit_price=price,
            sizes=None if bits is None else bits[0],
            flags=None if bits is None else bits[1],
            first=first[:, 0],
            luma=higher[0],
            chroma=higher[1:].reshape(-1, higher.shape[2]),
            threads=threads,
        )
        return first, higher

    def gram(self, i, damping=DAMPING):
        s = self.sightings
        return sh_twin.gram(self.rgb.shape[1], self.means[i], s.eyes, s.weights[i], damping)

    def image_error(self, levels, damping=DAMPING):
        """Of all Gaussians that are seen."""
        integers = np.concatenate(levels, axis=1)
        return sum(
            sh_twin.image_error(
                self.gram(i, damping),
                self.rgb[i],
                integers[..., i],
                self.steps[0][i],
                self.steps[1][i],
                CHROMA,
            )
            for i in np.flatnonzero(self.seen)
        )


def bits_of(levels, bits) -> float:
    """What the static model says that the integers above the constant term cost."""
    higher, (sizes, flags) = levels[1], bits
    terms = higher.shape[1]
    flagged = (higher != 0).any(axis=1)
    each = sizes.reshape(3, terms, 1, 32)
    index = np.minimum(np.abs(higher), 31)[..., None]
    cost = np.take_along_axis(np.broadcast_to(each, (*higher.shape, 32)), index, -1)[..., 0]
    flag_cost = np.where(flagged, flags[:, 1:], flags[:, :1])
    return float((cost.sum(axis=1) * flagged + flag_cost).sum())


@pytest.mark.parametrize("terms", [1, 4, 9, 16, 25])
@pytest.mark.parametrize("price", [0.0, 0.02])
def test_native_is_the_twin(terms, price):
    case = Case(160, terms)
    bits = symbol_bits(case.plain()[1]) if price else None
    found = np.concatenate(case.search(bits, price), axis=1)
    expected = np.concatenate(case.plain(), axis=1)
    for i in np.flatnonzero(case.seen):
        expected[..., i] = sh_twin.search_one(
            case.gram(i),
            case.rgb[i],
            case.steps[0][i],
            case.steps[1][i],
            CHROMA,
            price,
            *(bits or (None, None)),
        )
    # Gram matrices are of float32 there: a tie may fall to the other side, and others follow.
    same = (found == expected).all(axis=(0, 1))
    assert same.mean() >= 0.98
    assert (expected[:, 1:] != 0).any() or terms == 1


def test_result_does_not_depend_on_threads():
    case = Case(333, 16)
    bits = symbol_bits(case.plain()[1])
    for a, b in zip(case.search(bits, 0.02, 1), case.search(bits, 0.02, 5), strict=True):
        assert (a == b).all()


@pytest.mark.parametrize(("terms", "factor"), [(4, 1.5), (9, 4), (16, 5)])
def test_error_feedback_shows_less_at_the_same_steps(terms, factor):
    case = Case(200, terms)
    assert case.image_error(case.plain(), 0) > factor * case.image_error(case.search(), 0)


def test_price_lowers_the_cost_it_is_meant_to_lower():
    case, price = Case(400, 16), 0.05
    bits = symbol_bits(case.plain()[1])

    def cost(levels):
        return case.image_error(levels) + price * bits_of(levels, bits)

    plain, feedback, priced = case.plain(), case.search(), case.search(bits, price)
    assert cost(priced) < 0.7 * min(cost(plain), cost(feedback))
    assert bits_of(priced, bits) < 0.5 * bits_of(plain, bits)


def test_gaussians_that_no_camera_sees_are_rounded_plainly():
    case = Case(80, 16)
    levels = case.search(symbol_bits(case.plain()[1]), 0.05)
    for found, plain in zip(levels, case.plain(), strict=True):
        assert (found[..., ~case.seen] == plain[..., ~case.seen]).all()
        assert (found[..., case.seen] != plain[..., case.seen]).any()


def test_symbol_bits_are_the_entropy():
    rng = np.random.default_rng(2)
    higher = np.rint(rng.laplace(0, 1, (3, 8, 20000))).astype(np.int32)
    higher[1, :, ::2] = 0
    bits = symbol_bits(higher)
    assert bits[0].shape == (24, 32)
    assert bits[1].shape == (3, 2)
    assert bits[1][1] == pytest.approx([1, 1], abs=0.02)
    counts = np.unique(higher[0, 3], return_counts=True)[1] / 20000
    entropy = -(counts * np.log2(counts)).sum()
    magnitudes = np.bincount(np.abs(higher[0, 3]), minlength=32) / 20000
    assert (magnitudes * bits[0][3]).sum() == pytest.approx(entropy, rel=0.01)


def scene_with_sightings(n, degree):
    scene = make_scene(n, degree)
    rng = np.random.default_rng(4)
    eyes = np.array([0, 0, 30.0]) + rng.normal(0, 5, (9, 3))
    return scene, Sightings.of(eyes.astype(np.float32), rng.exponential(1, (n, 9)))


@pytest.mark.parametrize("degree", [0, 1, 3])
@pytest.mark.parametrize("n", [0, 1, 700])
def test_streams_decode_as_those_of_nearest_integers(n, degree):
    """The decoder needs to know nothing of the search."""
    scene, sightings = scene_with_sightings(n, degree)
    codec = YCoCg(views=9, rounding=0.5, compaction=2.0)
    _, chunks, levels = encode(scene, sightings=sightings, sh=codec)
    _, plain, _ = encode(scene, sh=codec)
    same = decode(scene, chunks, levels, sh=YCoCg(rounding=0.1, compaction=7, damping=1))
    assert (same.sh == decode(scene, chunks, levels, sh=codec).sh).all()
    higher = [name for name in chunks if name.startswith("shN.")]
    if n > 1 and degree:
        assert sum(len(chunks[c]) for c in higher) < 0.8 * sum(len(plain[c]) for c in higher)
    changed = {name.partition("@")[0] for name in chunks if chunks[name] != plain[name]}
    assert changed <= {"sh0", "shN.luma", "shN.chroma"}


def test_weights_keep_their_order_of_magnitude():
    weights = np.exp2(np.linspace(-21, 21, 5000))
    assert np.abs(WEIGHTS[weight_codes(weights)] / weights - 1).max() < 0.06
    assert weight_codes(np.array([0, 1e-30, 1e30])).tolist() == [0, 1, 255]
    sightings = Sightings.of(np.zeros((2, 3), np.float32), np.array([[0, 2.0], [4.0, 1.0]]))
    assert sightings.visibility().tolist() == [2, 5]
    with pytest.raises(ValueError, match="do not fit"):
        Sightings(np.zeros((3, 3), np.float32), sightings.codes)


def test_sightings_follow_the_coding_order():
    """A Gaussian's own views decide, wherever the order puts it."""
    scene, sightings = scene_with_sightings(500, 1)
    codes = sightings.codes.copy()
    codes[:250] = 0
    codecs = {"sh": YCoCg(views=9, compaction=1.0)}
    seen = Sightings(sightings.eyes, codes)
    _, chunks, levels = encode(scene, sightings=seen, shares=(), **codecs)
    _, plain, _ = encode(scene, shares=(), **codecs)
    searched = decode(scene, chunks, levels, **codecs)
    rounded = decode(scene, plain, levels, **codecs)
    changed = (searched.sh != rounded.sh).any(axis=(1, 2))
    order = Morton().order(scene.means)
    assert not changed[order < 250].any()
    assert changed[order >= 250].mean() > 0.5


def test_search_without_any_sighting_changes_nothing():
    case = Case(50, 9)
    nobody = Sightings(case.sightings.eyes, np.zeros_like(case.sightings.codes))
    first, higher = case.plain()
    levels = first[:, 0], higher[0], higher[1:].reshape(-1, 50)
    ShSearch(0.1, 1.0).refine(levels, case.rgb, case.means, case.steps, CHROMA, nobody)
    plain = case.plain()
    assert (first == plain[0]).all()
    assert (higher == plain[1]).all()


def test_arrays_that_do_not_fit_are_refused():
    case = Case(20, 4)
    case.means = case.means[:-1]
    with pytest.raises(ValueError, match="means"):
        case.search()
    with pytest.raises(ValueError, match="eyes"):
        Sightings(np.zeros((3, 3), np.float32), np.zeros((5, 4), np.float32))


def test_guidance_is_selected_as_a_whole():
    _, sightings = scene_with_sightings(10, 0)
    few = Guidance(np.arange(10.0), sightings).select(np.array([7, 2]))
    assert few.importance.tolist() == [7, 2]
    assert (few.sightings.weights == sightings.weights[[7, 2]]).all()
    assert Guidance().select(slice(3)).sightings is None
