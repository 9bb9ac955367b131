"""Images of the native rasterizer against the dense reference, and what must not change them."""

import numpy as np
import pytest

from gscompress import _native
from gscompress.errors import ConfigError, InputError
from gscompress.gaussians import Gaussians
from gscompress.render import render
from gscompress.render.cpu import CpuRenderer
from tests.render.scenes import make_camera, make_scene, psnr

LEVELS = _native.simd_levels()
SAFE = 2e-5
"""Relative distance from a threshold below which a float renderer may decide otherwise."""


def test_levels_are_named_and_end_with_the_portable_one() -> None:
    assert LEVELS[-1] == "baseline"
    assert set(LEVELS) <= {"avx512", "avx2", "baseline"}
    assert [CpuRenderer(simd=level).simd for level in LEVELS] == LEVELS
    assert CpuRenderer().simd == LEVELS[0]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("mode", "degree", "background", "seed", "size", "shift"),
    [
        ("default", 3, (0, 0, 0), 0, (96, 64), (0, 0)),
        ("default", 0, (1, 1, 1), 1, (67, 53), (11, -7)),
        ("default", 2, (0.2, 0.5, 0.9), 2, (48, 96), (-20, 3)),
        ("mip", 3, (0.3, 0.6, 0.1), 3, (96, 64), (5, 5)),
        ("mip", 1, (0, 0, 0), 4, (50, 50), (0, 0)),
        ("mip", 4, (1, 0, 0), 5, (33, 17), (0, 0)),
        ("default", 4, (0, 0, 1), 6, (96, 64), (0, 0)),
    ],
)
def test_matches_the_dense_reference(mode, degree, background, seed, size, shift, level) -> None:
    dense, parameters = reference()
    scene = make_scene(700, seed, degree, mode)
    camera = make_camera(*size, angle=seed, shift=shift)
    truth = dense.render(parameters(scene), camera, background, antialiased=mode == "mip")
    image, alpha = CpuRenderer(threads=2, simd=level).render(scene, camera, background)
    assert image.dtype == alpha.dtype == np.float32
    assert image.shape == (size[1], size[0], 3)
    assert alpha.shape == (size[1], size[0])
    safe = (truth.margin > SAFE).numpy()
    assert safe.mean() > 0.99
    assert psnr(image[safe], truth.image.numpy()[safe]) >= 110
    assert psnr(alpha[safe], truth.alpha.numpy()[safe]) >= 110
    assert np.abs(image - truth.image.numpy()).max() < 0.02  # pixels at a threshold
    assert truth.alpha.mean() > 0.2  # there is something to see
    assert truth.image.std() > 0.1


@pytest.mark.parametrize("mode", ["default", "mip"])
@pytest.mark.parametrize("every", [2, 3])
def test_thinned_views_have_pixels_of_the_whole(mode, every) -> None:
    scene, camera = make_scene(700, 1, 2, mode), make_camera(97, 64, angle=1, shift=(3, -2))
    whole = CpuRenderer().render(scene, camera)
    seen = np.zeros((64, 97), int)
    for row in range(every):
        for column in range(every):
            part = CpuRenderer().render(scene, camera.thinned(every, column, row))
            expected = whole.image[row::every, column::every]
            assert part.image.shape == expected.shape
            assert psnr(part.image, expected) > 70
            assert psnr(part.alpha, whole.alpha[row::every, column::every]) > 70
            seen[row::every, column::every] += 1
    resized = CpuRenderer().render(scene, camera.resized(48, 32)).image
    assert psnr(resized, whole.image[::2, :96:2]) < 50  # splats are widened more
    assert np.all(seen == 1)


def reference():
    """The dense reference, and a function that activates a scene for it."""
    pytest.importorskip("gsplat", reason="the reference is built on gsplat's torch functions")
    import torch

    from tests.oracle import dense

    def parameters(scene: Gaussians):
        arrays = (scene.means, scene.quats, scene.scales, scene.opacities, scene.sh)
        return tuple(torch.tensor(a, dtype=torch.float64) for a in arrays)

    return dense, parameters


@pytest.mark.parametrize("level", LEVELS)
def test_threads_do_not_change_a_bit(level: str) -> None:
    scene = make_scene(5003, seed=7)
    camera = make_camera(201, 119)
    renders = [CpuRenderer(threads=t, simd=level).render(scene, camera) for t in (1, 2, 5)]
    assert renders[0].image.std() > 0.1
    for other in renders[1:]:
        assert np.array_equal(other.image, renders[0].image)
        assert np.array_equal(other.alpha, renders[0].alpha)


