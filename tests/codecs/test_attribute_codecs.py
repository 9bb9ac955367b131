"""Each codec: the shared checks, its error bound, and what it promises besides."""

import numpy as np
import pytest

from gscompress import _native
from gscompress.codecs.arcsine import Arcsine
from gscompress.codecs.classes import Classes
from gscompress.codecs.exact import Exact
from gscompress.codecs.log import Log
from gscompress.codecs.morton import Morton
from gscompress.codecs.rotation24 import Rotation24
from gscompress.codecs.ycocg import YCoCg
from gscompress.entropy.mix import Mix
from gscompress.entropy.rans import Rans
from gscompress.errors import CorruptFileError
from gscompress.gaussians import ATTRIBUTES, SH_C0
from tests.checks import (
    check_codec,
    decode,
    encode,
    importances,
    make_scene,
    round_trip,
)

CASES = [
    ("means", Morton(bits=12)),
    ("means", Exact()),
    ("opacities", Arcsine(levels=30)),
    ("opacities", Exact()),
    ("scales", Log(step=0.2, adapt=1)),
    ("scales", Exact()),
    ("quats", Rotation24(step=0.03)),
    ("quats", Exact()),
    ("sh", YCoCg(step=0.03, sh_step=0.05, adapt=3)),
    ("sh", YCoCg(views=8, compaction=0.1)),
    ("sh", Exact()),
]


@pytest.mark.parametrize(
    ("group", "codec"), CASES, ids=lambda x: x if isinstance(x, str) else type(x).__name__
)
def test_shared_checks(group, codec):
    check_codec(group, codec)


@pytest.mark.parametrize("bits", [10, 16, 21])
def test_positions_stay_within_half_a_step_inside_the_radius(bits):
    scene = make_scene(2000)
    arranged, decoded = round_trip(scene, means=Morton(bits=bits))
    centre = np.median(arranged.means, axis=0)
    distance = np.linalg.norm(arranged.means - centre, axis=1)
    radius = np.quantile(distance, 0.75)
    inside = distance < radius
    error = np.abs(decoded.means - arranged.means)[inside].max()
    half = radius * 4 / 2**bits / 2
    assert error <= half * 1.01 + 1e-6
    assert error >= half * 0.5  # the grid is not finer than it says


def test_far_positions_keep_their_direction():
    scene = make_scene(2000)
    arranged, decoded = round_trip(scene, means=Morton(bits=16))
    centre = np.median(arranged.means, axis=0)
    a, b = arranged.means - centre, decoded.means - centre
    far = np.linalg.norm(a, axis=1) > 20
    assert far.sum() > 50
    relative = np.linalg.norm(a - b, axis=1)[far] / np.linalg.norm(a, axis=1)[far]
    assert relative.max() < 0.01


def test_positions_come_in_morton_order():
    scene = make_scene(1000)
    arranged, _ = round_trip(scene)
    shuffled = scene.select(np.random.default_rng(3).permutation(len(scene)))
    again, _ = round_trip(shuffled)
    assert np.abs(arranged.means - again.means).max() == 0


def test_opacity_levels():
    levels = 40
    scene = make_scene(3000)
    arranged, decoded = round_trip(scene, opacities=Arcsine(levels=levels))
    angle = [np.arcsin(np.sqrt(s.opacities.astype(np.float64))) for s in (arranged, decoded)]
    assert np.abs(angle[0] - angle[1]).max() <= np.pi / 4 / levels + 1e-3


def test_transparent_and_opaque_are_levels():
    scene = make_scene(4).replace(opacity_logits=np.array([-40, 40, 0, 12], np.float32))
    _, decoded = round_trip(scene, means=Exact(), opacities=Arcsine(levels=2))
    assert sorted(decoded.opacities.round(6)) == [0, 0.5, 1, 1]


def test_log_scales_stay_within_half_a_step():
    scene = make_scene(3000)
    arranged, decoded = round_trip(scene, scales=Log(step=0.1, flatness=0))
    assert np.abs(arranged.log_scales - decoded.log_scales).max() <= 0.05 + 1e-6


