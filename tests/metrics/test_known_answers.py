"""Metrics where the answer is known beforehand."""

import numpy as np
import pytest

from gan_jax import metrics
from gan_jax.metrics import Gaussian


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def ball(seed, num, radius, width=2):
    """Points spread evenly over a ball around 0."""
    direction = normal(seed, num, width)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    share = np.random.default_rng(seed + 1).random((num, 1)) ** (1 / width)
    return radius * share * direction


def test_precision_and_recall_of_nested_balls():
    """Twice as wide, a quarter of fakes is real; half as wide, a quarter of reals is found."""
    real, wide, narrow = ball(0, 4_000, 1), ball(2, 4_000, 2), ball(4, 4_000, 0.5)
    precision, recall = metrics.precision_recall(real, wide)
    assert precision == pytest.approx(0.25, abs=0.03)
    assert recall > 0.9
    precision, recall = metrics.precision_recall(real, narrow)
    assert precision > 0.9
    assert recall == pytest.approx(0.25, abs=0.03)


def test_density_and_coverage_of_nested_balls():
    """Where fakes are four times as dense, so are their counts; three quarters stay empty."""
    real, narrow = ball(0, 4_000, 1), ball(4, 4_000, 0.5)
    density, coverage = metrics.density_coverage(real, narrow)
    assert density == pytest.approx(1, abs=0.05)  # of the same number of balls each
    assert coverage == pytest.approx(0.25, abs=0.04)  # and balls that reach in from outside
    density, coverage = metrics.density_coverage(real, ball(6, 4_000, 1))
    assert density == pytest.approx(1, abs=0.05)
    # A ball of k = 5 holds none of as many others with probability 2^-5.
    assert coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_one_outlier_among_reals_makes_no_density():
    """It has a ball that holds all fakes: precision calls them real, density does not."""
    real = np.concatenate([normal(0, 200, 2), [[100.0, 0.0]]])
    fake = np.array([50.0, 0.0]) + normal(1, 200, 2)
    assert metrics.precision_recall(real, fake).precision == 1
    assert metrics.density_coverage(real, fake).density == pytest.approx(1 / 5)


def test_kernel_distance_is_unbiased():
    """About 0, and as often below it, where both sides are drawn from the same."""
    real, fake = normal(0, 4_000, 8), normal(1, 4_000, 8)
    mean, std = metrics.kernel_distance(real, fake, subset_size=200)
    assert abs(mean) < 3 * std / np.sqrt(20)  # the draws are of twenty apart
    assert metrics.kernel_distance(real, fake + 1, subset_size=200).mean > 1


def test_inception_score_goes_from_one_to_the_number_of_classes():
    sure = 1e3 * np.eye(5)[np.arange(500) % 5]
    assert metrics.inception_score(sure, shuffle=False) == pytest.approx((5, 0), abs=1e-9)
    assert metrics.inception_score(np.zeros((500, 5))) == pytest.approx((1, 0), abs=1e-9)
    assert metrics.inception_score(np.tile(sure[:1], (500, 1))) == pytest.approx((1, 0), abs=1e-9)


def test_distance_at_infinity_has_no_bias_of_the_number_of_fakes():
    real, fake = normal(0, 60_000, 16), normal(1, 2_000, 16)
    at_2_000 = metrics.frechet_distance(real, fake)
    found = metrics.frechet_distance_at_infinity(real, fake, least=300)
    assert at_2_000 > 0.03
    assert abs(found) < at_2_000 / 2
    shifted = metrics.frechet_distance_at_infinity(real, fake + 1, least=300)
    assert shifted == pytest.approx(16, rel=0.1)


def test_a_generator_that_drops_three_digits():
    """It loses those modes, and its distance rises above the floor."""
    centres = 8 * normal(0, 10, 12)

    def drawn(seed, digits):
        labels = np.random.default_rng(seed).choice(digits, 2_000)
        return labels, centres[labels] + normal(seed + 1, 2_000, 12)

    _, real = drawn(0, range(10))
    all_labels, all_ten = drawn(2, range(10))
    seven_labels, seven = drawn(4, range(7))
    assert metrics.mode_coverage(all_labels, 10).covered == 10
    covered, kl = metrics.mode_coverage(seven_labels, 10)
    assert covered == 7
    assert kl == pytest.approx(np.log(10 / 7), abs=0.01)
    floor = metrics.frechet_distance(real, all_ten)
    assert metrics.frechet_distance(real, seven) - floor > 10 * floor
    assert metrics.precision_recall(real, seven).recall < 0.75


