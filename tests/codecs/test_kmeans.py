"""k-means: near the plain algorithm, weighted, deterministic, no dead words."""

import numpy as np
import pytest

from gscompress.codecs.kmeans import KMeans, nearest, weighted_means


def blobs(n: int = 6000, dims: int = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 2, (40, dims))
    return (centres[rng.integers(40, size=n)] + rng.normal(0, 0.5, (n, dims))).astype(np.float32)


def error(x: np.ndarray, words: np.ndarray, labels: np.ndarray) -> float:
    return float(np.square(x - words[labels]).sum())


def plain(x: np.ndarray, size: int, rounds: int) -> float:
    """The obvious slow twin."""
    words = x[np.random.default_rng(1).permutation(len(x))[:size]].astype(np.float64)
    for _ in range(rounds):
        labels = np.argmin(((x[:, None] - words) ** 2).sum(axis=2), axis=1)
        words = np.stack(
            [x[labels == k].mean(axis=0) if (labels == k).any() else words[k] for k in range(size)]
        )
    return error(x, words, np.argmin(((x[:, None] - words) ** 2).sum(axis=2), axis=1))


def test_as_good_as_the_plain_algorithm():
    x = blobs(2500)
    words, labels = KMeans(160).fit(x, np.ones(len(x)))
    assert words.shape == (160, 6)
    assert error(x, words, labels) < 1.05 * plain(x, 160, 8)


def test_exact_rounds_end_with_the_nearest_words():
    x = blobs()
    words, labels = KMeans(500, rounds=2, exact_rounds=1).fit(x, np.ones(len(x)))
    distances = ((x[:, None].astype(np.float64) - words) ** 2).sum(axis=2)
    assert np.allclose(distances[np.arange(len(x)), labels], distances.min(axis=1), atol=1e-4)
    assert (nearest(x, words) == labels).all()


def test_cells_lose_little():
    x = blobs(20_000)
    words, labels = KMeans(1024).fit(x, np.ones(len(x)))
    assert error(x, words, labels) < 1.02 * error(x, words, nearest(x, words))


def test_no_word_is_dead():
    x = np.concatenate([np.zeros((5000, 3)), np.random.default_rng(2).normal(0, 1, (3000, 3))])
    _, labels = KMeans(300, exact_rounds=2).fit(x.astype(np.float32), np.ones(len(x)))
    assert len(np.unique(labels)) >= 297


def test_dead_words_split_the_worst_cells():
    x = np.array([[0, 0], [0.1, 0], [10, 0], [14, 0]], np.float32)
    labels = np.array([0, 0, 1, 1])
    words = KMeans(3)._moved(x, np.ones(4), labels, np.zeros((3, 2), np.float32))
    assert words[:2].tolist() == [[np.float32(0.05), 0], [12, 0]]
    assert words[2].tolist() in ([10, 0], [14, 0])


def test_heavy_vectors_are_served_better():
    x = blobs()
    heavy = np.where(x[:, 0] > 0, 50.0, 1.0)
    words, labels = KMeans(300).fit(x, heavy)
    errors = np.square(x - words[labels]).sum(axis=1)
    assert errors[x[:, 0] > 0].mean() < 0.7 * errors[x[:, 0] <= 0].mean()


def test_the_seed_decides():
    x = blobs()
    first, again, other = (KMeans(200, seed=s).fit(x, np.ones(len(x)))[0] for s in (0, 0, 1))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("size", [50, 64, 1000])
def test_few_different_vectors_are_the_words(size):
    distinct = blobs(50)
    x = distinct[np.random.default_rng(3).integers(50, size=4000)]
    words, labels = KMeans(size).fit(x, np.ones(len(x)))
    assert len(words) == 50
    assert (words[labels] == x).all()


def test_weighted_means():
    x = np.array([[0], [3], [5]], np.float32)
    words = weighted_means(x, np.array([1.0, 2, 1]), np.array([0, 0, 2]), np.full((3, 1), 9.0))
    assert words.ravel().tolist() == [2, 9, 5]


@pytest.mark.cuda
def test_cuda_finds_the_same_words():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x = blobs(20_000)
    words = x[:500].copy()
    assert (nearest(x, words, "cuda") == nearest(x, words)).mean() > 0.999
    made, labels = KMeans(500, device="cuda").fit(x, np.ones(len(x)))
    assert error(x, made, labels) < 1.05 * error(x, *KMeans(500).fit(x, np.ones(len(x))))
