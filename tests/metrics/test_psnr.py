import numpy as np
import pytest

from gscompress.errors import InputError
from gscompress.metrics import PSNR_CAP, psnr


def grey(value: float, height: int = 40, width: int = 50) -> np.ndarray:
    return np.full((height, width, 3), value, np.float32)


def test_constant_offset_gives_the_analytic_value():
    assert psnr(grey(0.5), grey(0.6)) == pytest.approx(20.0, abs=1e-5)
    assert psnr(grey(0.5), grey(0.501)) == pytest.approx(60.0, abs=1e-3)


def test_noise_of_known_deviation():
    noise = np.random.default_rng(1).normal(0, 0.01, (400, 500, 3))
    image = (grey(0.5, 400, 500) + noise).astype(np.float32)
    # 600,000 samples: the mean square is within 1 % (0.02 dB is 5 standard errors)
    assert psnr(image, grey(0.5, 400, 500)) == pytest.approx(40.0, abs=0.02)


def test_values_outside_0_1_are_clamped():
    assert psnr(grey(1.7), grey(1.0)) == PSNR_CAP
    assert psnr(grey(-3.0), grey(0.1)) == pytest.approx(20.0, abs=1e-5)


def test_nothing_is_rounded_to_8_bits():
    assert psnr(grey(0.5), grey(0.5001)) == pytest.approx(80.0, abs=0.01)


def test_one_wrong_value_among_many():
    image = grey(0.0)
    image[3, 7, 1] = 1.0
    assert psnr(image, grey(0.0)) == pytest.approx(10 * np.log10(40 * 50 * 3), abs=1e-6)


def test_identical_images_get_the_cap_which_is_finite():
    assert psnr(grey(0.3), grey(0.3)) == PSNR_CAP == 150.0


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (grey(0.5)[:, :, 0], "shape"),
        (grey(0.5)[1:], "shape"),
        (grey(np.nan), "NaN"),
        (grey(np.inf), "NaN or infinity"),
        ((grey(0.5) * 255).astype(np.uint8), "uint8"),
        (grey(0.5)[:0], "shape"),
    ],
)
def test_refuses_what_is_no_pair_of_images(image, found):
    with pytest.raises(InputError, match=found):
        psnr(image, grey(0.5))


def test_inputs_are_not_modified():
    image, reference = grey(1.5), grey(-0.5)
    psnr(image, reference)
    assert (image == 1.5).all()
    assert (reference == -0.5).all()
