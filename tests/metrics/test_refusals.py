"""What cannot be measured is refused in a line that says why."""

import numpy as np
import pytest

import gan_jax
from gan_jax import metrics

X = np.random.default_rng(0).normal(size=(30, 3))
LABELS = np.arange(30) % 3
NAN = np.full((30, 3), np.nan)


@pytest.mark.parametrize(
    "metric",
    [
        metrics.frechet_distance,
        lambda a, b: metrics.kernel_distance(a, b, subset_size=10),
        metrics.precision_recall,
        metrics.density_coverage,
        metrics.nearest_neighbours,
        lambda a, b: metrics.memorization(a, X, b),
        lambda a, b: metrics.frechet_distance_at_infinity(a, b, least=10),
    ],
)
@pytest.mark.parametrize(
    ("fake", "words"),
    [(X[:, :2], "of one width"), (X[0], r"these are \(3,\)"), (NAN, "not finite")],
)
def test_features_that_do_not_fit(metric, fake, words):
    with pytest.raises(gan_jax.InputError, match=words):
        metric(X, fake)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.kernel_distance(X, X), "30 examples to draw from: choose from 2 to 30"),
        (lambda: metrics.precision_recall(X, X[:3]), "3 examples do not have 3 neighbours"),
        (lambda: metrics.precision_recall(X, X, k=0), "k is 1 or more"),
        (lambda: metrics.precision_to_coverage(X, X, 3, 0), "k is 1 or more"),
        (lambda: metrics.inception_score(X, splits=31), "the 30 samples"),
        (lambda: metrics.inception_score(X[0]), r"these are \(3,\)"),
        (lambda: metrics.frechet_distance_at_infinity(X, X), "subsets from 2 to 29"),
        (lambda: metrics.frechet_distance_at_infinity(X, X, least=9, points=1), "2 points"),
        (lambda: metrics.class_accuracy(X, LABELS[:5]), "labels are 30 integers"),
        (lambda: metrics.class_accuracy(X, LABELS / 2), "integers"),
        (lambda: metrics.class_accuracy(X, LABELS + 1), "from 0 to 2"),
        (lambda: metrics.mode_coverage(LABELS, 2), "from 0 to 1"),
        (lambda: metrics.mode_coverage(LABELS[:0], 2), "no sample"),
        (lambda: metrics.mode_coverage(LABELS, 3, expected=[1, 1, 0]), "each of 3 modes"),
        (
            lambda: metrics.class_frechet_distances(X, LABELS, X, LABELS[:2], num_classes=3),
            "labels are 30",
        ),
    ],
)
def test_arguments_that_do_not_fit(call, words):
    with pytest.raises(gan_jax.InputError, match=words):
        call()
