"""Gradients of the native rasterizer against float64 autograd through the dense reference."""

import numpy as np
import pytest

from gscompress import _native
from gscompress.errors import InputError
from gscompress.render.cpu import CpuRenderer
from tests.render.scenes import make_camera, make_scene

pytest.importorskip("torch", reason="gradients need torch")
pytest.importorskip("gsplat", reason="the reference is built on gsplat's torch functions")

import torch

from tests.oracle import dense

NAMES = ("means", "quats", "scales", "opacities", "sh")
LEVELS = _native.simd_levels()


def parameters(scene, dtype):
    arrays = (scene.means, scene.quats, scene.scales, scene.opacities, scene.sh)
    return [torch.tensor(a, dtype=dtype, requires_grad=True) for a in arrays]


def loss_weights(truth, seed: int = 0):
    """Random gradients by image and alpha; 0 at pixels where floats may decide otherwise."""
    generator = torch.Generator().manual_seed(seed)
    by_image = torch.randn(truth.image.shape, generator=generator)
    by_alpha = torch.randn(truth.alpha.shape, generator=generator)
    safe = (truth.margin > 2e-5).float()
    assert safe.mean() > 0.99
    return by_image * safe[..., None], by_alpha * safe


def relative(a, b) -> float:
    return float((a.double() - b).norm() / b.norm())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("mode", "degree", "background", "seed"),
    [
        ("default", 3, (0.3, 0.6, 0.1), 0),
        ("default", 4, (0, 0, 0), 1),
        ("mip", 2, (1, 1, 1), 2),
        ("mip", 1, (0, 0, 0), 3),
        ("default", 0, (0.5, 0, 0), 4),
    ],
)
def test_match_autograd(mode, degree, background, seed, level) -> None:
    scene = make_scene(500, seed, degree, mode)
    camera = make_camera(70, 50, angle=seed, shift=(6, -9))
    exact, ours = parameters(scene, torch.float64), parameters(scene, torch.float32)
    antialiased = mode == "mip"
    truth = dense.render(tuple(exact), camera, background, antialiased=antialiased)
    by_image, by_alpha = loss_weights(truth)
    ((truth.image * by_image).sum() + (truth.alpha * by_alpha).sum()).backward()
    image, alpha = CpuRenderer(threads=2, simd=level).rasterize(
        *ours, camera, background, antialiased
    )
    ((image * by_image).sum() + (alpha * by_alpha).sum()).backward()
    for name, mine, reference in zip(NAMES, ours, exact, strict=True):
        assert reference.grad.norm() > 1e-3, name
        assert relative(mine.grad, reference.grad) < 1e-4, name
    unseen = torch.ones(len(scene), dtype=torch.bool)
    unseen[truth.ids] = False
    assert unseen.any()
    assert all(not mine.grad[unseen].any() for mine in ours)


def rasterized(scene, renderer, camera, *, trained=NAMES):
    tensors = parameters(scene, torch.float32)
    for name, tensor in zip(NAMES, tensors, strict=True):
        tensor.requires_grad_(name in trained)
    image, alpha = renderer.rasterize(*tensors, camera, (0.1, 0.2, 0.3), scene.mode == "mip")
    (image.square().sum() + alpha.sum()).backward()
    return [tensor.grad for tensor in tensors]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("mode", ["default", "mip"])
def test_threads_do_not_change_a_bit(mode, level) -> None:
    scene, camera = make_scene(4001, seed=5, mode=mode), make_camera(130, 90)
    one, two, five = (
        rasterized(scene, CpuRenderer(threads=t, simd=level), camera) for t in (1, 2, 5)
    )
    for a, b, c in zip(one, two, five, strict=True):
        assert a.abs().max() > 0
        assert torch.equal(a, b)
        assert torch.equal(a, c)