def test_flat_gaussians_are_floored():
    scene = make_scene(50)
    thin = scene.log_scales.copy()
    thin[:, 1] = -60
    scene = scene.replace(log_scales=thin)
    _, decoded = round_trip(scene, scales=Log(step=0.1, flatness=1e-3))
    spread = decoded.log_scales.max(axis=1) - decoded.log_scales.min(axis=1)
    assert np.abs(spread + np.log(1e-3)).max() < 0.11


def test_adapted_scale_steps_are_capped():
    scene = make_scene(3000)
    arranged, decoded = round_trip(
        scene, importances(scene), scales=Log(step=0.1, adapt=4, max_step=0.25, flatness=0)
    )
    error = np.abs(arranged.log_scales - decoded.log_scales)
    assert 0.11 < error.max() <= 0.125 + 1e-6


def test_rotations_stay_within_the_step():
    scene = make_scene(3000)
    step = 0.02
    arranged, decoded = round_trip(scene, quats=Rotation24(step=step))
    assert np.abs(np.linalg.norm(decoded.quats, axis=1) - 1).max() < 1e-6
    dot = np.abs(np.sum(arranged.quats * decoded.quats, axis=1))
    angle = 2 * np.arccos(np.clip(dot, 0, 1))
    # half a step in x, y, z, and what w does about it: at most 63 degrees from the identity
    assert np.quantile(angle, 0.999) < 2.2 * step
    assert angle.max() < 3 * step


def covariances(scene):
    w, x, y, z = scene.unit_quats.astype(np.float64).T
    rotation = np.stack(
        [
            1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
            2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
            2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
        ],
        axis=1,
    ).reshape(-1, 3, 3)  # fmt: skip
    half = rotation * np.exp(scene.log_scales.astype(np.float64))[:, None]
    return half @ half.transpose(0, 2, 1)


def test_canonical_form_is_the_same_gaussian():
    scene = make_scene(3000)
    arranged = Rotation24().arrange(scene)
    difference = np.abs(covariances(arranged) - covariances(scene)).max(axis=(1, 2))
    assert (difference <= 1e-5 * np.abs(covariances(scene)).max(axis=(1, 2))).all()
    # the identity is never further than 62.8 degrees from one of the 24
    assert arranged.quats[:, 0].min() > np.cos(np.radians(62.8 / 2)) - 1e-6


def test_colours_stay_within_their_steps():
    scene = make_scene(3000, 3)
    arranged, decoded = round_trip(scene, sh=YCoCg(step=0.02, sh_step=0.03, adapt=0, rounding=0.5))
    error = np.abs(arranged.sh - decoded.sh)
    # one step of luma and 1.5 of each chroma reach a channel as 1/2 (1 + 1.5 + 0.75)
    assert error[:, 0].max() <= 0.02 / SH_C0 * 1.625 + 1e-5
    assert error[:, 1:].max() <= 0.03 * 1.625 + 1e-5


@pytest.mark.parametrize("largest", [30.0, 900.0, 1e6])
def test_colours_of_any_size(largest):
    """Integers beyond 16 bits are as good as others."""
    scene = make_scene(300, 2)
    sh = scene.sh.copy()
    sh[7, 5] = [largest, -largest, 0]
    codec = YCoCg(step=0.02, sh_step=0.03, adapt=0, rounding=0.5)
    arranged, decoded = round_trip(scene.replace(sh=sh), sh=codec)
    error = np.abs(arranged.sh - decoded.sh)
    assert error[:, 1:].max() <= 0.03 * 1.625 + 1e-5 + largest * 2.0**-23


@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_a_quantizer_says_what_does_not_fit(kind):
    rgb = np.zeros((5, 4, 3), np.float32)
    rgb[3, 2] = 32767.0  # a luma of so many steps, no chroma
    luma, chroma = np.empty((3, 5), kind), np.empty((6, 5), kind)
    arguments = rgb, np.ones(5), 1.0, 1, 0.5, luma, chroma
    assert _native.quantize_ycocg(*arguments)
    assert luma[1, 3] == 32767
    rgb[3, 2] += 1
    assert _native.quantize_ycocg(*arguments) == (kind == np.int32)


class Late:
    """Decodes rotations in one step, in their wave."""

    def decode(self, decoded, streams):
        assert "log_scales" in decoded.attributes
        return Rotation24(adapt=2).decode(decoded, streams)


