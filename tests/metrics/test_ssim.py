import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from gscompress.errors import InputError
from gscompress.metrics import ssim
from gscompress.metrics.ssim import STRIP


def scene(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    image = gaussian_filter(
        np.random.default_rng(seed).random((height, width, channels)), (2, 2, 0)
    )
    image -= image.min()
    return (image / image.max()).astype(np.float32)


def independent(image: np.ndarray, reference: np.ndarray) -> float:
    """scikit-image's SSIM in float64, whose mean is over the valid region as ours."""
    return structural_similarity(
        image.astype(np.float64),
        reference.astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=-1,
    )


@pytest.mark.parametrize("sigma", [1e-4, 1e-3, 1e-2, 0.1, 0.5])
@pytest.mark.parametrize("size", [(97, 131), (2 * STRIP + 10, 64), (2 * STRIP + 11, 11), (11, 40)])
def test_equals_scikit_image(size, sigma):
    reference = scene(*size)
    noise = np.random.default_rng(2).normal(0, sigma, reference.shape)
    image = np.clip(reference + noise, 0, 1).astype(np.float32)
    assert ssim(image, reference) == pytest.approx(independent(image, reference), abs=1e-6)


def test_equals_scikit_image_where_float32_cancels():
    """A flat bright image: variances are tiny differences of large numbers."""
    reference = np.full((64, 64, 3), 0.999, np.float32)
    image = reference + np.random.default_rng(3).normal(0, 3e-4, reference.shape).astype(np.float32)
    image = np.minimum(image, 1)
    assert ssim(image, reference) == pytest.approx(independent(image, reference), abs=1e-5)


def test_one_channel_and_contrast_inversion():
    image = scene(40, 40, 1)
    assert ssim(1 - image, image) == pytest.approx(independent(1 - image, image), abs=1e-6)
    assert ssim(1 - image, image) < 0


def test_identical_is_one_and_symmetric():
    image, other = scene(50, 60), scene(50, 60, seed=1)
    assert ssim(image, image) == pytest.approx(1.0, abs=1e-7)
    assert ssim(image, other) == pytest.approx(ssim(other, image), abs=1e-9)


def test_falls_with_noise():
    reference = scene(80, 80)
    noise = np.random.default_rng(4).normal(0, 1, reference.shape).astype(np.float32)
    values = [ssim(reference + s * noise, reference) for s in (0.0, 0.01, 0.03, 0.1)]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[-1] > 0.3


def test_clamps():
    image = scene(30, 30)
    assert ssim(np.where(image > 0.9, 5.0, image), np.where(image > 0.9, 1.0, image)) > 1 - 1e-6


def test_too_small_is_refused():
    with pytest.raises(InputError, match="11x11"):
        ssim(scene(10, 40), scene(10, 40))