def test_harmonics_alone_have_the_same_gradient() -> None:
    scene, camera = make_scene(900, seed=6), make_camera(80, 60)
    all_of_them = rasterized(scene, CpuRenderer(), camera)
    *others, sh = rasterized(scene, CpuRenderer(), camera, trained=("sh",))
    assert others == [None] * 4
    assert torch.allclose(sh, all_of_them[4], rtol=1e-4, atol=1e-5)
    means, *_, no_sh = rasterized(scene, CpuRenderer(), camera, trained=("means",))
    assert no_sh is None
    assert torch.equal(means, all_of_them[0])


@pytest.mark.parametrize("mode", ["default", "mip"])
def test_projected_means(mode) -> None:
    scene, camera = make_scene(400, seed=7, mode=mode), make_camera(60, 60)
    probes = [
        torch.zeros(len(scene), 2, dtype=dtype, requires_grad=True)
        for dtype in (torch.float32, torch.float64)
    ]
    antialiased = mode == "mip"
    exact = tuple(parameters(scene, torch.float64))
    truth = dense.render(exact, camera, antialiased=antialiased, means2d=probes[1])
    by_image, _ = loss_weights(truth)
    (truth.image * by_image).sum().backward()
    ours = parameters(scene, torch.float32)
    image, _ = CpuRenderer().rasterize(*ours, camera, (0, 0, 0), antialiased, means2d=probes[0])
    (image * by_image).sum().backward()
    assert probes[1].grad.norm() > 1
    assert relative(probes[0].grad, probes[1].grad) < 1e-4


def test_degenerate_gaussians_have_finite_gradients() -> None:
    scene = make_scene(300, seed=8)
    log_scales = scene.log_scales.copy()
    log_scales[::3] = -80
    log_scales[1::3] = 9
    for mode in ("default", "mip"):
        gradients = rasterized(
            scene.replace(log_scales=log_scales, mode=mode), CpuRenderer(), make_camera(40, 40)
        )
        assert all(torch.isfinite(g).all() for g in gradients)


def test_no_gaussians() -> None:
    gradients = rasterized(make_scene(0), CpuRenderer(), make_camera(10, 10))
    assert [g.shape[0] for g in gradients] == [0] * 5


def zero_colour() -> np.float32:
    """A coefficient whose colour, rounded to float at every step, is exactly 0."""
    constant, sh = np.float32(0.28209479177387814), np.float32(-1.7725)
    while constant * sh != np.float32(-0.5):
        sh = np.nextafter(sh, np.float32(0))
        assert sh < -1.772
    return sh


def test_colour_that_is_exactly_zero_learns() -> None:
    """As clamp_min's gradient: it flows at the boundary, not below."""
    scene = make_scene(1, degree=0).replace(
        means=np.zeros((1, 3)), log_scales=np.full((1, 3), -1), opacity_logits=np.array([3])
    )
    for sh, learns in ((zero_colour(), True), (-2, False)):
        tensors = parameters(scene.replace(sh=np.full((1, 1, 3), sh)), torch.float32)
        image, _ = CpuRenderer().rasterize(*tensors, make_camera(20, 20))
        assert image.abs().max() < 1e-6
        image.sum().backward()
        assert bool(tensors[4].grad.any()) == learns


def test_several_views_at_once_keep_their_own_lists() -> None:
    scene, renderer = make_scene(400, seed=9), CpuRenderer()
    cameras = [make_camera(50, 40, angle=a) for a in (0, 1, 2)]
    together = parameters(scene, torch.float32)
    images = [renderer.rasterize(*together, camera)[0] for camera in cameras]
    sum(image.square().sum() for image in images).backward()
    apart = parameters(scene, torch.float32)
    for camera in cameras:
        renderer.rasterize(*apart, camera)[0].square().sum().backward()
    for a, b in zip(together, apart, strict=True):
        assert relative(a.grad, b.grad.double()) < 1e-5


def test_tensors_are_checked() -> None:
    good = parameters(make_scene(5), torch.float32)
    camera = make_camera(8, 8)
    for index, wrong in ((0, good[0].double()), (1, good[0]), (4, good[4][:, :, :2])):
        tensors = list(good)
        tensors[index] = wrong
        with pytest.raises(InputError, match=NAMES[index]):
            CpuRenderer().rasterize(*tensors, camera)