def test_instruction_sets_agree() -> None:
    scene = make_scene(5000, seed=8, mode="mip")
    camera = make_camera(160, 120)
    first, *others = (CpuRenderer(simd=level).render(scene, camera) for level in LEVELS)
    for other in others:
        differs = np.abs(other.image - first.image).max(-1) > 1e-4
        assert differs.mean() < 1e-3  # pixels at a threshold
        assert psnr(other.image[~differs], first.image[~differs]) >= 110


def test_a_renderer_can_be_used_again_for_other_scenes_and_sizes() -> None:
    used = CpuRenderer(threads=2)
    for n, size in ((3000, (120, 90)), (10, (16, 16)), (0, (5, 9)), (1200, (250, 33))):
        scene, camera = make_scene(n, seed=n), make_camera(*size)
        assert np.array_equal(
            used.render(scene, camera).image, CpuRenderer(threads=2).render(scene, camera).image
        )


@pytest.mark.parametrize("size", [(1, 1), (15, 1), (1, 17), (16, 16), (17, 31)])
def test_odd_sizes_match_the_reference(size: tuple[int, int]) -> None:
    dense, parameters = reference()
    scene, camera = make_scene(150, seed=9), make_camera(*size)
    truth = dense.render(parameters(scene), camera)
    image, alpha = CpuRenderer(threads=2).render(scene, camera)
    assert truth.margin.min() > SAFE
    assert truth.alpha.max() > 0.5
    assert psnr(image, truth.image.numpy()) >= 110
    assert psnr(alpha, truth.alpha.numpy()) >= 110


def test_no_gaussians_give_the_background() -> None:
    image, alpha = CpuRenderer().render(make_scene(0), make_camera(20, 10), (0.25, 0.5, 1))
    assert np.array_equal(image, np.broadcast_to(np.float32([0.25, 0.5, 1]), (10, 20, 3)))
    assert not alpha.any()


def one(**changes) -> Gaussians:
    """A white, nearly opaque ball of radius 0.2 at the origin."""
    ball = Gaussians(
        means=np.zeros((1, 3)),
        quats=np.array([[1, 0, 0, 0]]),
        log_scales=np.full((1, 3), np.log(0.2)),
        opacity_logits=np.array([8]),
        sh=np.full((1, 1, 3), 0.5 / 0.28209479),
    )
    return ball.replace(**changes)


def test_one_gaussian_is_where_it_should_be() -> None:
    camera = make_camera(65, 49)
    image, alpha = CpuRenderer().render(one(), camera)
    assert image[24, 32] == pytest.approx([0.999] * 3, abs=2e-3)
    # sigma^2 on the image is (f s / z)^2 + 0.3, in both directions
    z = camera.viewmat[2, 3]
    for step, focal, at in (((0, 8), camera.fx, (24, 40)), ((8, 0), camera.fy, (32, 32))):
        variance = (focal * 0.2 / z) ** 2 + 0.3
        expected = one().opacities[0] * np.exp(-0.5 * (step[0] ** 2 + step[1] ** 2) / variance)
        assert alpha[at] == pytest.approx(expected, rel=1e-4)


def test_behind_and_before_the_near_plane_nothing_is_seen() -> None:
    camera = make_camera(32, 32)
    axis = camera.viewmat[2, :3]
    for depth, seen in ((-1, False), (0.009, False), (0.011, True), (1, True)):
        means = (camera.position + depth * axis)[None]
        _, alpha = CpuRenderer().render(one(means=means), camera)
        assert alpha.any() == seen, depth


@pytest.mark.parametrize("mode", ["default", "mip"])
@pytest.mark.parametrize("log_scale", [-60, -20, 5, 12, 40])
def test_extreme_scales_are_finite(mode, log_scale: float) -> None:
    scene = one(log_scales=np.full((1, 3), log_scale), mode=mode)
    image, alpha = CpuRenderer().render(scene, make_camera(70, 40))
    assert np.isfinite(image).all()
    assert np.isfinite(alpha).all()
    if log_scale in (5, 12):
        assert alpha.min() == pytest.approx(0.999, abs=2e-3)
    if log_scale < 0:  # only the blur is left; antialiased, the opacity vanishes with the scale
        assert alpha.any() == (mode == "default")


