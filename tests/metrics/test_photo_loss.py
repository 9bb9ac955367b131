"""The loss of Gaussian splatting: its value, and its gradient from the native core."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the loss is for optimising with torch")

import torch
from skimage.metrics import structural_similarity

from gscompress.errors import InputError
from gscompress.metrics.photo_loss import PhotoLoss


def images(height: int, width: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = torch.rand(2, height, width, 3, generator=torch.Generator().manual_seed(seed))
    return 1.1 * a, 0.7 * a + 0.3 * b


def gradient(loss: PhotoLoss, image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    image = image.clone().requires_grad_(True)
    loss(image, target).backward()
    assert image.grad is not None
    return image.grad


def test_is_l1_and_ssim() -> None:
    a, b = images(40, 50)
    similarity = structural_similarity(
        a.double().numpy(),
        b.double().numpy(),
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )[1][5:-5, 5:-5].mean()
    expected = 0.8 * float((a - b).abs().mean()) + 0.2 * (1 - similarity)
    assert float(PhotoLoss()(a, b)) == pytest.approx(expected, rel=1e-5)
    assert float(PhotoLoss()(a.double(), b.double())) == pytest.approx(expected, rel=1e-6)
    assert float(PhotoLoss()(b, b)) == pytest.approx(0, abs=1e-6)


def test_twin_has_the_gradient_of_its_value() -> None:
    a, b = (image.double() for image in images(13, 12))
    loss = PhotoLoss(0.7)
    assert torch.autograd.gradcheck(lambda x: loss(x, b), a.requires_grad_(True), fast_mode=True)


@pytest.mark.parametrize("softness", [0.0, 0.03])
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("size", [(11, 11), (11, 40), (45, 12), (97, 70)])
def test_native_is_its_twin(share: float, softness: float, size: tuple[int, int]) -> None:
    a, b = images(*size, seed=size[0])
    loss = PhotoLoss(share, softness, threads=2)
    assert float(loss(a, b)) == pytest.approx(float(loss(a.double(), b.double())), rel=2e-5)
    expected = gradient(loss, a.double(), b.double())
    found = gradient(loss, a, b).double()
    assert float((found - expected).abs().max()) <= 2e-5 * float(expected.abs().max())


def test_threads_change_no_bit() -> None:
    a, b = images(130, 33)
    alone, together = (PhotoLoss(threads=threads) for threads in (1, 3))
    assert torch.equal(alone(a, b), together(a, b))
    assert torch.equal(gradient(alone, a, b), gradient(together, a, b))


def test_gradient_is_scaled_by_what_comes_after() -> None:
    a, b = images(20, 20)
    image = a.clone().requires_grad_(True)
    (3 * PhotoLoss()(image, b)).backward()
    assert image.grad is not None
    np.testing.assert_allclose(image.grad, 3 * gradient(PhotoLoss(), a, b), rtol=1e-6)


@pytest.mark.parametrize("shape", [(10, 40, 3), (40, 10, 3), (40, 40, 4)])
def test_images_without_a_window_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="at least 11"):
        PhotoLoss()(torch.zeros(shape), torch.zeros(shape))


def test_softness_makes_small_differences_squares() -> None:
    a, b = images(20, 20)
    near = b + 1e-3 * (a - b)
    squares = float((near - b).square().mean()) / (2 * 0.1)
    assert float(PhotoLoss(0.0, 0.1)(near, b)) == pytest.approx(squares, rel=1e-3)
    assert float(PhotoLoss(0.0, 1e-6)(a, b)) == pytest.approx(float(PhotoLoss(0.0)(a, b)), rel=1e-4)


def test_parameters_are_checked() -> None:
    with pytest.raises(InputError, match="ssim_share"):
        PhotoLoss(1.5)
    with pytest.raises(InputError, match="softness"):
        PhotoLoss(0.2, -1.0)