class Early(Rotation24):
    """Reads them before anything but the positions is known."""

    def read(self, decoded, streams):
        assert list(decoded.attributes) == ["means"]
        return super().read(decoded, streams)


@pytest.mark.parametrize(("coder", "measured"), [(Mix(), True), (Rans(), True), (Rans(), False)])
def test_codecs_decode_together_or_in_waves(coder, measured):
    scene = make_scene(500, 1)
    weights = importances(scene) if measured else None
    _, chunks, levels = encode(scene, weights, coder=coder)
    first = decode(scene, chunks, levels, coder, quats=Early(adapt=2))
    second = decode(scene, chunks, levels, coder, quats=Late())
    for name in ATTRIBUTES:
        assert (getattr(first, name) == getattr(second, name)).all(), name


def test_important_gaussians_get_finer_colours():
    scene = make_scene(4000, 1)
    weights = np.where(np.arange(len(scene)) % 2, 1.0, 256.0)
    order = Morton().order(scene.means)
    codec = YCoCg(adapt=4, rounding=0.5)
    arranged, chunks, levels = encode(scene, weights, shares=(), sh=codec)
    decoded = decode(scene, chunks, levels, sh=codec)
    error = np.abs(arranged.sh - decoded.sh).mean(axis=(1, 2))
    heavy = weights[order] > 1
    # 8 octaves of importance to the power of 1/2
    assert 10 < error[~heavy].mean() / error[heavy].mean() < 22


def test_classes_are_coded_only_when_there_are_importances():
    scene = make_scene(300)
    _, chunks, _ = encode(scene)
    assert len(chunks["importance.guess"]) == 40
    assert "importance" not in chunks
    _, chunks, _ = encode(scene, importances(scene))
    assert len(chunks["importance@2"]) > 20
    assert "importance.guess" not in chunks


def test_exact_is_exact():
    scene = make_scene(1000, 3)
    odd = scene.sh.copy()
    odd[0, 0] = [-0.0, 1e-45, -3.4e38]
    scene = scene.replace(sh=odd)
    exact = {g: Exact() for g in ("means", "opacities", "scales", "quats", "sh")}
    arranged, decoded = round_trip(scene, **exact)
    for name in ATTRIBUTES:
        a, b = getattr(arranged, name), getattr(decoded, name)
        assert (a.view(np.int32) == b.view(np.int32)).all(), name
    assert sorted(map(bytes, arranged.means)) == sorted(map(bytes, scene.means))


@pytest.mark.parametrize(
    "group",
    ["means", "opacities", "scales", "quats", "sh0", "shN.luma", "shN.chroma", "importance"],
)
def test_damaged_streams_are_refused_or_decode(group):
    """Without the container's checksums a codec may decode garbage, but nothing else may happen."""
    scene = make_scene(300)
    _, chunks, levels = encode(scene, importances(scene))
    rng = np.random.default_rng(5)
    refused = 0
    for trial in range(60):
        data = bytearray(chunks[group])
        if trial % 3 == 0:
            del data[rng.integers(len(data)) :]
        else:
            for position in rng.integers(0, len(data), 3):
                data[position] ^= 1 << rng.integers(8)
        try:
            decode(scene, {**chunks, group: bytes(data)}, levels)
        except CorruptFileError:
            refused += 1
    assert refused >= 20


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Morton(bits=3), "bits"),
        (lambda: Morton(quantile=0), "quantile"),
        (lambda: Arcsine(levels=0), "levels"),
        (lambda: Log(step=0), "step"),
        (lambda: Log(flatness=1), "flatness"),
        (lambda: Rotation24(step=-1), "step"),
        (lambda: YCoCg(adapt=9), "adapt"),
        (lambda: Log(adapt=-1), "adapt"),
        (lambda: YCoCg(rounding=0.6), "rounding"),
        (lambda: YCoCg(sh_step=float("nan")), "sh_step"),
        (lambda: YCoCg(views=-1), "views"),
        (lambda: YCoCg(compaction=float("inf")), "compaction"),
        (lambda: YCoCg(damping=-1e-3), "damping"),
        (lambda: Classes(octaves=0), "octaves"),
    ],
)
def test_parameters_out_of_range_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
