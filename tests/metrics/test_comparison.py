"""Extractors, and all figures at once."""

import types

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import metrics
from gan_jax.metrics.comparison import ALL, CHEAP, Compared, compare, mean_and_deviation
from gan_jax.metrics.extractors import Extracted, by_channel, by_network, pixels


def brightness(weights, images):
    """A network of three classes, dark, grey and bright, of uint8 images."""
    mean = images.mean(axis=(1, 2, 3)) / 127.5 - 1
    logits = weights["scale"] * jnp.stack([-mean, 0.5 - abs(mean), mean], axis=-1)
    return types.SimpleNamespace(features=logits[:, :2], logits=logits)


WEIGHTS = {"scale": jnp.float32(2)}
CLASSIFIER = by_network("classifier", brightness, WEIGHTS, "abc", num_classes=3)


def levels(*values, channels=1):
    """An image of one level each, uint8."""
    return np.uint8(values).reshape(-1, 1, 1, channels) * np.ones((1, 4, 4, 1), np.uint8)


def test_pixels_lie_in_zero_to_one_and_points_stay():
    extractor = pixels()
    found = extractor.extract(extractor.weights, jnp.asarray(levels(0, 51, 255)))
    assert found.logits is None
    np.testing.assert_allclose(found.features, np.repeat([[0], [0.2], [1]], 16, axis=1))
    points = jnp.array([[[[-0.5, 0.25]]]])
    np.testing.assert_array_equal(extractor.extract({}, points).features, [[-0.5, 0.25]])


def test_a_network_classifies_if_it_was_trained_to():
    found = CLASSIFIER.extract(WEIGHTS, jnp.asarray(levels(0, 128, 255)))
    np.testing.assert_allclose(found.features[::2], [[2, -1], [-2, -1]], atol=1e-6)
    np.testing.assert_array_equal(found.classes, [0, 1, 2])
    untrained = by_network("random", brightness, WEIGHTS, "seed 0")
    assert untrained.extract(WEIGHTS, jnp.asarray(levels(0))).logits is None


def test_channels_of_a_stack_are_looked_at_one_by_one():
    stacked = by_channel(CLASSIFIER, 3)
    assert stacked.num_classes == 27
    found = stacked.extract(WEIGHTS, jnp.asarray(levels(255, 128, 0, 0, 0, 255, channels=3)))
    np.testing.assert_array_equal(found.classes, [2 * 9 + 1 * 3 + 0, 2])
    apart = CLASSIFIER.extract(WEIGHTS, jnp.asarray(levels(255, 128, 0)))
    np.testing.assert_array_equal(found.features[0], apart.features.reshape(-1))


def test_figures_are_named_after_their_extractor():
    assert CLASSIFIER.figure("fd") == "fd_classifier"
    assert [CLASSIFIER._replace(name="inception").figure(m) for m in ("fd", "kd", "is")] == [
        *("fid", "kid", "inception_score")
    ]


def compared(fake_classes, asked):
    def of(seed, classes):
        noise = np.random.default_rng(seed).normal(size=(len(classes), 4))
        logits = 5.0 * np.eye(3)[classes]
        return Extracted(noise + classes[:, None], logits, classes)

    train = of(0, np.arange(300) % 3)
    return Compared(
        CLASSIFIER,
        train=train,
        held_out=of(1, np.arange(90) % 3),
        fake=of(2, fake_classes),
        asked=asked,
        gaussian=metrics.Gaussian.of(train.features),
        labels=train.classes,
    )


def test_each_figure_is_its_metric():
    classes = np.arange(120) % 2
    case = compared(classes, np.zeros(120, int))
    found = compare(case)
    train, fake = case.train.features, case.fake.features
    assert found["fd_classifier"] == metrics.frechet_distance(train, fake)
    expected = metrics.kernel_distance(train, fake, subset_size=120)
    assert (found["kd_classifier"], found["kd_classifier_std"]) == expected
    assert found["is_classifier"] == metrics.inception_score(case.fake.logits).mean
    assert (found["modes"], found["modes_kl"]) == (2, pytest.approx(np.log(1.5)))
    assert found["accuracy"] == 0.5
    assert 0.3 < found["nearer"] < 0.7
    pair = case.of_equal_number()
    expected = {
        **metrics.precision_recall(*pair, k=3)._asdict(),
        **metrics.density_coverage(*pair, k=5)._asdict(),
    }
    assert {name: found[name] for name in expected} == expected
    cheap = compare(case, CHEAP)
    assert cheap == {
        name: found[name] for name in ("fd_classifier", "modes", "modes_kl", "accuracy")
    }


def test_wrong_classes_show_in_the_distance_within_classes_alone():
    classes = np.arange(120) % 3
    right, wrong = (compare(compared(classes, (classes + shift) % 3)) for shift in (0, 1))
    assert right["fd_classifier"] == wrong["fd_classifier"]
    case = compared(classes, classes)
    assert right["intra_fd_classifier"] == pytest.approx(
        metrics.class_frechet_distances(
            *(case.train.features, case.labels, case.fake.features, classes), num_classes=3
        ).mean()
    )
    assert wrong["intra_fd_classifier"] > 10 * right["intra_fd_classifier"]
    many = compared(classes, 50 * classes)
    assert "intra_fd_classifier" not in compare(many)


def test_many_fakes_tell_the_distance_at_infinity():
    case = compared(np.arange(12_000) % 3, None)
    found = compare(case, ALL)
    expected = metrics.frechet_distance_at_infinity(case.train.features, case.fake.features)
    assert found["fd_classifier_at_infinity"] == expected < found["fd_classifier"]
    assert "fd_classifier_at_infinity" not in compare(compared(np.arange(120) % 3, None))


def test_balls_are_of_as_many_reals_as_fakes():
    real, fake = compared(np.arange(120) % 3, None).of_equal_number()
    assert real.shape == fake.shape == (120, 4)


def test_what_features_cannot_tell_is_left_out():
    case = compared(np.arange(120) % 3, None)
    assert "accuracy" not in compare(case, ALL[2:3])
    bare = case._replace(
        extractor=pixels(), fake=Extracted(case.fake.features), held_out=None, asked=None
    )
    assert set(compare(bare)) == {
        *("fd_pixels", "kd_pixels", "kd_pixels_std", "precision", "recall", "density", "coverage")
    }


def test_mean_and_deviation_over_runs():
    means, spread = mean_and_deviation([{"fd": 1.0, "kd_std": 2.0}, {"fd": 3.0, "kd_std": 4.0}])
    assert means == {"fd": 2.0, "kd_std": 3.0}
    assert spread == {"fd": pytest.approx(np.sqrt(2))}
    assert mean_and_deviation([{"fd": 1.0}]) == ({"fd": 1.0}, {})
