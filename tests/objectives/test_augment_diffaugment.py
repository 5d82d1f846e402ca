import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.objectives import augment

MANY = 2000
KEYS = jax.random.split(jax.random.key(3), MANY)


def many(image):
    return jnp.broadcast_to(jnp.float32(image), (MANY, *image.shape))


def image_of(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape)


def assert_uniform(values, low, high):
    """Within the range, and with the mean and the deviation of a uniform draw."""
    width = high - low
    assert low - 1e-4 <= values.min() < low + 0.02 * width
    assert high - 0.02 * width < values.max() <= high + 1e-4
    assert abs(values.mean() - (low + high) / 2) < 4 * width / np.sqrt(12 * MANY)
    assert abs(values.std() - width / np.sqrt(12)) < 0.03 * width


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_is_brightness_then_saturation_then_contrast(channels):
    image = image_of(4, 5, channels)
    changed = np.asarray(augment.diff_augment(many(image), KEYS, ("colour",)), np.float64)
    rgb, after = image[..., :3], changed[..., :3]
    # Neither saturation nor contrast moves the mean of an image: what moved it is brightness.
    brightness = (after - rgb).mean(axis=(1, 2, 3))
    # Contrast alone scales the differences of greys, saturation and contrast those of chromas.
    greys = rgb.mean(axis=-1) - rgb.mean()
    contrast = np.einsum("bhw,hw->b", after.mean(axis=-1), greys) / np.sum(greys**2)
    chroma = rgb - rgb.mean(axis=-1, keepdims=True)
    both = np.einsum("bhwc,hwc->b", after, chroma) / np.sum(chroma**2)
    saturation = both / contrast
    for values, low, high in [(brightness, -0.5, 0.5), (contrast, 0.5, 1.5), (saturation, 0, 2)]:
        assert_uniform(values, low, high)
    assert abs(np.corrcoef([brightness, contrast, saturation]) - np.eye(3)).max() < 0.1

    b, c, s = (v[:, None, None, None] for v in (brightness, contrast, saturation))
    brighter = rgb + b
    grey = brighter.mean(axis=-1, keepdims=True)
    saturated = grey + s * (brighter - grey)
    mean = saturated.mean(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(after, mean + c * (saturated - mean), atol=1e-5)


def test_colour_of_grey_has_no_saturation():
    image = image_of(4, 5, 1)
    changed = np.asarray(augment.diff_augment(many(image), KEYS, ("colour",)), np.float64)
    brightness = (changed - image).mean(axis=(1, 2, 3))
    spread = image - image.mean()
    contrast = np.einsum("bhwc,hwc->b", changed, spread) / np.sum(spread**2)
    assert_uniform(contrast, 0.5, 1.5)
    b, c = brightness[:, None, None, None], contrast[:, None, None, None]
    np.testing.assert_allclose(changed, image.mean() + b + c * spread, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 17), (16, 7)])
def test_translation_is_uniform_and_fills_with_zero(size):
    height, width = size
    image = image_of(height, width, 1).astype(np.float32)
    moved = np.asarray(augment.diff_augment(many(image), KEYS, ("translation",)))
    y, x = round(height / 8 + 1e-9), round(width / 8 + 1e-9)
    canvas = np.pad(image, ((y, y), (x, x), (0, 0)))
    places = [
        canvas[top : top + height, left : left + width]
        for top in range(2 * y + 1)
        for left in range(2 * x + 1)
    ]
    counts = np.array([(moved == place).all(axis=(1, 2, 3)).sum() for place in places])
    assert counts.sum() == MANY
    mean = MANY / len(places)
    assert abs(counts - mean).max() < 5 * np.sqrt(mean)


def cut_probability(size):
    """How often each index of an axis is cut, by the published rule: all centres, equally often."""
    half = (size + 1) // 2
    centres = range(size + 1 - half % 2)
    cut = np.zeros((len(centres), size))
    for row, centre in zip(cut, centres, strict=True):
        row[np.clip(np.arange(half) + centre - half // 2, 0, size - 1)] = 1
    return cut.mean(axis=0)


@pytest.mark.parametrize("size", [(4, 6), (7, 5)])
def test_cutout_zeroes_a_rectangle_of_half_the_size(size):
    image = np.full((*size, 2), 0.5, np.float32)
    holed = np.asarray(augment.diff_augment(many(image), KEYS, ("cutout",)))
    cut = (holed == 0).all(axis=-1)
    np.testing.assert_array_equal(holed, np.where(cut[..., None], 0, image))
    rows, columns = cut.any(axis=2), cut.any(axis=1)
    np.testing.assert_array_equal(cut, rows[:, :, None] & columns[:, None])
    assert rows.sum(axis=1).max() == (size[0] + 1) // 2
    assert columns.sum(axis=1).max() == (size[1] + 1) // 2
    expected = np.outer(cut_probability(size[0]), cut_probability(size[1]))
    assert abs(cut.mean(axis=0) - expected).max() < 4.5 * 0.5 / np.sqrt(MANY)


def test_a_policy_is_its_operations_in_order():
    images = many(image_of(8, 8, 3))
    together = augment.diff_augment(images, KEYS)
    apart = images
    for name in ("colour", "translation", "cutout"):
        apart = augment.diff_augment(apart, KEYS, (name,))
    np.testing.assert_array_equal(together, apart)
    backwards = augment.diff_augment(images, KEYS, ("cutout", "translation", "colour"))
    assert (backwards != together).any()
