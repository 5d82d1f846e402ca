import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.objectives.augment import bands


def lowpass(frequency):
    """The lowpass at an angular frequency, in closed form."""
    return (16 + 18 * np.cos(frequency) - 2 * np.cos(3 * frequency)) / 32


def responses(frequency):
    """The bands at an angular frequency, (4, ...)."""
    first, second, third = (lowpass(octave * frequency) for octave in (1, 2, 4))
    return np.stack(
        [
            first * second * third,
            first * second * (1 - third),
            first * (1 - second),
            1 - first,
        ]
    )


def test_the_lowpass_is_the_autocorrelation_of_sym2():
    root = np.sqrt(3)
    sym2 = np.array([1 + root, 3 + root, 3 - root, 1 - root]) / (4 * np.sqrt(2))
    np.testing.assert_allclose(bands.LOWPASS, np.convolve(sym2, sym2[::-1]) / 2, atol=1e-12)


def test_bands_add_up_to_an_impulse_and_have_their_frequency_responses():
    taps = bands.band_taps()
    reach = taps.shape[1] // 2
    np.testing.assert_allclose(taps.sum(axis=0), np.arange(-reach, reach + 1) == 0, atol=1e-12)
    np.testing.assert_allclose(taps, taps[:, ::-1], atol=1e-12)
    frequency = np.linspace(0, np.pi, 201)
    waves = np.cos(np.arange(-reach, reach + 1)[:, None] * frequency)
    np.testing.assert_allclose(taps @ waves, responses(frequency), atol=1e-12)


def test_each_band_is_the_strongest_in_its_octave():
    edges = np.pi * np.array([0, 1 / 8, 1 / 4, 1 / 2, 1])
    for band, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = np.linspace(low, high, 22)[1:-1]
        assert (responses(inside).argmax(axis=0) == band).mean() > 0.9
    np.testing.assert_allclose(responses(0.0), [1, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(responses(np.pi), [0, 0, 0, 1], atol=1e-12)
    assert responses(np.pi / 2)[3] == pytest.approx(0.5)  # half at the border between octaves


@pytest.mark.parametrize("size", [1, 2, 5, 8, 33])
def test_matrices_filter_a_mirrored_signal(size):
    """The cosines that are even about both ends are eigenvectors, with the response as value."""
    matrices = bands.band_matrices(size)
    np.testing.assert_array_equal(matrices.sum(axis=0), np.eye(size))
    for k in range(size):
        frequency = np.pi * k / max(size - 1, 1)
        wave = np.cos(frequency * np.arange(size))
        expected = responses(frequency)[:, None] * wave
        np.testing.assert_allclose(matrices @ wave, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(9, 5, 2), (6, 8, 1)])
def test_equalize_multiplies_the_bands_along_both_axes(shape):
    height, width, channels = shape
    gains = np.array([1.1, 0.6, 1.8, 0.3])
    for i, j in [(0, 0), (1, 2), (height - 1, 1), (2, width - 1)]:
        y, x = np.pi * i / (height - 1), np.pi * j / (width - 1)
        wave = np.cos(y * np.arange(height))[:, None] * np.cos(x * np.arange(width))
        image = jnp.float32(np.repeat(wave[..., None], channels, axis=-1))
        expected = (gains @ responses(y)) * (gains @ responses(x)) * image
        np.testing.assert_allclose(bands.equalize(image, jnp.float32(gains)), expected, atol=1e-5)
    image = jnp.float32(np.random.default_rng(0).uniform(-1, 1, shape))
    np.testing.assert_array_equal(bands.equalize(image, jnp.ones(4)), image)
