"""The Frechet distance against its closed forms and the root of the product that papers print."""

import numpy as np
import pytest
import scipy.linalg

import gan_jax
from gan_jax.metrics import Gaussian, frechet_distance


def features(seed, num, width=6):
    """Correlated features (num, width) that have a mean."""
    mixed = np.random.default_rng(seed + 100).normal(size=(width, width))
    return np.random.default_rng(seed).normal(1, 2, (num, width)) @ mixed


def test_what_fits_features_is_their_mean_and_covariance():
    x = features(0, 50)
    fit = Gaussian.of(x.astype(np.float32))
    assert fit.mean.dtype == fit.covariance.dtype == np.float64
    np.testing.assert_allclose(fit.mean, x.mean(0), rtol=1e-6)
    np.testing.assert_allclose(fit.covariance, np.cov(x, rowvar=False), rtol=1e-4)


def test_axes_that_vary_apart_add_their_distances():
    """In one dimension it is `(m1 - m2)^2 + (s1 - s2)^2`."""
    means, deviations = np.array([[0.0, 1, 5], [2, 1, 4]]), np.array([[1.0, 3, 0], [1, 2, 2]])
    a, b = (Gaussian(m, np.diag(s**2)) for m, s in zip(means, deviations, strict=True))
    assert a.distance(b) == pytest.approx((4 + 0) + (0 + 1) + (1 + 4), rel=1e-12)


def test_the_root_of_the_product_has_the_same_trace():
    a, b = Gaussian.of(features(0, 40)), Gaussian.of(features(1, 60))
    root = scipy.linalg.sqrtm(a.covariance @ b.covariance)
    square = np.sum((a.mean - b.mean) ** 2)
    expected = square + np.trace(a.covariance + b.covariance - 2 * root.real)
    assert a.distance(b) == pytest.approx(expected, rel=1e-10)
    assert b.distance(a) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("num", [5, 200])
def test_the_same_features_have_no_distance(num):
    """With fewer samples than dimensions too, in any order."""
    x = features(0, num, width=20)
    scale = np.trace(Gaussian.of(x).covariance)
    assert abs(frechet_distance(x, x[::-1])) < 1e-6 * scale


def test_a_shift_adds_its_square():
    x = features(0, 5, width=20)
    scale = np.trace(Gaussian.of(x).covariance)
    assert frechet_distance(x, x + 3) == pytest.approx(20 * 9, abs=1e-6 * scale)


@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        (np.ones((4, 3)), np.ones((4, 2)), "3 and 2 wide"),
        (np.ones((4, 3)), np.ones(4), r"these are \(4,\)"),
        (np.ones((1, 3)), np.ones((4, 3)), "N >= 2"),
        (np.ones((4, 3)), np.full((4, 3), np.nan), "not finite"),
    ],
)
def test_what_has_no_distance_is_refused(real, fake, words):
    with pytest.raises(gan_jax.InputError, match=words):
        frechet_distance(real, fake)