def test_swapped_classes_are_seen_within_classes_only():
    """As of a conditional generator that draws fine digits of the wrong classes."""
    labels = np.arange(600) % 3
    real, fake = (10 * labels[:, None] + normal(seed, 600, 4) for seed in (0, 1))
    swapped = (labels + 1) % 3

    def within(fake_labels):
        return metrics.class_frechet_distances(real, labels, fake, fake_labels, num_classes=4)

    assert (within(labels)[:3] < 1).all()
    assert np.isnan(within(labels)[3])  # nobody is of it
    np.testing.assert_allclose(within(swapped)[:3], [4 * 400, 4 * 100, 4 * 100], rtol=0.1)
    one = metrics.frechet_distance(real[labels == 0], fake[labels == 0])
    assert within(labels)[0] == pytest.approx(one, rel=1e-12)
    logits = np.eye(3)[labels]
    assert metrics.class_accuracy(logits, labels) == 1
    assert metrics.class_accuracy(logits, swapped) == 0


def test_copies_are_reported_as_memorized():
    train, held_out, fake = (normal(seed, 500, 4) for seed in range(3))
    honest = metrics.memorization(train, held_out, fake)
    assert honest.nearer == pytest.approx(0.5, abs=0.06)
    assert abs(honest.z) < 3
    chosen = np.random.default_rng(3).integers(500, size=400)
    copies = metrics.memorization(train, held_out, train[chosen])
    assert copies.nearer == 1
    assert copies.z > 20
    assert copies.fake_distance == 0
    assert copies.held_out_distance == honest.held_out_distance > 0
    np.testing.assert_array_equal(copies.indices, chosen)
    noise = metrics.memorization(train, held_out, 10 * fake)
    assert noise.nearer < 0.2


def test_the_test_of_mann_and_whitney_counts_ties():
    """A half of each tie, and the variance that is left: by hand."""
    train = np.zeros((1, 1))
    found = metrics.memorization(train, np.array([[1.0], [2.0]]), np.array([[1.0], [3.0]]))
    assert found.nearer == (0.5 + 1) / 4  # 1 ties with 1 and is less than 2; 3 is less than none
    # Ranks 1.5, 1.5, 3, 4: variance of U, 2 * 2 / 12 * (5 - (8 - 2) / (4 * 3)), over (2 * 2)^2.
    assert found.z == pytest.approx((0.375 - 0.5) / np.sqrt(4 / 12 * 4.5 / 16))


def test_nearest_neighbours():
    queries, references = normal(0, 50, 3), normal(1, 70, 3)
    distances = np.linalg.norm(queries[:, None] - references, axis=-1)
    found = metrics.nearest_neighbours(queries, references)
    np.testing.assert_allclose(found.distances, distances.min(1), rtol=1e-12)
    np.testing.assert_array_equal(found.indices, distances.argmin(1))


def test_modes():
    found = metrics.mode_coverage(np.array([0, 0, 1, 3]), 4)
    assert found == (3, pytest.approx(np.log(4) - 1.5 * np.log(2)))
    assert metrics.mode_coverage(np.array([0, 0, 1, 3]), 4, expected=[8, 4, 0, 4]).kl == 0
    np.testing.assert_array_equal(metrics.stacked_modes(np.array([[3, 1, 4], [0, 0, 9]])), [314, 9])


def test_features_of_float32_are_measured_in_float64():
    """Far from 0, where a product of two float32 has no digit of the distance left."""
    real, fake = (np.float32(1_000 + normal(seed, 300, 4)) for seed in range(2))
    exact = metrics.precision_recall(real - 1_000, fake - 1_000)
    assert metrics.precision_recall(real, fake) == exact
    found = metrics.frechet_distance(real, fake)
    assert found == pytest.approx(metrics.frechet_distance(real - 1_000, fake - 1_000), rel=1e-6)
    assert Gaussian.of(real).mean.dtype == np.float64
