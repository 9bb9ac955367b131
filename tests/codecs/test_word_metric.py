"""Words in the metric of images: against a slow twin, and better where it shows."""

from __future__ import annotations

import numpy as np
import pytest

from gscompress.codecs.assigned import Assigned
from gscompress.codecs.beam import beam_search
from gscompress.codecs.guidance import Sightings
from gscompress.codecs.harmonics import image_metric
from gscompress.codecs.kmeans import KMeans
from gscompress.codecs.word_metric import WordMetric, codebook, refine


def random_metric(count: int, terms: int, seed: int = 0) -> tuple[WordMetric, np.ndarray]:
    """As of Gaussians that are seen from few directions, and the matrices themselves."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(0, 1, (count, terms, 2)).astype(np.float32)
    matrices = seen @ seen.transpose(0, 2, 1) + 0.01 * np.eye(terms, dtype=np.float32)
    return WordMetric(matrices[:, *np.triu_indices(terms)], terms), matrices


def cost(matrices: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The obvious slow twin."""
    split = errors.reshape(len(errors), matrices.shape[1], -1)
    return np.array(
        [
            sum(e[:, c] @ m @ e[:, c] for c in range(split.shape[2]))
            for m, e in zip(matrices, split, strict=True)
        ]
    )


def test_costs_and_best_words_are_those_of_the_twin():
    rng = np.random.default_rng(1)
    metric, matrices = random_metric(150, 4)
    vectors = rng.normal(3, 1, (150, 12)).astype(np.float32)
    words = rng.normal(3, 1, (40, 12)).astype(np.float32)
    everything = np.stack([cost(matrices, vectors - word) for word in words], axis=1)
    labels = metric.best(vectors, words, np.eye(12))
    np.testing.assert_allclose(
        everything[np.arange(150), labels], everything.min(axis=1), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        metric.costs(vectors - words[labels]), everything.min(axis=1), rtol=1e-3, atol=1e-4
    )
    nearest = np.argmin(((vectors[:, None] - words) ** 2).sum(axis=2), axis=1)
    assert everything[np.arange(150), nearest].sum() > 1.2 * everything.min(axis=1).sum()


def test_words_along_axes_are_chosen_as_the_vectors_that_they_make():
    rng = np.random.default_rng(1)
    metric, matrices = random_metric(100, 4)
    vectors = rng.normal(1, 1, (100, 12)).astype(np.float32)
    axes = np.linalg.qr(rng.normal(0, 1, (12, 12)))[0][:5]
    words = rng.normal(1, 1, (30, 5)).astype(np.float32)
    everything = np.stack([cost(matrices, vectors - word @ axes) for word in words], axis=1)
    found = everything[np.arange(100), metric.best(vectors, words, axes)]
    np.testing.assert_allclose(found, everything.min(axis=1), rtol=1e-4, atol=1e-4)


def test_plain_metrics_give_the_nearest_words():
    rng = np.random.default_rng(2)
    vectors = rng.normal(0, 1, (200, 3)).astype(np.float32)
    words = rng.normal(0, 1, (16, 3)).astype(np.float32)
    metric = WordMetric.plain(rng.random(200) + 0.1)
    nearest = np.argmin(((vectors[:, None] - words) ** 2).sum(axis=2), axis=1)
    assert (metric.best(vectors, words, np.eye(3)) == nearest).all()


def test_fitted_words_have_no_better_neighbours():
    rng = np.random.default_rng(3)
    metric, matrices = random_metric(300, 3)
    vectors = rng.normal(0, 1, (300, 6)).astype(np.float32)
    labels = rng.integers(0, 10, 300)
    axes = np.linalg.qr(rng.normal(0, 1, (6, 6)))[0][:4]
    words = np.zeros((11, 4), np.float32)
    words[10] = 7
    found = metric.fitted(vectors, labels, words, axes)
    assert (found[10] == 7).all()  # nobody's
    least = cost(matrices, vectors - (found @ axes)[labels]).sum()
    for _ in range(20):
        other = found + rng.normal(0, 0.02, found.shape)
        assert cost(matrices, vectors - (other @ axes)[labels]).sum() > least


def test_newton_is_where_the_gradient_vanishes():
    rng = np.random.default_rng(4)
    metric, matrices = random_metric(20, 3)
    wanted = rng.normal(0, 1, (20, 3, 2))
    gradients = (2 * matrices @ -wanted).astype(np.float32)  # of e^T M e at e = -wanted
    np.testing.assert_allclose(-metric.newton(gradients), wanted, rtol=1e-2, atol=1e-2)