def test_needles_match_the_reference() -> None:
    """Thin, long Gaussians across many tiles, where determinants cancel."""
    dense, parameters = reference()
    scene = make_scene(60, seed=10, degree=0)
    log_scales = np.tile(np.log([1.5, 0.004, 0.004]), (60, 1))
    scene = scene.replace(log_scales=log_scales)
    camera = make_camera(150, 100)
    truth = dense.render(parameters(scene), camera)
    image = CpuRenderer().render(scene, camera).image
    safe = (truth.margin > 3e-4).numpy()
    assert safe.mean() > 0.97
    assert psnr(image[safe], truth.image.numpy()[safe]) >= 100


def test_a_million_gaussians_at_full_hd() -> None:
    n = 1_000_000
    rng = np.random.default_rng(0)
    scene = Gaussians(
        means=rng.uniform(-1.4, 1.4, (n, 3)),
        quats=rng.normal(size=(n, 4)),
        log_scales=rng.normal(-4.6, 0.5, (n, 3)),
        opacity_logits=rng.normal(0, 2, n),
        sh=rng.uniform(-1.5, 1.5, (n, 1, 3)),
    )
    image, alpha = CpuRenderer().render(scene, make_camera(1920, 1080))
    assert np.isfinite(image).all()
    assert alpha[540, 960] > 0.99
    assert (alpha > 0.5).mean() > 0.2


def test_more_pairs_than_fit_in_24_bits() -> None:
    """Gaussians that cover the whole image, 20 million pairs of them with a tile."""
    n = 5000
    scene = (
        one()
        .select(np.zeros(n, int))
        .replace(log_scales=np.full((n, 3), 3.0), opacity_logits=np.full(n, -3.0))
    )
    rasterizer = _native.Rasterizer(threads=2)
    camera = make_camera(1024, 1024)
    image, alpha = np.empty((1024, 1024, 3), np.float32), np.empty((1024, 1024), np.float32)
    rasterizer.forward(
        scene.means,
        scene.quats,
        scene.scales,
        scene.opacities,
        scene.sh,
        camera.viewmat,
        (camera.fx, camera.fy, camera.cx, camera.cy),
        background=(0, 0, 0),
        antialiased=False,
        image=image,
        alpha=alpha,
    )
    assert rasterizer.visible == n
    assert rasterizer.pairs == n * 64 * 64 > 1 << 24
    assert alpha.min() > 1 - 2e-4


def test_flat_gaussians_are_refused() -> None:
    with pytest.raises(InputError, match="2dgs"):
        CpuRenderer().render(one(mode="2dgs"), make_camera(8, 8))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="threads"):
        CpuRenderer(threads=0)
    with pytest.raises(ConfigError, match="sse9"):
        CpuRenderer(simd="sse9")


def test_native_arrays_are_checked() -> None:
    rasterizer = _native.Rasterizer(threads=1)
    scene, camera = one(), make_camera(8, 8)
    image, alpha = np.empty((8, 8, 3), np.float32), np.empty((8, 8), np.float32)
    good = {
        "means": scene.means,
        "quats": scene.quats,
        "scales": scene.scales,
        "opacities": scene.opacities,
        "sh": scene.sh,
        "viewmat": camera.viewmat,
        "focal": (camera.fx, camera.fy, camera.cx, camera.cy),
        "background": (0, 0, 0),
        "antialiased": False,
        "image": image,
        "alpha": alpha,
    }
    rasterizer.forward(**good)
    for name, wrong, error in (
        ("quats", scene.means, ValueError),
        ("opacities", np.zeros(2, np.float32), ValueError),
        ("sh", np.zeros((1, 5, 3), np.float32), ValueError),
        ("focal", (0, 1, 1, 1), ValueError),
        ("image", np.empty((8, 8, 3)), TypeError),
        ("image", np.empty((8, 9, 3), np.float32), ValueError),
        ("alpha", np.empty((8, 7), np.float32), ValueError),
    ):
        with pytest.raises(error):
            rasterizer.forward(**(good | {name: wrong}))


def test_public_render() -> None:
    scene, camera = make_scene(200), make_camera(30, 20)
    image = render(scene, camera, (1, 1, 1), device="cpu")
    assert np.array_equal(image, CpuRenderer().render(scene, camera, (1, 1, 1)).image)
