import numpy as np
import pytest

from gan_jax.data import sources, toy
from gan_jax.runtime.grid import is_points


@pytest.mark.parametrize("name", toy.TOYS)
def test_points_lie_in_the_square_and_are_the_same_each_time(name):
    source, again = (sources.load(f"toy:{name}") for _ in range(2))
    assert source.image_shape == (1, 1, 2)
    assert is_points(source.image_shape)
    assert source.images.dtype == np.float32
    assert 0.8 < np.abs(source.images).max() <= 1
    np.testing.assert_array_equal(source.images, again.images)
    assert source.fingerprint == again.fingerprint


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 1), (2, 1, 1), (28, 28, 2), (1, 1), (2,)])
def test_what_has_another_shape_is_no_point(shape):
    assert not is_points(shape)
    assert is_points([1, 1, 2])  # as a checkpoint's metadata has it


def test_splits_are_independent_draws():
    train, test = sources.load("toy:ring8"), sources.load("toy:ring8", "test")
    assert len(test) < len(train)
    assert not {point.tobytes() for point in test.images} & {p.tobytes() for p in train.images}
    assert (train.labels[:100] != test.labels[:100]).any()
    assert train.fingerprint != test.fingerprint


def test_grid_is_25_gaussians_two_apart_of_deviation_a_twentieth():
    source = sources.load("toy:grid25")
    points = toy.TOYS["grid25"].points(source.images)
    ticks = (-4, -2, 0, 2, 4)
    modes = np.array([(x, y) for x in ticks for y in ticks])
    nearest = np.square(points[:, None] - modes).sum(-1).argmin(1)
    assert np.bincount(nearest).min() > 0.9 * len(source) / 25
    assert (points - modes[nearest]).std(0) == pytest.approx(0.05, rel=0.01)
    np.testing.assert_array_equal(source.labels, nearest)
    assert source.num_classes == 25


def test_ring_is_8_gaussians_on_a_circle_of_radius_two():
    source = sources.load("toy:ring8")
    points = toy.TOYS["ring8"].points(source.images)
    assert np.linalg.norm(points, axis=1).mean() == pytest.approx(2, abs=1e-3)
    for mode in range(8):
        cloud = points[source.labels == mode]
        angle = mode * np.pi / 4
        np.testing.assert_allclose(cloud.mean(0), (2 * np.cos(angle), 2 * np.sin(angle)), atol=2e-3)
        assert cloud.std(0) == pytest.approx(0.02, rel=0.03)


def test_swiss_roll_winds_outwards_and_has_no_classes():
    source = sources.load("toy:swissroll")
    radius = np.linalg.norm(toy.TOYS["swissroll"].points(source.images), axis=1)
    assert np.quantile(radius, [0.01, 0.99]) == pytest.approx([1.5 * np.pi, 4.5 * np.pi], rel=0.03)
    assert source.labels is None
    assert source.num_classes is None
    assert set(source.read(np.arange(3))) == {"image"}


def test_what_a_toy_is_not(refusal):
    assert "Did you mean 'ring8'?" in refusal(sources.load, "toy:ring9")
    assert "train, test" in refusal(sources.load, "toy:ring8", "validation")
    assert "points, not images" in refusal(sources.load, "toy:ring8", image_size=32)