def test_the_metric_of_harmonics_and_constant_terms_that_make_up():
    rng = np.random.default_rng(5)
    means = rng.normal(0, 1, (50, 3)).astype(np.float32)
    eyes = rng.normal(0, 4, (6, 3)).astype(np.float32)
    sightings = Sightings.of(eyes, rng.random((50, 6)) + 0.1)
    gram = image_metric(means, sightings, 4, 1.0)
    whole = WordMetric.of_harmonics(means, sightings, 4, 1.0, apart=False)
    np.testing.assert_allclose(
        whole.matrices(slice(None)) * whole.unit, gram, rtol=1e-4, atol=1e-4 * gram.max()
    )
    apart = WordMetric.of_harmonics(means, sightings, 4, 1.0, apart=True)
    assert apart.shares is not None
    errors = rng.normal(0, 1, (50, 3, 3)).astype(np.float32)
    constant = -np.einsum("nk,nkc->nc", apart.shares, errors)[:, None]
    with_constant = np.concatenate([constant, errors], axis=1)
    np.testing.assert_allclose(
        apart.costs(errors.reshape(50, 9)) * apart.unit,
        cost(gram, with_constant.reshape(50, 12)),
        rtol=1e-3,
    )
    assert (apart.costs(errors.reshape(50, 9)) * apart.unit < cost(
        gram, np.pad(errors, ((0, 0), (1, 0), (0, 0))).reshape(50, 12)
    )).all()  # fmt: skip


def test_unseen_gaussians_hardly_count():
    sightings = Sightings.of(np.ones((3, 3), np.float32), np.array([[1, 2, 1], [0, 0, 0]]))
    metric = WordMetric.of_harmonics(np.zeros((2, 3), np.float32), sightings, 4, 1.0, apart=False)
    seen, unseen = metric.weights()
    assert unseen == pytest.approx(1e-3 * seen, rel=1e-3)


def test_codebooks_in_the_metric_cost_less():
    rng = np.random.default_rng(6)
    metric, matrices = random_metric(1500, 4)
    vectors = rng.normal(0, 1, (1500, 8)).astype(np.float32)
    words, labels = codebook(64, vectors, metric, rounds=3)
    plain, nearest = KMeans(64).fit(vectors, metric.weights())
    assert words.shape == plain.shape
    ours = cost(matrices, vectors - words[labels]).sum()
    assert ours < 0.5 * cost(matrices, vectors - plain[nearest]).sum()


def test_refining_never_costs_more():
    rng = np.random.default_rng(7)
    metric, matrices = random_metric(400, 4)
    vectors = rng.normal(0, 1, (400, 8)).astype(np.float32)
    axes = tuple(np.split(np.linalg.qr(rng.normal(0, 1, (8, 8)))[0], 2))
    found = Assigned(
        tuple(rng.normal(0, 1, (16, 4)).astype(np.float32) for _ in axes),
        axes,
        rng.integers(0, 16, (2, 400)).astype(np.int32),
    )
    costs = [cost(matrices, vectors - found.vectors()).sum()]
    for _ in range(3):
        found = refine(found, vectors, metric, 1)
        costs.append(cost(matrices, vectors - found.vectors()).sum())
    assert costs == sorted(costs, reverse=True)
    assert costs[3] < 0.5 * costs[0]


def test_a_wide_beam_finds_the_best_sum():
    rng = np.random.default_rng(8)
    metric, matrices = random_metric(60, 3)
    vectors = rng.normal(0, 1, (60, 3)).astype(np.float32)
    tables = [rng.normal(0, size, (6, 3)).astype(np.float32) for size in (1, 0.5, 0.3)]
    sums = [a + b + c for a in tables[0] for b in tables[1] for c in tables[2]]
    least = np.min([cost(matrices, vectors - one) for one in sums], axis=0)

    def costs(width: int) -> np.ndarray:
        labels = beam_search(vectors, tables, metric, width)
        got = sum(table[index] for table, index in zip(tables, labels, strict=True))
        return cost(matrices, vectors - got)

    np.testing.assert_allclose(costs(36), least, rtol=1e-3, atol=1e-5)
    greedy, narrow = costs(1).sum(), costs(4).sum()
    assert least.sum() <= narrow < 0.9 * greedy
